"""Films in which something changes at known moments: a shape, a counter, a door, a lamp.

Knows nothing of the questions that are asked about them or of scores.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from interplay.data.scenes.canvas import COLOURS, SHAPES, Canvas, Colour, Point, film

KINDS = ("shape", "counter", "door", "lamp")
SHADES = ("red", "green", "blue")
STAY_S = 2.2  # a shape or a light goes again after this
GAP_S = (2.8, 4.2)  # between two changes


@dataclass(frozen=True, kw_only=True)
class Change:
    """At `time_s` of the film: `what` is a shape, the counter's digit, "open" or "closed", or a
    colour of the lamp; `colour` and `place` are those of a shape."""

    time_s: float
    what: str
    colour: str = ""
    place: Point = (80.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class Events:
    """kind: one of KINDS. first: what the counter or the door shows before the first change."""

    kind: str
    first: str
    changes: tuple[Change, ...]
    length_s: float
    seed: int
    background: Colour

    def __call__(self) -> Iterator[UInt8[np.ndarray, "120 160 3"]]:
        """The frames, five per second."""
        return film(self.length_s, self.background, self.seed, self._draw)

    def shown(self, time_s: float) -> Change | None:
        """The change that is to be seen at a moment; a counter or door keeps its last one."""
        past = [change for change in self.changes if change.time_s <= time_s]
        if not past:
            return None
        passes = self.kind in ("shape", "lamp") and time_s >= past[-1].time_s + STAY_S
        return None if passes else past[-1]

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        change = self.shown(time_s)
        what = change.what if change else self.first
        if self.kind == "shape":
            if change:
                canvas.shape(what, change.place, 38, COLOURS[change.colour])
        elif self.kind == "counter":
            canvas.box((80, 60), 60, 90, COLOURS["white"])
            canvas.digit(int(what), (80, 60), 64, COLOURS["black"])
        elif self.kind == "door":
            canvas.box((80, 68), 56, 96, COLOURS["black"])
            shut = what == "closed"
            canvas.box((80, 68) if shut else (56, 68), 52 if shut else 10, 92, (150, 100, 60))
        else:
            canvas.box((80, 60), 36, 106, (70, 70, 75))
            for place, name in enumerate(("red", "yellow", "green")):
                lit = COLOURS[name] if what == name else (40, 40, 42)
                canvas.disc((80, 28 + 32 * place), 13, lit)


def draw_events(kind: str, rng: np.random.Generator, seed: int, num_changes: int) -> Events:
    """A film with so many changes, each unlike the one before it."""
    first = {"counter": str(rng.integers(10)), "door": str(rng.choice(["open", "closed"]))}
    changes, before, time_s = [], first.get(kind, ""), float(rng.uniform(1.0, 2.5))
    for _ in range(num_changes):
        what = str(rng.choice([choice for choice in choices(kind) if choice != before]))
        place = (float(rng.uniform(30, 130)), float(rng.uniform(30, 90)))
        colour = str(rng.choice(SHADES)) if kind == "shape" else ""
        changes.append(Change(time_s=round(time_s, 3), what=what, colour=colour, place=place))
        before, time_s = what, time_s + float(rng.uniform(*GAP_S))
    red, green, blue = (int(value) for value in rng.integers(160, 225, 3))
    return Events(
        kind=kind,
        first=first.get(kind, ""),
        changes=tuple(changes),
        length_s=math.ceil(5 * (changes[-1].time_s + 2.6)) / 5,
        seed=seed,
        background=(red, green, blue),
    )


def choices(kind: str) -> tuple[str, ...]:
    """What a change of that kind may lead to."""
    return {
        "shape": SHAPES,
        "counter": tuple("0123456789"),
        "door": ("open", "closed"),
        "lamp": ("red", "yellow", "green"),
    }[kind]
