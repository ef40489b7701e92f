"""Films in which something changes at known moments: a shape, a counter, a door, a lamp, a gauge,
the light of the room.

Knows nothing of the questions that are asked about them or of scores.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interplay.data.scenes.canvas import COLOURS, SHAPES, Canvas, Point
from interplay.data.scenes.film import WHOLE, Camera, Take, film
from interplay.data.scenes.room import Room
from interplay.data.scenes.visit import Visitor, draw_visitor

KINDS = ("shape", "counter", "door", "lamp", "gauge", "light")
SHADES = ("red", "green", "blue")
STAY_S = 2.2  # a shape or a light goes again after this
GAP_S = (2.8, 4.2)  # between two changes
GAUGE = {"green": -1.3, "yellow": 0.0, "red": 1.3}  # where the needle points, radians from up
SWING_S = 0.5  # of the needle from one to the next
DARK = 0.22  # of the light, when it is off


@dataclass(frozen=True, kw_only=True)
class Change:
    """At `time_s` of the film: `what` is a shape, the counter's digit, "open" or "closed", a colour
    of the lamp or of the gauge, or the room's light "on" or "off"; `colour` and `place` are those
    of a shape."""

    time_s: float
    what: str
    colour: str = ""
    place: Point = (80.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class Events:
    """kind: one of KINDS. first: what is to be seen before the first change, "" for nothing.
    passer: somebody who walks through the picture and changes nothing."""

    kind: str
    first: str
    changes: tuple[Change, ...]
    length_s: float
    seed: int
    room: Room
    camera: Camera
    passer: Visitor | None = None

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        return film(
            self.length_s,
            self.room.wall,
            self.seed,
            self._draw,
            backdrop=self.room,
            camera=self.camera,
            light=self._light if self.kind == "light" else None,
            take=take,
        )

    def _light(self, time_s: float) -> float:
        change = self.shown(time_s)
        return 1.0 if (change.what if change else self.first) == "on" else DARK

    def shown(self, time_s: float) -> Change | None:
        """The change that is to be seen at a moment; a counter or door keeps its last one."""
        past = [change for change in self.changes if change.time_s <= time_s]
        if not past:
            return None
        passes = self.kind in ("shape", "lamp") and time_s >= past[-1].time_s + STAY_S
        return None if passes else past[-1]

    def sight(self, time_s: float) -> dict[str, str]:
        """See data.scenes.sights."""
        change = self.shown(time_s)
        what = change.what if change else self.first
        people = int(self.passer is not None and self.passer.is_in(time_s))
        seen = {"people": str(people), "state": f"{self.kind} {what}".strip()}
        return {**seen, "colour": change.colour} if change and change.colour else seen

    def happenings(self) -> list[tuple[float, str]]:
        """See data.scenes.sights."""
        return [(change.time_s, "changes") for change in self.changes]

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        if self.passer:
            self.passer.draw(canvas, time_s)
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
        elif self.kind == "lamp":
            canvas.box((80, 60), 36, 106, (70, 70, 75))
            for place, name in enumerate(("red", "yellow", "green")):
                lit = COLOURS[name] if what == name else (40, 40, 42)
                canvas.disc((80, 28 + 32 * place), 13, lit)
        elif self.kind == "gauge":
            _draw_gauge(canvas, self._angle(time_s))

    def _angle(self, time_s: float) -> float:
        """Of the gauge's needle: it takes SWING_S to go where it is going, and trembles."""
        angle = GAUGE[self.first]
        for change in self.changes:
            share = min(1.0, max(0.0, 0.5 + (time_s - change.time_s) / SWING_S))
            angle += share * (GAUGE[change.what] - angle)
        return angle + 0.04 * math.sin(11 * time_s)


def _draw_gauge(canvas: Canvas, angle: float) -> None:
    """A dial with three stretches and a needle at `angle` (0 is up, clockwise)."""
    centre = (80.0, 62.0)
    canvas.disc(centre, 46, (50, 52, 58))
    canvas.disc(centre, 42, (235, 235, 228))
    for name, middle in GAUGE.items():
        rim = [middle - 0.62 + 0.31 * k for k in range(5)]
        points = [_on_dial(centre, a, r) for r, line in ((39, rim), (29, rim[::-1])) for a in line]
        canvas.polygon(points, COLOURS[name])
    canvas.line(centre, _on_dial(centre, angle, 36), 3.5, COLOURS["black"])
    canvas.disc(centre, 5, COLOURS["black"])


def _on_dial(centre: Point, angle: float, radius: float) -> Point:
    return centre[0] + radius * math.sin(angle), centre[1] - radius * math.cos(angle)


def draw_events(
    kind: str, rng: np.random.Generator, seed: int, num_changes: int, *, lead_s: float = 0.0
) -> Events:
    """A film with so many changes, each unlike the one before it; somebody passes now and then."""
    first = "" if kind in ("shape", "lamp") else str(rng.choice(choices(kind)))
    changes, before, time_s = [], first, lead_s + float(rng.uniform(1.0, 2.5))
    for _ in range(num_changes):
        what = str(rng.choice([choice for choice in choices(kind) if choice != before]))
        place = (float(rng.uniform(30, 130)), float(rng.uniform(30, 90)))
        colour = str(rng.choice(SHADES)) if kind == "shape" else ""
        changes.append(Change(time_s=round(time_s, 3), what=what, colour=colour, place=place))
        before, time_s = what, time_s + float(rng.uniform(*GAP_S))
    length_s = math.ceil(5 * (time_s - 0.5)) / 5
    camera, passer = Camera.draw(rng, mirror=False), None
    if kind != "shape" and rng.random() < 0.25:
        enters_s = float(rng.uniform(0, length_s - 2))
        passer = draw_visitor(rng, "person", camera, enters_s, enters_s + 3)
    return Events(
        kind=kind,
        first=first,
        changes=tuple(changes),
        length_s=length_s,
        seed=seed,
        room=Room.draw(rng),
        camera=camera,
        passer=passer,
    )


def choices(kind: str) -> tuple[str, ...]:
    """What a change of that kind may lead to."""
    return {
        "shape": SHAPES,
        "counter": tuple("0123456789"),
        "door": ("open", "closed"),
        "lamp": ("red", "yellow", "green"),
        "gauge": ("green", "yellow", "red"),
        "light": ("on", "off"),
    }[kind]
