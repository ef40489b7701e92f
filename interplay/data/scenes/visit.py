"""Films in which somebody comes into the picture or leaves it, or a cat or a ball does.

Knows nothing of what is said about it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from interplay.data.scenes.canvas import COLOURS, Canvas, Colour, Lens, shade
from interplay.data.scenes.film import WHOLE, Camera, Take, film
from interplay.data.scenes.person import SIZE_PX, Looks, Person
from interplay.data.scenes.pose import STANDING, walk
from interplay.data.scenes.room import GROUND, Room

KINDS = ("person", "cat", "ball")
MOST_PEOPLE = 3  # that are counted
SPEED_PX = {"person": (24.0, 48.0), "cat": (25.0, 55.0), "ball": (40.0, 80.0)}  # per second
FUR: tuple[Colour, ...] = ((40, 38, 40), (150, 150, 150), (205, 130, 60), (235, 230, 220))


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """kind: one of KINDS. enters_s: when the middle of the body is on the border `edge_x` (in
    pixels of the scene), on the way to `stop_x`; leaves_s: when it is there again on the way out,
    None if it stays. Who enters before the film is there from the beginning."""

    kind: str
    person: Person
    colour: Colour
    edge_x: float
    stop_x: float
    speed_px: float
    enters_s: float
    leaves_s: float | None

    def x(self, time_s: float) -> tuple[float, float]:
        """Where the body is at a moment, and which way it moves: -1, 0 or 1."""
        inwards = math.copysign(1.0, self.stop_x - self.edge_x)
        way = abs(self.stop_x - self.edge_x)
        gone = min(way, self.speed_px * (time_s - self.enters_s))
        heading = inwards if gone < way else 0.0
        if self.leaves_s is not None and time_s > self.leaves_s - way / self.speed_px:
            gone, heading = self.speed_px * (self.leaves_s - time_s), -inwards
        return self.edge_x + inwards * gone, heading

    def is_in(self, time_s: float) -> bool:
        """Whether the middle of the body is in the picture."""
        return self.enters_s <= time_s and (self.leaves_s is None or time_s < self.leaves_s)

    def draw(self, canvas: Canvas, time_s: float) -> None:
        x, heading = self.x(time_s)
        ground = self.person.foot[1]
        if self.kind == "ball":
            radius = self.person.height * 0.11
            canvas.disc((x, ground - radius), radius, self.colour)
            angle = x / radius
            spot = (
                x + 0.5 * radius * math.cos(angle),
                ground - radius * (1 - 0.5 * math.sin(angle)),
            )
            canvas.disc(spot, radius * 0.3, shade(self.colour, 1.5))
        elif self.kind == "cat":
            draw_cat(canvas, (x, ground), self.person.height * 0.3, heading, time_s, self.colour)
        else:
            self._draw_person(canvas, x, heading, time_s)

    def _draw_person(self, canvas: Canvas, x: float, heading: float, time_s: float) -> None:
        person, pose = replace(self.person, foot=(x, self.person.foot[1])), STANDING
        if heading:
            pose = walk(self.speed_px * time_s / (0.12 * person.height))
        if heading < 0:
            left, lens = canvas.lens, canvas.lens
            canvas.lens = mirrored(lens, x)
            person.draw(canvas, pose)
            canvas.lens = left
        else:
            person.draw(canvas, pose)


def mirrored(lens: Lens, x: float) -> Lens:
    """What stands at `x` faces the other way and stays where it is."""
    sign = -1 if lens.is_mirrored else 1
    shift = 2 * sign * (x - lens.centre[0]) * lens.zoom
    pan = (
        lens.pan[0] + shift * math.cos(lens.roll),
        lens.pan[1] + shift * math.sin(lens.roll),
    )
    return replace(lens, is_mirrored=not lens.is_mirrored, pan=pan)


def draw_cat(
    canvas: Canvas,
    foot: tuple[float, float],
    size: float,
    heading: float,
    time_s: float,
    fur: Colour,
) -> None:
    """`size` pixels high, sitting where it does not move."""
    x, ground = foot
    ahead = heading or 1.0
    if not heading:
        canvas.oval((x, ground - 0.35 * size), 0.6 * size, 0.75 * size, fur)
        head = (x, ground - 0.85 * size)
    else:
        for place in (-0.5, -0.35, 0.35, 0.5):
            swing = 0.18 * size * math.sin(9 * time_s + 20 * place)
            canvas.line(
                (x + place * size, ground - 0.4 * size),
                (x + place * size + swing, ground),
                2.2,
                fur,
            )
        canvas.line(
            (x - 0.45 * size, ground - 0.5 * size),
            (x + 0.45 * size, ground - 0.5 * size),
            0.4 * size,
            fur,
        )
        tail = (x - ahead * 0.95 * size, ground - 0.95 * size)
        canvas.line((x - ahead * 0.55 * size, ground - 0.55 * size), tail, 2.2, fur)
        head = (x + ahead * 0.7 * size, ground - 0.75 * size)
    canvas.disc(head, 0.25 * size, fur)
    for side in (-1, 1):
        ear = (head[0] + side * 0.15 * size, head[1] - 0.22 * size)
        canvas.triangle(ear, 0.2 * size, fur)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """visitors: in no order; who is there all the time, too."""

    visitors: tuple[Visitor, ...]
    length_s: float
    room: Room
    camera: Camera
    seed: int

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        wall = self.room.wall
        return film(
            self.length_s,
            wall,
            self.seed,
            self._draw,
            backdrop=self.room,
            camera=self.camera,
            take=take,
        )

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        for visitor in self.visitors:
            visitor.draw(canvas, time_s)

    def sight(self, time_s: float) -> dict[str, str]:
        """See data.scenes.sights."""
        people = sum(v.kind == "person" and v.is_in(time_s) for v in self.visitors)
        return {"people": str(min(MOST_PEOPLE, people))}

    def happenings(self) -> list[tuple[float, str]]:
        """See data.scenes.sights: of people alone."""
        came = [(time_s, "enters") for time_s in self.entries()]
        return came + [(time_s, "leaves") for time_s in self.exits()]

    def entries(self, kind: str = "person") -> list[float]:
        """When somebody of that kind comes in, in order."""
        return sorted(v.enters_s for v in self.visitors if v.kind == kind and v.enters_s >= 0)

    def exits(self, kind: str = "person") -> list[float]:
        """When somebody of that kind leaves, in order."""
        times = (v.leaves_s for v in self.visitors if v.kind == kind)
        return sorted(t for t in times if t is not None and t < self.length_s)


def draw_visitor(
    rng: np.random.Generator, kind: str, camera: Camera, enters_s: float, leaves_s: float | None
) -> Visitor:
    """Somebody from the left or the right."""
    left, right = camera.lens.edges()
    edge = left if rng.random() < 0.5 else right
    speed = float(rng.uniform(*SPEED_PX[kind]))
    stop = float(rng.uniform(0.25, 0.75)) * (right - left) + left
    if leaves_s is not None:  # who leaves soon comes less far
        most = 0.45 * speed * (leaves_s - enters_s)
        stop = edge + float(np.clip(stop - edge, -most, most))
    colours = FUR if kind == "cat" else [COLOURS[name] for name in ("red", "blue", "yellow")]
    person = Person(
        looks=Looks.draw(rng),
        foot=(0.0, GROUND + float(rng.uniform(-6, 3))),
        height=float(rng.uniform(*SIZE_PX)),
    )
    return Visitor(
        kind=kind,
        person=person,
        colour=colours[rng.integers(len(colours))],
        edge_x=edge,
        stop_x=stop,
        speed_px=speed,
        enters_s=enters_s,
        leaves_s=leaves_s,
    )


def draw_visit(
    rng: np.random.Generator,
    seed: int,
    *,
    kinds: tuple[str, ...],
    lead_s: float = 0.0,
    staying: int = 0,
) -> Visit:
    """Somebody of each of `kinds` comes in, one after the other, and mostly leaves again; so many
    people are `staying`: there before the film begins, and after it."""
    camera = Camera.draw(rng)
    visitors = [draw_visitor(rng, "person", camera, -60.0, None) for _ in range(staying)]
    time_s = lead_s + float(rng.uniform(1.0, 3.5))
    for kind in kinds:
        leaves_s = time_s + float(rng.uniform(2.2, 4.5)) if rng.random() < 0.75 else None
        entered_s = round(time_s, 3)
        leaves_s = None if leaves_s is None else round(leaves_s, 3)
        visitors.append(draw_visitor(rng, kind, camera, entered_s, leaves_s))
        time_s = (leaves_s or time_s + 1.0) + float(rng.uniform(1.0, 2.5))
    return Visit(
        visitors=tuple(visitors),
        length_s=math.ceil(5 * (time_s + 0.5)) / 5,
        room=Room.draw(rng),
        camera=camera,
        seed=seed,
    )
