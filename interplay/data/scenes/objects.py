"""Films of things that lie on a table and can be counted. Knows nothing of questions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interplay.data.scenes.canvas import Canvas, Colour, Point, shade
from interplay.data.scenes.film import WHOLE, Camera, Take, film
from interplay.data.scenes.room import Room

KINDS = {"ball": "balls", "cup": "cups", "box": "boxes", "bottle": "bottles", "book": "books"}
MOST = 5  # of one kind
PLACES = 9  # on the table, in two rows
PAINTS: tuple[Colour, ...] = (
    *((205, 45, 40), (50, 160, 70), (50, 85, 205), (230, 205, 50)),
    *((240, 240, 240), (150, 80, 170), (235, 130, 40), (60, 60, 66)),
)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """kind: one of KINDS, standing at `foot`, `size` pixels high."""

    kind: str
    foot: Point
    size: float
    colour: Colour

    def draw(self, canvas: Canvas) -> None:
        (x, y), size, colour, dark = self.foot, self.size, self.colour, shade(self.colour, 0.7)
        if self.kind == "ball":
            canvas.disc((x, y - size / 2), size / 2, colour)
            canvas.disc((x - size / 6, y - size / 1.5), size / 7, shade(colour, 1.5))
        elif self.kind == "cup":
            canvas.disc((x + 0.42 * size, y - 0.5 * size), 0.24 * size, dark)
            canvas.box((x, y - 0.45 * size), 0.75 * size, 0.9 * size, colour)
            canvas.oval((x, y - 0.9 * size), 0.75 * size, 0.26 * size, dark)
        elif self.kind == "box":
            canvas.box((x, y - 0.5 * size), size, size, colour)
            canvas.box((x, y - 0.5 * size), 0.18 * size, size, dark)
        elif self.kind == "bottle":
            canvas.box((x, y - 0.5 * size), 0.5 * size, size, colour)
            canvas.box((x, y - 1.2 * size), 0.2 * size, 0.5 * size, dark)
        else:
            canvas.box((x, y - 0.18 * size), 1.1 * size, 0.36 * size, colour)
            canvas.box((x, y - 0.14 * size), 1.1 * size, 0.12 * size, (235, 230, 215))


@dataclass(frozen=True, kw_only=True)
class Objects:
    """things: from the back to the front."""

    things: tuple[Thing, ...]
    length_s: float
    room: Room
    camera: Camera
    table: Colour
    seed: int

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        return film(
            self.length_s,
            self.room.wall,
            self.seed,
            lambda canvas, time_s: None,
            backdrop=self._backdrop,
            camera=self.camera,
            take=take,
        )

    def count(self, kind: str) -> int:
        return sum(thing.kind == kind for thing in self.things)

    def sight(self, time_s: float) -> dict[str, str]:
        """See data.scenes.sights: the same at every moment."""
        return {"people": "0", **{kind: str(min(MOST, self.count(kind))) for kind in KINDS}}

    def happenings(self) -> list[tuple[float, str]]:
        """See data.scenes.sights: nothing does."""
        return []

    def _backdrop(self, canvas: Canvas) -> None:
        self.room(canvas)
        canvas.polygon([(2, 66), (158, 66), (176, 122), (-16, 122)], self.table)
        canvas.box((80, 66), 158, 2, shade(self.table, 1.2))
        for thing in self.things:
            canvas.part = thing.kind
            thing.draw(canvas)


def draw_objects(rng: np.random.Generator, seed: int, kind: str, length_s: float) -> Objects:
    """0 to MOST things of `kind` and up to three of other kinds."""
    others = [name for name in KINDS if name != kind]
    kinds = [kind] * int(rng.integers(0, MOST + 1))
    kinds += [str(rng.choice(others)) for _ in range(int(rng.integers(0, 4)))]
    places = np.sort(rng.permutation(PLACES)[: len(kinds)])
    rng.shuffle(kinds)
    things = []
    for name, place in zip(kinds, places, strict=True):
        row, column = (0, place) if place < 5 else (1, place - 5 + 0.5)
        foot = (
            24 + 28 * float(column) + float(rng.uniform(-4, 4)),
            80 + 27 * row + float(rng.uniform(-3, 3)),
        )
        paint = PAINTS[rng.integers(len(PAINTS))]
        things.append(Thing(kind=name, foot=foot, size=float(rng.uniform(12, 17)), colour=paint))
    grey = float(rng.uniform(70, 200))
    table = (int(grey), int(0.8 * grey), int(0.62 * grey))
    return Objects(
        things=tuple(things),
        length_s=math.ceil(5 * length_s) / 5,
        room=Room.draw(rng),
        camera=Camera.draw(rng),
        table=table,
        seed=seed,
    )
