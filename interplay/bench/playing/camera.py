"""The user's camera while an item is played: which picture is on in which micro-turn.

Pictures are drawn or decoded one by one, and only when somebody looks. Knows nothing of what they
show or of who looks.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from interplay.clock import TURN_S
from interplay.data.item import Show
from interplay.errors import VideoError
from interplay.media.video import fit_frame, tile_pairs

Frame = UInt8[np.ndarray, "120 160 3"]


@dataclass(eq=False)
class _Film:
    """A `Show` that has begun. turns: those in which it is on."""

    cue: Show
    turns: range
    source: Iterator[np.ndarray] | None = None
    num_drawn: int = 0
    before: Frame | None = None
    now: Frame | None = None

    def wind(self, index: int) -> None:
        """Draw on to frame `index`; the last one stays where the source ends too soon."""
        if self.source is None:
            self.source = iter(self.cue.frames())
        while self.num_drawn <= index:
            frame = next(self.source, self.now)
            if frame is None:
                raise VideoError(f"a film of {self.cue.length_s:g} s has no frames; give it some")
            self.before, self.now = self.now, fit_frame(frame)
            self.num_drawn += 1


def num_turns(length_s: float) -> int:
    """Micro-turns in which a film is on: those that begin before its end."""
    return math.ceil(length_s / TURN_S - 1e-6)


class Camera:
    """Films in the order in which they begin; a later one takes the place of an earlier one."""

    def __init__(self) -> None:
        self._films: list[_Film] = []

    def show(self, cue: Show, first_turn: int) -> None:
        """Switch the camera on for a cue, from a micro-turn on."""
        self._films.append(_Film(cue, range(first_turn, first_turn + num_turns(cue.length_s))))

    def frame(self, turn: int) -> Frame | None:
        """The picture in a micro-turn, None while the camera is off. Time only goes forward.

        Raises VideoError for a film without frames or for what are no frames.
        """
        film = self._film(turn)
        return None if film is None else film.now

    def tiles(self, turn: int) -> UInt8[np.ndarray, "12 2 40 40 3"] | None:
        """The same with the picture before it, as a model sees it (media.video.tile_pairs)."""
        film = self._film(turn)
        if film is None:
            return None
        assert film.now is not None
        return tile_pairs(film.before, film.now)

    def _film(self, turn: int) -> _Film | None:
        film = next((film for film in reversed(self._films) if turn in film.turns), None)
        if film is not None:
            film.wind(turn - film.turns.start)
        return film
