"""What goes in and out of one micro-turn, and a whole session as arrays. Knows nothing of models.

Shapes use N micro-turns, P tiles per frame pair, S sub-frames per slot (`subframes`), 4 slots.
"""

from dataclasses import dataclass, fields

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN

NUM_MELS = 80
TILE_PX = 40
NUM_TILES = 12  # 160x120 pixels -> 4x3 tiles
SEE_SHAPE = (NUM_TILES, 2, TILE_PX, TILE_PX, 3)  # what a camera sees in a micro-turn
PAD = 0  # the empty token of every text stream


@dataclass(frozen=True, kw_only=True)
class InputHalf:
    """200 ms of what reaches the model.

    hear: float32 [3200], user audio at 16 kHz, full scale 1.
    read: up to 4 token ids of the `read` stream.
    see: uint8 [12, 2, 40, 40, 3] tile pairs, or None while the camera is off.
    num_played: how many samples of the previous output half were really played (playback
        acknowledgement); None means all of them.
    """

    hear: np.ndarray
    read: tuple[int, ...] = ()
    see: np.ndarray | None = None
    num_played: int | None = None


@dataclass(frozen=True, kw_only=True)
class OutputHalf:
    """200 ms of what the model emits; it plays during the following micro-turn.

    heard, say, act: 4 token ids each. voice_on: bool [4], per slot.
    voice: float32 [3200] at 16 kHz, full scale 1.
    """

    heard: tuple[int, ...]
    say: tuple[int, ...]
    act: tuple[int, ...]
    voice_on: np.ndarray
    voice: np.ndarray

    @staticmethod
    def silent() -> "OutputHalf":
        empty = (PAD,) * NUM_SLOTS
        return OutputHalf(
            heard=empty,
            say=empty,
            act=empty,
            voice_on=np.zeros(NUM_SLOTS, bool),
            voice=np.zeros(SAMPLES_PER_TURN, np.float32),
        )


@dataclass(kw_only=True)
class Streams:
    """N micro-turns of every stream, as the model reads and predicts them.

    hear: uint8 [N, 4, S, 80] dMel bins of the user's audio.
    read, heard, say, act: int32 [N, 4] token ids, PAD where empty.
    voice: float32 [N, 4, S, 80] log10 mel of the model's own audio (played), 0 where off.
    voice_on: bool [N, 4].
    see: uint8 [N, 12, 2, 40, 40, 3] or None (camera off for the whole session).
    see_on: bool [N], micro-turns with the camera on; `see` of the others is not looked at. None:
        the camera is on all the time, or never.
    first_turn: index of the first micro-turn on the session's phase clock.
    """

    hear: np.ndarray
    read: np.ndarray
    heard: np.ndarray
    say: np.ndarray
    act: np.ndarray
    voice: np.ndarray
    voice_on: np.ndarray
    see: np.ndarray | None = None
    see_on: np.ndarray | None = None
    first_turn: int = 0

    @property
    def camera(self) -> np.ndarray:
        """bool [N]: whether the camera is on."""
        if self.see is not None and self.see_on is not None:
            return self.see_on
        return np.full(len(self), self.see is not None)

    def __len__(self) -> int:
        return len(self.hear)

    @property
    def subframes(self) -> int:
        return self.hear.shape[2]

    def cut(self, start: int, stop: int) -> "Streams":
        """Micro-turns [start, stop), as a view; the phase clock goes on counting."""
        parts = {
            f.name: getattr(self, f.name)[start:stop]
            for f in fields(self)
            if f.name != "first_turn" and getattr(self, f.name) is not None
        }
        return Streams(**parts, first_turn=self.first_turn + start)

    @staticmethod
    def empty(num_turns: int, *, subframes: int, first_turn: int = 0) -> "Streams":
        """A silent session to write into."""
        text = {
            name: np.zeros((num_turns, NUM_SLOTS), np.int32)
            for name in ("read", "heard", "say", "act")
        }
        frames = (num_turns, NUM_SLOTS, subframes, NUM_MELS)
        return Streams(
            hear=np.zeros(frames, np.uint8),
            voice=np.zeros(frames, np.float32),
            voice_on=np.zeros((num_turns, NUM_SLOTS), bool),
            first_turn=first_turn,
            **text,
        )
