"""Users that are not there: a script of sounds and typed text, or one recording.

The script's moments hang on what the model was heard doing (its voice, nothing else), so the
talk goes on whatever the model decides. Knows nothing of transcripts, models or clocks.
"""

import json
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, SLOT_MS, TURN_S
from interplay.errors import ConfigError
from interplay.media.audio import read_audio
from interplay.turns.types import InputHalf, OutputHalf

SLOT_S = SLOT_MS / 1000
ANCHORS = ("start", "previous", "speaks", "stops")
FLOOR_DB = -66.0  # a microphone is never digitally silent
QUIET_S = 3.0  # listened on after the last sound of either
MAX_QUIET_S = 12.0
PACKAGE = Path(__file__).resolve().parent.parent
# Of a checkout, then of an installed package.
EXAMPLE_FOLDERS = (PACKAGE.parent / "examples", PACKAGE / "examples")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing the user does: `play` names a file in `audio/`, or `read` is text that is typed.

    after: `start` of the talk, end of the `previous` step, or the model `speaks` / `stops` after
        that end; the step comes `seconds` later. at_most: how long after the end of the previous
        step the model is waited for.
    """

    after: str
    seconds: float
    play: str = ""
    read: str = ""
    at_most: float = 5.0

    def __post_init__(self) -> None:
        if self.after not in ANCHORS:
            raise ConfigError(f"after is {self.after!r}; the choices are {', '.join(ANCHORS)}")
        if bool(self.play) == bool(self.read):
            raise ConfigError("a step either has `play`, a file, or `read`, a text")
        if self.seconds < 0:
            raise ConfigError(f"seconds is {self.seconds}; a step cannot come before its anchor")


@dataclass(frozen=True, kw_only=True)
class Script:
    """Steps, the sound of those that have one (16 kHz), and the longest the talk may last."""

    steps: tuple[Step, ...]
    sounds: dict[str, np.ndarray]
    max_s: float


def example_script() -> Path:
    """The demo's script. Raises ConfigError where the examples are not installed."""
    for folder in EXAMPLE_FOLDERS:
        if (folder / "demo.json").is_file():
            return folder / "demo.json"
    raise ConfigError(
        f"the demo's recordings are not at {EXAMPLE_FOLDERS[0]}; run it in a clone of the "
        "repository, or play your own recording: interplay talk FILE"
    )


def load_script(path: Path) -> Script:
    """Read a script and its sounds. Raises ConfigError or AudioError, one line."""
    known = {field.name for field in fields(Step)}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        max_s, entries = float(content["seconds"]), [dict(entry) for entry in content["steps"]]
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; give a script such as demo.json") from None
    except KeyError as error:
        raise ConfigError(f"{path} has no {error}; see examples/demo.json") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is not a script ({error}); see examples/demo.json") from None
    steps = []
    for entry in entries:
        unknown, missing = set(entry) - known, {"after", "seconds"} - set(entry)
        if unknown or missing:
            wrong = f"unknown {min(unknown)!r}" if unknown else f"no {min(missing)!r}"
            raise ConfigError(f"{path}: a step has {wrong}; its keys are {', '.join(known)}")
        steps.append(Step(**entry))
    names = {step.play for step in steps if step.play}
    sounds = {name: read_audio(path.parent / "audio" / f"{name}.flac").samples for name in names}
    return Script(steps=tuple(steps), sounds=sounds, max_s=max_s)


def noise_floor(num_turns: int, seed: int = 0) -> np.ndarray:
    """What a microphone delivers when nobody speaks: float32 [num_turns * 3200]."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(num_turns * SAMPLES_PER_TURN).astype(np.float32)
    return noise * np.float32(10 ** (FLOOR_DB / 20))


def to_turn(track: np.ndarray, turn: int) -> np.ndarray:
    """Micro-turn `turn` of a track, within full scale: float32 [3200]."""
    start = turn * SAMPLES_PER_TURN
    return np.clip(track[start : start + SAMPLES_PER_TURN], -1.0, 1.0)


class VoiceWatch:
    """When the model's voice was on, from its output halves: what a listener would notice."""

    def __init__(self) -> None:
        self.known_s = TURN_S  # nothing sounds during the first micro-turn
        self._slots: list[float] = []  # starts of the slots with voice

    def add(self, out: OutputHalf) -> None:
        """The output half that sounds next."""
        on = np.flatnonzero(out.voice_on)
        self._slots += [self.known_s + SLOT_S * int(slot) for slot in on]
        self.known_s += TURN_S

    def first_after(self, time_s: float) -> float | None:
        """When the voice is first on from `time_s` on."""
        return next((slot for slot in self._slots if slot >= time_s - 1e-9), None)

    def last_end(self) -> float:
        """When it was last heard; 0 before it ever was."""
        return self._slots[-1] + SLOT_S if self._slots else 0.0


class RecordedUser:
    """Input halves of one recording (float32 [T], 16 kHz), then quiet so that the answer can come.

    The quiet ends when the model has been silent for `QUIET_S`, at the latest after `MAX_QUIET_S`.
    """

    film = ()  # no camera

    def __init__(self, samples: np.ndarray, seed: int = 0) -> None:
        self._length_s = len(samples) / SAMPLE_RATE_HZ
        self._num_turns = math.ceil((self._length_s + MAX_QUIET_S) / TURN_S)
        self._track = noise_floor(self._num_turns, seed)
        self._track[: len(samples)] += samples
        self._voice = VoiceWatch()

    def input(self, turn: int) -> InputHalf | None:
        """Micro-turn `turn`; None when the talk is over."""
        quiet_since_s = max(self._length_s, self._voice.last_end())
        if turn >= self._num_turns or turn * TURN_S > quiet_since_s + QUIET_S:
            return None
        return InputHalf(hear=to_turn(self._track, turn))

    def watch(self, out: OutputHalf) -> None:
        self._voice.add(out)


class ScriptedUser:
    """Input halves of a script; `watch` is told what the model emits.

    encode: a typed text to the tokens that arrive on `read`.
    """

    film = ()  # no camera

    def __init__(self, script: Script, encode: Callable[[str], list[int]], seed: int = 0) -> None:
        num_turns = round(script.max_s / TURN_S)
        self._track = noise_floor(num_turns, seed)
        self._sounds = script.sounds
        self._steps = deque(script.steps)
        self._encode = encode
        self._voice = VoiceWatch()
        self._num_turns = num_turns
        self._previous_s = 0.0  # end of the previous step
        self._read: deque[int] = deque()

    def input(self, turn: int) -> InputHalf | None:
        """What the user does in micro-turn `turn`; None when the talk is over."""
        if turn >= self._num_turns or self._is_over(turn):
            return None
        while self._steps and (moment_s := self._moment(self._steps[0], turn)) is not None:
            self._start(self._steps.popleft(), moment_s)
        read = tuple(self._read.popleft() for _ in range(min(NUM_SLOTS, len(self._read))))
        return InputHalf(hear=to_turn(self._track, turn), read=read)

    def watch(self, out: OutputHalf) -> None:
        """What the model emitted in the newest micro-turn."""
        self._voice.add(out)

    def _is_over(self, turn: int) -> bool:
        quiet_since_s = max(self._previous_s, self._voice.last_end())
        return not self._steps and turn * TURN_S > quiet_since_s + QUIET_S

    def _moment(self, step: Step, turn: int) -> float | None:
        """When the step begins, if that lies before the end of this micro-turn."""
        now_s = turn * TURN_S
        moment_s = self._anchor(step)
        if moment_s is not None:
            moment_s += step.seconds
        if step.after in ("speaks", "stops"):
            latest_s = self._previous_s + step.at_most
            moment_s = latest_s if moment_s is None else min(moment_s, latest_s)
        if moment_s is None or moment_s >= now_s + TURN_S - 1e-9:
            return None
        return max(moment_s, now_s)

    def _anchor(self, step: Step) -> float | None:
        if step.after == "start":
            return 0.0
        if step.after == "previous":
            return self._previous_s
        spoke_s = self._voice.first_after(self._previous_s)
        if step.after == "speaks" or spoke_s is None:
            return spoke_s
        # as far as is known the voice may still be on: the wait begins again with each sound
        return self._voice.last_end()

    def _start(self, step: Step, moment_s: float) -> None:
        if step.read:
            self._read.extend(ids := self._encode(step.read))
            self._previous_s = moment_s + -(-len(ids) // NUM_SLOTS) * TURN_S
            return
        sound = self._sounds[step.play]
        start = round(moment_s * SAMPLE_RATE_HZ)
        room = self._track[start : start + len(sound)]
        room += sound[: len(room)]
        self._previous_s = moment_s + len(sound) / SAMPLE_RATE_HZ
