"""The utterance bank: speech synthesised once, on disk, composed into sessions many times.

A bank is a folder of shards; a shard is a folder with `samples.npy`, `mel.npy` and `index.npz`,
written under another name and renamed when whole, so a killed build leaves only finished shards
and the next one makes what is missing. Knows nothing about scenarios, tokens or training.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Int16, Int64

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_SLOT
from interplay.data.speech import PhoneSpan, Span, Utterance, synthesize
from interplay.errors import RecordError, SynthError
from interplay.media.dmel import NUM_MELS, DmelConfig, log_mel

ROLES = ("user", "own")
MEL_CONFIG = DmelConfig(subframes=4)
_TEXTS = ("text", "voice", "engine", "role", "tag")
SHARD_SIZE = 200  # utterances; a killed build loses at most one shard per worker
_TEMPORARY = "making-"
_NO_MEL = np.zeros((0, NUM_MELS), np.float16)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One utterance to be in the bank. role: `own` is the model's voice and gets mel frames."""

    text: str
    voice: str
    role: str = "user"
    tag: str = ""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One utterance of a bank or of a human recording.

    samples: int16 [T], 16 kHz; a view into the mapped file, not to be written.
    words: (word, start [s], end [s]); phones: (phone id, start [s], end [s]), empty when unknown.
    mel: float16 [F, 80] log10 mel, 12.5 ms a frame, F whole 50 ms slots that cover the sound and
        the window's tail; None for role `user`.
    """

    samples: Int16[np.ndarray, " T"]
    words: list[Span]
    phones: list[PhoneSpan]
    text: str
    voice: str
    engine: str
    role: str
    tag: str
    mel: Float16[np.ndarray, "F 80"] | None = None

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


class Bank:
    """A finished or growing bank, read through memory maps. Cheap to open in every worker."""

    def __init__(self, path: Path, shards: list[Path]) -> None:
        self.path = path
        self._samples = [np.load(shard / "samples.npy", mmap_mode="r") for shard in shards]
        self._mels = [np.load(shard / "mel.npy", mmap_mode="r") for shard in shards]
        indexes = [dict(np.load(shard / "index.npz")) for shard in shards]
        sizes = [len(index["text"]) for index in indexes]
        self._shard_of = np.repeat(np.arange(len(shards)), sizes)
        columns = {key: np.concatenate([x[key] for x in indexes]) for key in indexes[0]}
        self._columns = columns
        # samples and frames are counted inside their shard, words and phones over the whole bank
        self._stops = {
            "num_samples": np.concatenate([np.cumsum(x["num_samples"]) for x in indexes]),
            "num_frames": np.concatenate([np.cumsum(x["num_frames"]) for x in indexes]),
            "num_words": np.cumsum(columns["num_words"]),
            "num_phones": np.cumsum(columns["num_phones"]),
        }

    @staticmethod
    def open(path: str | Path) -> "Bank":
        """Map the finished shards of a bank folder. Raises RecordError where there are none."""
        path = Path(path)
        shards = sorted(path.glob("shard-*"))
        if not shards:
            raise RecordError(f"no utterance bank at {path}; make one with build_bank")
        return Bank(path, shards)

    def __reduce__(self) -> tuple:
        return Bank.open, (self.path,)  # worker processes map the files anew

    def __len__(self) -> int:
        return len(self._shard_of)

    def __iter__(self) -> Iterator[Clip]:
        return (self.clip(index) for index in range(len(self)))

    def clip(self, index: int | np.integer) -> Clip:
        """Utterance number `index`; its sound is not copied."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of a bank of {len(self)}")
        column = self._columns
        text, voice, engine, role, tag = (str(column[key][index]) for key in _TEXTS)
        times = column["word_times"][self._rows("num_words", index)].tolist()
        phones = self._rows("num_phones", index)
        ids, phone_times = column["phone_ids"][phones].tolist(), column["phone_times"][phones]
        shard = self._shard_of[index]
        frames = self._mels[shard][self._rows("num_frames", index)]
        return Clip(
            samples=self._samples[shard][self._rows("num_samples", index)],
            words=[(w, *t) for w, t in zip(text.lower().split(), times, strict=True)],
            phones=[(p, *t) for p, t in zip(ids, phone_times.tolist(), strict=True)],
            text=text,
            voice=voice,
            engine=engine,
            role=role,
            tag=tag,
            mel=frames if role == "own" else None,
        )

    def text(self, index: int | np.integer) -> str:
        """What is said in utterance number `index`."""
        return str(self._columns["text"][index])

    def _rows(self, count: str, index: int | np.integer) -> slice:
        stop = self._stops[count][index]
        return slice(stop - self._columns[count][index], stop)

    def find(
        self,
        *,
        role: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        voice: str | None = None,
    ) -> Int64[np.ndarray, " N"]:
        """Indices of the utterances that match everything given."""
        found = np.ones(len(self), bool)
        for key, value in (("role", role), ("tag", tag), ("text", text), ("voice", voice)):
            if value is not None:
                found &= self._columns[key] == value
        return np.flatnonzero(found)

    def spoken_with(self, voices: tuple[str, ...]) -> Bool[np.ndarray, " N"]:
        """Which utterances are spoken with a voice whose spec begins with one of `voices`."""
        return np.array([str(v).startswith(voices) for v in self._columns["voice"]], bool)

    @cached_property
    def by_text(self) -> dict[str, Int64[np.ndarray, " N"]]:
        """Indices of every text, in the order of the bank."""
        texts, inverse = np.unique(self._columns["text"], return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
        return {str(text): group for text, group in zip(texts, groups, strict=True)}


def build_bank(
    path: str | Path,
    requests: Iterable[Request],
    *,
    workers: int = 2,
    shard_size: int = SHARD_SIZE,
    quiet: bool = False,
) -> Bank:
    """Synthesise what the bank at `path` lacks, in `workers` processes, and open it.

    Requests with the same (text, voice, role) are made once, with the first one's tag. Call it
    again after a kill, or with more requests: finished shards are kept. workers=1 stays in this
    process; more are started afresh ("spawn"), so a script must call this under
    `if __name__ == "__main__"`.
    Raises SynthError on a request that cannot be spoken, or when there is nothing to make.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    for left_over in path.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left_over)
    present = sorted(path.glob("shard-*"))
    missing = _missing(requests, present)
    first = int(present[-1].name.removeprefix("shard-")) + 1 if present else 0
    jobs = [
        (path / f"shard-{first + number:05d}", missing[start : start + shard_size])
        for number, start in enumerate(range(0, len(missing), shard_size))
    ]
    if not jobs and not present:
        raise SynthError("no utterances requested; give build_bank at least one Request")
    _make_all(jobs, len(missing), workers=workers, quiet=quiet)
    return Bank.open(path)


def _missing(requests: Iterable[Request], present: list[Path]) -> list[Request]:
    """Requests that no finished shard holds, without repeats, in order."""
    made: set[tuple[str, str, str]] = set()
    for shard in present:
        with np.load(shard / "index.npz") as index:
            text, voice, role = (index[key].tolist() for key in ("text", "voice", "role"))
        made.update(zip(text, voice, role, strict=True))
    wanted: dict[tuple[str, str, str], Request] = {}
    for request in requests:
        if request.role not in ROLES:
            raise SynthError(f"role {request.role!r} of {request.text!r} is not one of {ROLES}")
        wanted.setdefault((request.text, request.voice, request.role), request)
    return [request for key, request in wanted.items() if key not in made]


def _make_all(
    jobs: list[tuple[Path, list[Request]]], num_utterances: int, *, workers: int, quiet: bool
) -> None:
    from rich.progress import Progress  # only builders draw

    with Progress(disable=quiet) as progress:
        bar = progress.add_task("utterance bank", total=num_utterances)
        if workers == 1:
            for job in jobs:
                progress.advance(bar, _make_shard(*job))
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(_make_shard, *job) for job in jobs]
            try:
                for future in as_completed(futures):
                    progress.advance(bar, future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _make_shard(path: Path, requests: list[Request]) -> int:
    """Synthesise one shard, write it whole, name it. Returns how many utterances it holds."""
    utterances = [synthesize(request.text, request.voice) for request in requests]
    _write_shard(path, requests, utterances)
    return len(requests)


def add_shard(path: str | Path, requests: list[Request], utterances: list[Utterance]) -> None:
    """One more shard of the bank at `path`: utterances that were made elsewhere."""
    path = Path(path)
    present = sorted(path.glob("shard-*"))
    number = int(present[-1].name.removeprefix("shard-")) + 1 if present else 0
    _write_shard(path / f"shard-{number:05d}", requests, utterances)


def _write_shard(path: Path, requests: list[Request], utterances: list[Utterance]) -> None:
    mels = [
        own_mel(utterance.samples) if request.role == "own" else _NO_MEL
        for request, utterance in zip(requests, utterances, strict=True)
    ]
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    temporary.mkdir()
    np.save(temporary / "samples.npy", np.concatenate([u.samples for u in utterances]))
    np.save(temporary / "mel.npy", np.concatenate(mels))
    index = _index(requests, utterances, mels)
    np.savez(temporary / "index.npz", allow_pickle=False, **index)
    temporary.rename(path)


def _index(
    requests: list[Request], utterances: list[Utterance], mels: list[np.ndarray]
) -> dict[str, np.ndarray]:
    phones = [phone for u in utterances for phone in u.phones]
    words = [word for u in utterances for word in u.words]
    return {
        "text": np.array([r.text for r in requests]),
        "voice": np.array([r.voice for r in requests]),
        "role": np.array([r.role for r in requests]),
        "tag": np.array([r.tag for r in requests]),
        "engine": np.array([u.engine for u in utterances]),
        "num_samples": np.array([len(u.samples) for u in utterances]),
        "num_frames": np.array([len(mel) for mel in mels]),
        "num_words": np.array([len(u.words) for u in utterances]),
        "num_phones": np.array([len(u.phones) for u in utterances]),
        "word_times": np.array([times for _, *times in words], np.float32),
        "phone_times": np.array([times for _, *times in phones], np.float32),
        "phone_ids": np.array([phone for phone, *_ in phones], np.uint8),
    }


def own_mel(samples: Int16[np.ndarray, " T"]) -> Float16[np.ndarray, "F 80"]:
    """Mel frames of a whole number of slots, until no window sees the sound any more."""
    num_slots = -(-(len(samples) + MEL_CONFIG.tail) // SAMPLES_PER_SLOT)
    padded = np.zeros(num_slots * SAMPLES_PER_SLOT, np.float32)
    padded[: len(samples)] = samples / np.float32(32768)
    return log_mel(padded, MEL_CONFIG).astype(np.float16)
