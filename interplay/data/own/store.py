"""Imported sessions on disk: a folder of folders, read back crop by crop.

    data.json             format, and the names of all sessions; written last
    NAME/sound.flac       16 kHz; the user, and beside it the model where it speaks
    NAME/words.jsonl      a line for each word: channel, word, start_s, end_s, begins
    NAME/session.json     where it came from, and what it has (`Facts`)
    NAME/frames.rgb       only of films: 160x120 RGB, five pictures a second, as bytes

A session is written under another name and renamed when whole. Knows nothing of transcripts or of
training.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float32, UInt8

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.own.words import Word, spelling_problems
from interplay.errors import DeviceError, RecordError
from interplay.media.video import HEIGHT_PX, WIDTH_PX
from interplay.turns.tokens import Tokenizer

FORMAT = "interplay data 1"
INDEX = "data.json"
_SOUND, _WORDS, _FACTS, _FRAMES = "sound.flac", "words.jsonl", "session.json", "frames.rgb"
_MAKING = "making-"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """source: the file that the words are from. stamp: differs where the session was made of
    other files or with other options. voice_known: the model's channel is the voice that the model
    shall have."""

    source: str
    stamp: str
    num_samples: int
    has_model: bool
    has_camera: bool
    voice_known: bool


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A session that can be stored.

    sound: float32 [T, C], 16 kHz; the user, and the model where C is 2. words: in order of time
    in each channel. frames: uint8 [F, 120, 160, 3], five a second, or None.
    """

    sound: Float32[np.ndarray, "T C"]
    words: list[Word]
    frames: UInt8[np.ndarray, "F 120 160 3"] | None
    voice_known: bool


def write_session(folder: Path, recording: Recording, *, source: str, stamp: str) -> None:
    """Write a session, whole or not at all, in the place of one that is there.

    Raises DeviceError where the disk refuses.
    """
    facts = Facts(
        source=source,
        stamp=stamp,
        num_samples=len(recording.sound),
        has_model=recording.sound.shape[1] == 2,
        has_camera=recording.frames is not None,
        voice_known=recording.voice_known,
    )
    lines = [json.dumps(asdict(word), ensure_ascii=False) for word in recording.words]
    making = folder.with_name(_MAKING + folder.name)
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        pcm = np.clip(recording.sound, -1, 1)
        soundfile.write(making / _SOUND, pcm, SAMPLE_RATE_HZ, subtype="PCM_16")
        (making / _WORDS).write_text("\n".join(lines) + "\n", encoding="utf-8")
        if recording.frames is not None:
            recording.frames.tofile(making / _FRAMES)
        (making / _FACTS).write_text(json.dumps(asdict(facts)), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
    except (OSError, soundfile.SoundFileError) as error:
        shutil.rmtree(making, ignore_errors=True)
        raise DeviceError(
            f"cannot write {folder}: {error}; choose another --out, or make room"
        ) from None


def write_index(folder: Path, names: list[str]) -> None:
    """Say which sessions the folder holds; it can be opened from now on."""
    text = json.dumps({"format": FORMAT, "sessions": names}, indent=1)
    draft = folder / (INDEX + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(folder / INDEX)


def is_session(folder: Path) -> bool:
    """Whether the folder is a session of ours, and no source of one."""
    return (folder / _FACTS).exists()


def stamp_of(folder: Path) -> str | None:
    """The stamp of a stored session, None where there is no whole one."""
    try:
        return json.loads((folder / _FACTS).read_text(encoding="utf-8"))["stamp"]
    except (OSError, ValueError, KeyError):
        return None


class Session:
    """One stored session; sound and pictures are read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.facts = Facts(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise RecordError(f"{folder} holds no session ({error}); import it again") from None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def length_s(self) -> float:
        return self.facts.num_samples / SAMPLE_RATE_HZ

    @cached_property
    def words(self) -> list[Word]:
        try:
            lines = (self.folder / _WORDS).read_text(encoding="utf-8").splitlines()
            return [Word(**json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise RecordError(
                f"{self.folder / _WORDS} is damaged ({error}); import it again"
            ) from None

    def said_in(self, channel: str) -> list[Word]:
        return [word for word in self.words if word.channel == channel]

    def sound(self, start: int, num_samples: int) -> Float32[np.ndarray, "C T"]:
        """Samples [start, start + num_samples) of every channel."""
        path = self.folder / _SOUND
        try:
            found, _ = soundfile.read(
                path, frames=num_samples, start=start, dtype="float32", always_2d=True
            )
        except (OSError, soundfile.SoundFileError) as error:
            raise RecordError(f"{path} is damaged ({error}); import it again") from None
        if len(found) != num_samples:
            raise RecordError(f"{path} ends too early; import it again")
        return np.ascontiguousarray(found.T)

    @cached_property
    def frames(self) -> UInt8[np.ndarray, "F 120 160 3"]:
        """The pictures of a film, mapped and not read."""
        path = self.folder / _FRAMES
        try:
            pixels = np.memmap(path, np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} is damaged ({error}); import it again") from None
        return pixels.reshape(-1, HEIGHT_PX, WIDTH_PX, 3)


class OwnData:
    """A folder of imported sessions."""

    def __init__(self, folder: Path) -> None:
        """Raises RecordError where the folder holds none."""
        self.folder = Path(folder)
        try:
            index = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
            found, names = index["format"], index["sessions"]
        except (OSError, ValueError, KeyError, TypeError):
            raise RecordError(
                f"no imported data in {folder}; `interplay data import ... --out {folder}` makes it"
            ) from None
        if found != FORMAT or not names:
            raise RecordError(f"{folder} is {found!r} with {len(names)} sessions; import it again")
        self.sessions = [Session(self.folder / name) for name in names]

    def check_spelling(self, tokenizer: Tokenizer) -> None:
        """Raises RecordError for the first word that the tokenizer does not give back."""
        for session in self.sessions:
            for problem in spelling_problems(session.words, session.facts.source, tokenizer):
                raise RecordError(str(problem))
