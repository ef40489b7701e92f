"""A session on disk while it happens: sound, text and every number that `replay` compares.

    record.json      what ran: model file and its sha256, device, kernels, number format, versions
    audio.wav        left the user, right the model as it was played, one clock
    turns.jsonl      one line per micro-turn
    streams-*.safetensors   all streams and numbers, some seconds per file
    events.jsonl     of a served session: what happened beside its streams (by the server)

Everything is readable after a crash, the streams up to the last whole file. When an output half
was not wholly played, history has it as corrected, and so has the record: its `voice`, `voice_on`
and numbers are those of the corrected half. Knows nothing of what a session is recorded for.
"""

import functools
import hashlib
import json
import os
import platform
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from interplay import __version__
from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN
from interplay.engine.emit import Numbers
from interplay.engine.past import Said
from interplay.engine.precision import PLAIN, hardware
from interplay.engine.session import Session
from interplay.errors import DeviceError, RecordError
from interplay.turns.layout import TEXT_OUT
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import InputHalf, OutputHalf, Streams

FORMAT = "interplay record 1"
TURNS_PER_FILE = 25  # 5 s
FRAME_BYTES = 4  # two channels of 16 bits
HEADER_BYTES = 44
DISK_ERRORS = (OSError, SafetensorError)  # both mean that the disk refuses
NUMBERS = tuple(f.name for f in fields(Numbers))
STREAMS = tuple(f.name for f in fields(Streams) if f.name not in ("first_turn", "see", "see_on"))

Row = dict[str, np.ndarray]


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes; computed once for a file that does not change."""
    about = path.stat()
    return _sha256(path.resolve(), about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=16)
def _sha256(path: Path, _mtime_ns: int, _num_bytes: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Wav:
    """A 16-bit stereo file whose header is right after every write."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 - closed by close()
        self._num_bytes = 0
        self._write_header()

    def add(self, left: np.ndarray, right: np.ndarray) -> None:
        samples = np.stack([left, right], axis=1).clip(-1, 1) * 32767
        data = samples.round().astype("<i2").tobytes()
        self._file.seek(HEADER_BYTES + self._num_bytes)
        self._file.write(data)
        self._num_bytes += len(data)
        self._write_header()

    def _write_header(self) -> None:
        rate = SAMPLE_RATE_HZ
        layout = struct.pack("<IHHIIHH", 16, 1, 2, rate, rate * FRAME_BYTES, FRAME_BYTES, 16)
        riff = struct.pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + self._num_bytes, b"WAVE")
        self._file.seek(0)
        self._file.write(riff + b"fmt " + layout + struct.pack("<4sI", b"data", self._num_bytes))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One micro-turn on its way to the disk. index: 0, 1, ... of the record. turn: on the phase
    clock. row: streams and numbers. correction: what replaces them in the row before, if
    anything does. compute_ms: of the micro-turn."""

    index: int
    turn: int
    half: InputHalf
    output: OutputHalf
    row: Row
    correction: Row | None
    compute_ms: float


class Keeper:
    """What a record keeps of a session, from its first micro-turn on. Touches no file."""

    def __init__(self, session: Session) -> None:
        """Raises RecordError when the session has a past already."""
        if session.num_turns:
            raise RecordError(
                f"this session is {session.num_turns} micro-turns old; a record starts with the "
                "first one"
            )
        self.about, self.tokenizer = _describe(session), session.engine.loaded.tokenizer
        self._session = session
        self._num_turns = 0

    def follow(self, session: Session) -> None:
        """Go on with `session`, which is the recorded one restored from its newest state."""
        assert session.num_turns == self._num_turns, "a record has no gap"
        self._session = session

    def take(self, half: InputHalf, output: OutputHalf, compute_ms: float = 0.0) -> Kept:
        """Call after every micro-turn of the session."""
        trace = self._session.trace
        assert trace is not None and trace.turn == self._session.turn - 1
        row = _said_arrays(trace.said, trace.numbers)
        row |= {"hear": trace.hear, "read": np.array(trace.read, np.int32)}
        if half.see is not None:
            row["see"] = half.see
        after = trace.correction
        self._num_turns += 1
        return Kept(
            index=self._num_turns - 1,
            turn=trace.turn,
            half=half,
            output=output,
            row=row,
            correction=_said_arrays(after.said, after.numbers) if after else None,
            compute_ms=compute_ms,
        )


class RecordFiles:
    """The files of one record, for one thread. tokenizer: names the tokens."""

    def __init__(self, folder: Path, about: dict[str, Any], tokenizer: Tokenizer) -> None:
        """Raises RecordError when the folder holds a record, DeviceError when it cannot be
        written."""
        self.folder, self._tokenizer = folder, tokenizer
        self._rows: list[Row] = []
        self._num_files = 0
        self._voice = np.zeros(SAMPLES_PER_TURN, np.float32)
        try:
            if (folder / "record.json").exists():
                raise RecordError(f"{folder} holds a record already; choose another folder")
            folder.mkdir(parents=True, exist_ok=True)
            _replace(folder / "record.json", json.dumps(about, indent=1).encode())
            self._wav = _Wav(folder / "audio.wav")
            self._lines = open(folder / "turns.jsonl", "w", encoding="utf-8")  # noqa: SIM115
        except DISK_ERRORS as error:
            raise self._device_error(error) from None

    def write(self, kept: Kept) -> None:
        """The next micro-turn. Raises DeviceError when the disk refuses."""
        if kept.correction:
            self._rows[-1] |= kept.correction
        try:
            self._add_sound(kept.half, kept.output)
            self._lines.write(json.dumps(self._line(kept)) + "\n")
            self._lines.flush()
            if len(self._rows) >= TURNS_PER_FILE:  # the newest row may still be corrected
                self._write_rows()
        except DISK_ERRORS as error:
            raise self._device_error(error) from None
        self._rows.append(kept.row)

    def _add_sound(self, half: InputHalf, output: OutputHalf) -> None:
        played = self._voice
        if half.num_played is not None:
            played = np.where(np.arange(len(played)) < half.num_played, played, 0)
        self._wav.add(half.hear, played)
        self._voice = output.voice

    def _line(self, kept: Kept) -> dict[str, Any]:
        name_of, output = self._tokenizer.name, kept.output
        line: dict[str, Any] = {"index": kept.index, "turn": kept.turn}
        for name in TEXT_OUT:
            tokens = [int(token) for token in getattr(output, name)]
            line[name] = tokens
            line[f"{name}_text"] = "".join(name_of(token) for token in tokens if token)
        return line | {
            "voice_on": [int(on) for on in output.voice_on],
            "compute_ms": round(kept.compute_ms, 3),
            "num_played": kept.half.num_played,
        }

    def _write_rows(self) -> None:
        """Rows of a file share their keys, so the camera going on or off ends one early."""
        rows, self._rows = self._rows, []
        while rows:
            camera = "see" in rows[0]
            num = next((i for i, row in enumerate(rows) if ("see" in row) != camera), len(rows))
            arrays = {name: np.stack([row[name] for row in rows[:num]]) for name in rows[0]}
            path = self.folder / f"streams-{self._num_files:05d}.safetensors"
            draft = path.with_suffix(".part")
            save_file(arrays, draft, {"format": FORMAT})
            os.replace(draft, path)
            self._num_files += 1
            rows = rows[num:]

    def close(self) -> None:
        """Write what is left; the last output half is taken as wholly played. Closing twice is
        allowed. Raises DeviceError when the disk refuses; the files are closed all the same."""
        if self._lines.closed:
            return
        try:
            self._write_rows()
            self._wav.add(np.zeros_like(self._voice), self._voice)
        except DISK_ERRORS as error:
            raise self._device_error(error) from None
        finally:
            for file in (self._lines, self._wav):
                with suppress(OSError):  # of what a full disk did not take; it was told above
                    file.close()

    def _device_error(self, error: OSError | SafetensorError) -> DeviceError:
        reason = getattr(error, "strerror", None) or error
        return DeviceError(
            f"cannot write the record {self.folder}: {reason}; choose a folder that you "
            "may write to, on a disk with space left"
        )


class Recorder:
    """Writes a session from its first micro-turn on, on the thread that calls. Use as a context
    manager, or `close` it."""

    def __init__(self, folder: str | Path, session: Session) -> None:
        """Raises RecordError when the folder holds a record or the session has a past already,
        DeviceError when it cannot be written."""
        self.folder, self._keeper = Path(folder), Keeper(session)
        self._files = RecordFiles(self.folder, self._keeper.about, self._keeper.tokenizer)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def follow(self, session: Session) -> None:
        """Go on with `session`, which is the recorded one restored from its newest state."""
        self._keeper.follow(session)

    def add(self, half: InputHalf, output: OutputHalf, compute_ms: float = 0.0) -> None:
        """Call after every micro-turn of the session. Raises DeviceError when the disk refuses."""
        self._files.write(self._keeper.take(half, output, compute_ms))

    def close(self) -> None:
        """Write what is left. Raises DeviceError when the disk refuses."""
        self._files.close()


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".part")
    draft.write_bytes(data)
    os.replace(draft, path)


def _describe(session: Session) -> dict[str, Any]:
    engine = session.engine
    path = engine.loaded.path
    return {
        "format": FORMAT,
        "model": str(path.resolve()) if path else None,
        "model_sha256": file_sha256(path) if path else None,
        "device": engine.runs_on,
        "hardware": hardware(engine.runs_on),
        "operations": engine.facts["operations"],
        "dtype": str(engine.dtype).removeprefix("torch."),
        "num_threads": torch.get_num_threads(),
        "seed": session.past.seed,
        "first_turn": session.turn,
        "sampling": asdict(engine.sampling),
        "facts": engine.facts,
        "versions": {
            "interplay": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _said_arrays(said: Said, numbers: Numbers) -> Row:
    tokens = said.tokens.numpy()
    row = {name: tokens[:, i].copy() for i, name in enumerate(TEXT_OUT)}
    row |= {"voice": said.voice.numpy(), "voice_on": said.voice_on.numpy()}
    return row | {name: getattr(numbers, name).numpy() for name in NUMBERS}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Micro-turns in a row with the same streams: all with a camera or all without."""

    streams: Streams
    numbers: Numbers


@dataclass(frozen=True, kw_only=True)
class Record:
    """A stored session. about: record.json. parts: in order, see `Part`; numbers are arrays as
    tensors with a leading axis of micro-turns: log_probs [N, 4, 3], gate [N, 4], mean [N, 4, M]."""

    folder: Path
    about: dict[str, Any]
    parts: list[Part]

    def __len__(self) -> int:
        return sum(len(part.streams) for part in self.parts)

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.about["dtype"])

    @property
    def device(self) -> str:
        """What `--device` was when it was made; records that do not say were made on the CPU."""
        return self.about.get("device", PLAIN)

    @property
    def num_threads(self) -> int:
        """Threads of torch when it was made: libraries deal a product's sums out among them.
        Records that do not say are taken for those of small models, which get one."""
        return self.about.get("num_threads", 1)


def read_record(folder: str | Path) -> Record:
    """Read a stored session. Raises RecordError when it is missing, foreign or damaged."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordError(f"{folder} is not a folder; give the folder of a recorded session")
    about = read_about(folder)
    files = sorted(folder.glob("streams-*.safetensors"))
    if not files:
        raise RecordError(f"{folder} ended before its first {TURNS_PER_FILE} micro-turns were kept")
    if files[-1].name != f"streams-{len(files) - 1:05d}.safetensors":
        raise RecordError(f"{folder} lacks some of its stream files; copy it again")
    parts: list[list[Row]] = []
    for path in files:
        arrays = _read_arrays(path)
        if not parts or ("see" in arrays) != ("see" in parts[-1][0]):
            parts.append([])
        parts[-1].append(arrays)
    turn, done = about["first_turn"], []
    for rows in parts:
        done.append(_part(rows, turn))
        turn += len(done[-1].streams)
    return Record(folder=folder, about=about, parts=done)


def read_about(folder: Path) -> dict[str, Any]:
    """What ran, as `record.json` has it. Raises RecordError when it is missing or foreign."""
    try:
        about = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{folder} holds no record.json; it is not a recorded session") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise RecordError(f"{folder}/record.json is damaged; copy the record again") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise RecordError(f"{folder} is not a record that this interplay version reads")
    return about


def _read_arrays(path: Path) -> Row:
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RecordError(f"{path} is damaged ({error}); copy the record again") from None
    missing = {*STREAMS, *NUMBERS} - set(arrays)
    if missing:
        raise RecordError(f"{path} lacks {min(missing)}; copy the record again")
    return arrays


def _part(rows: list[Row], first_turn: int) -> Part:
    arrays = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    numbers = Numbers(**{name: torch.from_numpy(arrays.pop(name)) for name in NUMBERS})
    return Part(streams=Streams(**arrays, first_turn=first_turn), numbers=numbers)
