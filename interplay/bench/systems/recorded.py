"""Stored runs as systems: they sound as what was stored did, whoever made it.

Either official data holds both sides (`interplay bench tau --data FOLDER --endpoint recorded`), or
a folder holds what some system said to each item (`--endpoint recorded:FOLDER`). Scores, intervals
and baselines are made as for every other system. Knows nothing of suites.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from interplay.bench.playing.stage import Emission, Stage
from interplay.bench.traces.item_json import file_stem
from interplay.bench.traces.trace import SLOT_S
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN
from interplay.errors import ConfigError, RecordError
from interplay.media.audio import read_audio

AGENT = "agent"  # of `Item.about`: whether the agent speaks, for each micro-turn
NAME = "recorded"
NO_WORDS = '{"chunks": []}'
_TONE = np.float32(0.1) * np.sin(
    2 * np.pi * 440 * np.arange(SAMPLES_PER_TURN, dtype=np.float32) / SAMPLE_RATE_HZ
)


class Recorded:
    """A `System` (bench.playing.logical_clock). Nothing can sound in the first micro-turn of an
    item."""

    name = NAME
    num_seats = 4  # calls last minutes

    def open(self, stage: Stage) -> None:
        """Raises ConfigError for an item that was not stored with an agent."""
        if AGENT not in stage.item.about:
            raise ConfigError(
                f"the endpoint {NAME} gives back stored runs alone; use it with a suite that reads "
                "them, as in `interplay bench tau --data FOLDER --endpoint recorded`; for what a "
                "system has said to timespeak or cuespeak it is recorded:FOLDER"
            )

    def close(self, stage: Stage) -> None:
        pass

    def encode(self, control: str, text: str) -> list:
        return []

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        return [self._step(stage) for stage in stages]

    @staticmethod
    def _step(stage: Stage) -> Emission:
        speaks = stage.item.about[AGENT][stage.turn + 1 : stage.turn + 2]
        return Emission(voice=_TONE.copy()) if any(speaks) else Emission()


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a system said to one item. sound: its channel on the clock of the item. pieces: of each
    slot of 50 ms in which words begin, these words."""

    sound: Float32[np.ndarray, " T"]
    pieces: dict[int, str]


class Recordings:
    """A `System` (bench.playing.logical_clock): FOLDER/NAME.wav is what was said to the item of
    that name (as `interplay bench export` names it), NAME.json its words, {"chunks": [{"text",
    "timestamp": [start, end]}]} in seconds. Nothing can sound in the first micro-turn of an item.
    Raises ConfigError where there is no folder."""

    name = NAME
    num_seats = 8

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"{NAME}:{folder}: there is no such folder; give one of recordings")
        self._folder = folder
        self._said: dict[int, Said] = {}

    def open(self, stage: Stage) -> None:
        """Raises RecordError or AudioError where the item has no recording, or a broken one."""
        self._said[id(stage)] = read_said(self._folder / f"{file_stem(stage.item)}.wav")

    def close(self, stage: Stage) -> None:
        self._said.pop(id(stage), None)

    def encode(self, control: str, text: str) -> list:
        return []

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        return [self._step(self._said[id(stage)], stage.turn + 1) for stage in stages]

    @staticmethod
    def _step(said: Said, turn: int) -> Emission:
        """What sounds, and begins to be said, in a micro-turn."""
        voice = np.zeros(SAMPLES_PER_TURN, np.float32)
        part = said.sound[turn * SAMPLES_PER_TURN :][:SAMPLES_PER_TURN]
        voice[: len(part)] = part
        slots = range(turn * NUM_SLOTS, (turn + 1) * NUM_SLOTS)
        return Emission(say=tuple(said.pieces.get(slot, "") for slot in slots), voice=voice)


def read_said(path: Path) -> Said:
    """A recording and its words. Raises RecordError or AudioError, one line, where either is
    missing or not readable."""
    words = path.with_suffix(".json")
    for file, what in ((path, "what the system said"), (words, "its words")):
        if not file.is_file():
            raise RecordError(
                f"{file.parent} lacks {file.name}, {what}; every item needs NAME.wav and NAME.json "
                f"({NO_WORDS} if it said nothing, or where --recogniser is to find the words)"
            )
    pieces: dict[int, str] = {}
    try:
        for chunk in json.loads(words.read_text(encoding="utf-8"))["chunks"]:
            slot = int(float(chunk["timestamp"][0]) / SLOT_S + 1e-6)
            pieces[slot] = f"{pieces.get(slot, '')} {chunk['text'].strip()}"
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise RecordError(
            f"{words} does not hold words ({error!r}); it should be "
            '{"chunks": [{"text": "tea", "timestamp": [5.0, 5.3]}]}'
        ) from error
    return Said(sound=np.asarray(read_audio(path).samples, np.float32), pieces=pieces)
