"""Traces on disk: one folder per item, written whole as soon as the item ends, and read back.

    FOLDER/<suite>/<subset>/<item id>/input.wav    the user as heard: int16, 16 kHz, mono
                                      output.wav   the model, the same number of samples
                                      output.json  its words over their sound: {"text", "chunks":
                                                   [{"text", "timestamp": [start, end]}]}, as
                                                   Full-Duplex-Bench's scripts read them
                                      trace.jsonl  one line per micro-turn
                                      meta.json    what was measured, the item, cues, words, calls

Sound is mapped, not loaded, so thousands of traces can be scored at once. Knows nothing of systems
or of scores.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Int16
from scipy.io import wavfile

from interplay.bench.traces.item_json import decode, encode, item_hash, item_id
from interplay.bench.traces.spoken import chunks
from interplay.bench.traces.trace import Call, Trace, Word, overlaps
from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.data.item import Item, Type
from interplay.errors import DeviceError, RecordError

INPUT, OUTPUT, WORDS, TURNS, META = (
    "input.wav",
    "output.wav",
    "output.json",
    "trace.jsonl",
    "meta.json",
)
READABLE = ("voice", "heard", "say", "act", "cues", "user_words", "pauses")  # in meta.json
DRAFT = ".part"
Play = Callable[[Sequence[Item]], Iterator[Trace]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A folder of traces of one system. about: what must agree for a trace to be used again:
    endpoint, weights, seed, clock. facts: what else meta.json tells: judge, data, versions."""

    folder: Path
    suite: str
    about: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def place(self, item: Item) -> Path:
        """Where the trace of an item is, or would be."""
        return self.folder / self.suite / (item.subset or item.kind) / item_id(item)

    def find(self, item: Item) -> Trace | None:
        """The trace of this very item by the same system, if it was kept. Raises RecordError where
        the folder holds one of another system."""
        place = self.place(item)
        if not (place / META).exists():
            return None
        meta = _read_meta(place)
        _check_about(self.folder, meta, self.about)
        if meta["item_sha256"] != item_hash(item):
            return None
        return _read(place, meta, item)

    def write(self, trace: Trace) -> Trace:
        """Keep a trace; returned as it will be read back, sound on disk. Raises DeviceError where
        the folder cannot be written."""
        place = self.place(trace.item)
        draft = place.with_name(place.name + DRAFT)
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            soundfile.write(draft / INPUT, trace.user, SAMPLE_RATE_HZ)
            soundfile.write(draft / OUTPUT, trace.model, SAMPLE_RATE_HZ)
            (draft / WORDS).write_text(json.dumps(official_words(trace)))
            lines = [json.dumps(line) + "\n" for line in turn_lines(trace)]
            (draft / TURNS).write_text("".join(lines))
            (draft / META).write_text(json.dumps(self._meta(trace)))
            shutil.rmtree(place, ignore_errors=True)
            os.replace(draft, place)
        except OSError as error:
            text = f"cannot write {place}: {error.strerror}; name another --keep"
            raise DeviceError(text) from error
        return _read(place, _read_meta(place), trace.item)

    def _meta(self, trace: Trace) -> dict[str, Any]:
        records = {
            name: [dataclasses.asdict(each) for each in getattr(trace, name)]
            for name in ("heard", "say", "act")
        }
        more = {name: encode(getattr(trace, name)) for name in _other_fields()}
        cue_ends = [span[1] for span in trace.cues if span is not None]
        typed = [c.text for c in trace.item.cues if isinstance(c, Type) and c.control == "<text>"]
        return {
            "about": dict(self.about),
            **self.facts,
            "suite": self.suite,
            "subset": trace.item.subset or trace.item.kind,
            "item_sha256": item_hash(trace.item),
            "item": encode(trace.item),
            "prompt": typed,
            "tail_s": round(trace.length_s - max(cue_ends, default=0.0), 3),
            "input_sha256": _sha256(trace.user),
            "output_sha256": _sha256(trace.model),
            "words_from": "the system's own text stream",
            "vad": "energy, -45 dB of full scale in 10 ms frames, gaps up to 0.3 s joined",
            **records,
            "voice": [list(span) for span in trace.voice],
            "cues": [None if span is None else list(span) for span in trace.cues],
            "user_words": [list(word) for word in trace.user_words],
            "pauses": {str(cue): list(span) for cue, span in trace.pauses.items()},
            "more": more,
        }


def resuming(play: Play, kept: Kept) -> Play:
    """Plays only what is not kept yet, and keeps it as soon as it ends."""

    def played(items: Sequence[Item]) -> Iterator[Trace]:
        waiting = []
        for item in items:
            trace = kept.find(item)
            if trace is None:
                waiting.append(item)
            else:
                yield trace
        for trace in play(waiting) if waiting else ():
            yield kept.write(trace)

    return played


def check_folder(kept: Kept) -> None:
    """Raises RecordError where the folder holds traces of another system, or of other data of the
    same suite, be it of other items: all that is there is scored together."""
    for place in _places(kept.folder)[:1]:  # they are alike
        _check_about(kept.folder, _read_meta(place), kept.about)
    data = kept.facts.get("data")
    for place in _places(kept.folder, kept.suite)[:1]:
        if (earlier := _read_meta(place).get("data", data)) != data:
            raise RecordError(
                f"{kept.folder} holds traces of {kept.suite} with data {earlier!r}, not {data!r}; "
                "name another --keep"
            )


def _check_about(folder: Path, meta: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    for name, value in about.items():
        if meta["about"].get(name) != value:
            raise RecordError(
                f"{folder} holds traces with {name} {meta['about'].get(name)!r}, not {value!r}; "
                "name another --keep"
            )


def read_traces(folder: Path) -> dict[str, list[Trace]]:
    """All traces under a folder of --keep: suite -> traces. Raises RecordError where there are
    none, one is damaged, or they are of several systems."""
    found: dict[str, list[Trace]] = {}
    about: Mapping[str, Any] | None = None
    for place in places(folder):
        meta = _read_meta(place)
        about = about or meta["about"]
        if meta["about"] != about:
            raise RecordError(
                f"{folder} holds traces of several systems ({place} is of {meta['about']}); give "
                "each a folder of its own"
            )
        found.setdefault(meta["suite"], []).append(_read(place, meta, decode(meta["item"])))
    return found


def about_traces(folder: Path) -> dict[str, Any]:
    """What the traces under a folder were played with, and which data. Raises RecordError as
    `read_traces`."""
    meta = _read_meta(next(places(folder)))
    return meta["about"] | {"data": meta.get("data")}


def places(folder: Path) -> Iterator[Path]:
    """The folders of single traces. Raises RecordError where there are none."""
    found = _places(folder)
    if not found:
        raise RecordError(
            f"{folder} holds no traces (SUITE/SUBSET/ITEM/{META}); give a folder that --keep wrote"
        )
    yield from found


def _places(folder: Path, suite: str = "*") -> list[Path]:
    found = sorted(path.parent for path in folder.glob(f"{suite}/*/*/{META}"))
    return [place for place in found if not place.name.endswith(DRAFT)]


def official_words(trace: Trace) -> dict[str, Any]:
    """What the system said, over the sound that carries it, in the form that Full-Duplex-Bench's
    scripts read: the words that our own rows are counted from."""
    found = [
        {"text": chunk.text, "timestamp": [chunk.start_s, chunk.end_s]} for chunk in chunks(trace)
    ]
    return {"text": " ".join(chunk["text"] for chunk in found).strip(), "chunks": found}


def turn_lines(trace: Trace) -> Iterator[dict[str, Any]]:
    """One line per micro-turn: who sounds and what is said in it; wall_in, wall_out as in
    `Trace.walls`, null where no real time passed."""
    spans = [(start_s, end_s) for _, start_s, end_s in trace.user_words]
    for index in range(-(-len(trace.model) // SAMPLES_PER_TURN)):
        start_s, end_s = index * TURN_S, (index + 1) * TURN_S
        words = {
            f"{name}_text": " ".join(w.text for w in found if start_s <= w.start_s < end_s)
            for name, found in (("agent", trace.say), ("heard", trace.heard))
        }
        wall_in, wall_out = trace.walls[index] if index < len(trace.walls) else (None, None)
        yield {
            "i": index,
            "t0": round(start_s, 3),
            "t1": round(end_s, 3),
            "user_speech": overlaps(spans, start_s, end_s),
            "agent_speech": overlaps(trace.voice, start_s, end_s),
            **words,
            "wall_in": None if wall_in is None else round(wall_in, 4),
            "wall_out": None if wall_out is None else round(wall_out, 4),
        }


def _other_fields() -> list[str]:
    """Of a trace: those that are stored as they are."""
    names = [each.name for each in dataclasses.fields(Trace)]
    return [name for name in names if name not in (*READABLE, "item", "user", "model")]


def _read_meta(place: Path) -> dict[str, Any]:
    try:
        meta = json.loads((place / META).read_text())
    except (OSError, ValueError) as error:
        raise RecordError(f"{place / META} cannot be read; delete the folder") from error
    missing = [key for key in ("about", "suite", "item", "item_sha256", "cues") if key not in meta]
    if missing:
        raise RecordError(f"{place / META} lacks {', '.join(missing)}; delete the folder")
    return meta


def _read(place: Path, meta: dict[str, Any], item: Item) -> Trace:
    try:
        user, model = _map_wav(place / INPUT), _map_wav(place / OUTPUT)
        _check_tracks(place, meta, user, model)
        num_samples = min(len(user), len(model))
        return Trace(
            item=item,
            user=user[:num_samples],
            model=model[:num_samples],
            voice=tuple((start, end) for start, end in meta["voice"]),
            heard=tuple(Word(**word) for word in meta["heard"]),
            say=tuple(Word(**word) for word in meta["say"]),
            act=tuple(Call(**call) for call in meta["act"]),
            cues=tuple(None if span is None else (span[0], span[1]) for span in meta["cues"]),
            user_words=tuple((word, start, end) for word, start, end in meta["user_words"]),
            pauses={int(cue): (span[0], span[1]) for cue, span in meta["pauses"].items()},
            **{name: decode(value) for name, value in meta["more"].items()},
        )
    except (KeyError, TypeError, ValueError, OSError, struct.error) as error:
        raise RecordError(f"{place} is damaged ({error}); delete it and play it again") from error


def _check_tracks(
    place: Path,
    meta: Mapping[str, Any],
    user: Int16[np.ndarray, " T"],
    model: Int16[np.ndarray, " S"],
) -> None:
    """Raises RecordError where the two sides do not run on one clock, ValueError where a sound is
    not the one that was written."""
    if abs(len(user) - len(model)) > SAMPLES_PER_TURN:
        lasts = [f"{len(track) / SAMPLE_RATE_HZ:.2f} s" for track in (user, model)]
        raise RecordError(
            f"{place}: {INPUT} lasts {lasts[0]}, {OUTPUT} {lasts[1]}; both sides must last as long "
            "as the other on one clock: delete the folder and play it again"
        )
    for name, track in (("input", user), ("output", model)):
        if meta.get(f"{name}_sha256") not in (None, _sha256(track)):
            raise ValueError(f"{name}.wav is not the sound that was written")


def _sha256(track: Int16[np.ndarray, " T"]) -> str:
    return hashlib.sha256(np.ascontiguousarray(track).data).hexdigest()


def _map_wav(path: Path) -> Int16[np.ndarray, " T"]:
    """The samples of a file that `write` wrote, mapped. Raises ValueError for any other."""
    rate_hz, samples = wavfile.read(path, mmap=True)
    if rate_hz != SAMPLE_RATE_HZ or samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(f"{path.name} is not 16-bit mono sound at {SAMPLE_RATE_HZ} Hz")
    return samples
