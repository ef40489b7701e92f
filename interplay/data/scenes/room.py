"""Backdrops: where a scene takes place. Walls, floors, windows, furniture, gyms, gardens.

Drawn once per film. Knows nothing of people or time.
"""

from dataclasses import dataclass

import numpy as np

from interplay.data.scenes.canvas import Canvas, Colour, Point, shade
from interplay.media.video import HEIGHT_PX, WIDTH_PX

KINDS = ("plain", "room", "room", "gym", "garden", "workshop")
HORIZON = 84.0  # where wall and floor meet, in pixels from the top
GROUND = 108.0  # where people stand
_WIDE = 3 * WIDTH_PX  # beyond what any lens sees


@dataclass(frozen=True, kw_only=True)
class Room:
    """kind: one of KINDS. seed: of what stands where."""

    kind: str
    wall: Colour
    floor: Colour
    seed: int

    @staticmethod
    def draw(rng: np.random.Generator) -> "Room":
        return Room(
            kind=str(rng.choice(KINDS)),
            wall=_colour(rng, 70, 235),
            floor=_colour(rng, 50, 190),
            seed=int(rng.integers(2**31)),
        )

    def __call__(self, canvas: Canvas) -> None:
        """Wall, floor and things, onto an empty canvas."""
        rng = np.random.default_rng(self.seed)
        middle = WIDTH_PX / 2
        if self.kind == "garden":
            canvas.box((middle, 0), _WIDE, 2 * HORIZON, (150, 195, 235))
            canvas.box((middle, HORIZON + 60), _WIDE, 120, (95, 150, 70))
            for _ in range(int(rng.integers(2, 6))):
                _tree(canvas, (float(rng.uniform(-10, 170)), HORIZON + 3), rng)
            return
        canvas.box((middle, HORIZON + 80), _WIDE, 160, self.floor)
        canvas.box((middle, HORIZON), _WIDE, 3, shade(self.wall, 0.7))
        if self.kind == "plain":
            return
        if self.kind == "gym":
            canvas.box((middle, 52), _WIDE, 6, shade(self.wall, 0.75))
            for x in range(-20, 190, int(rng.integers(24, 50))):
                canvas.box((x, 50), 2, 68, shade(self.wall, 0.85))
            canvas.box((float(rng.uniform(60, 100)), GROUND), 110, 8, _colour(rng, 40, 200))
        if self.kind == "workshop":
            for y in (30.0, 48.0):
                canvas.box((middle, y), 150, 2, (90, 70, 50))
                for x in range(15, 150, 14):
                    canvas.box((x, y - 5), 6, float(rng.uniform(4, 10)), _colour(rng, 50, 200))
        places = [float(x) for x in rng.permutation([12.0, 40.0, 120.0, 148.0])]
        for x in places[: int(rng.integers(1, 4))]:
            _furniture(canvas, x, rng)


def _colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    grey = rng.uniform(low, high)
    red, green, blue = (int(np.clip(grey + rng.normal(0, 22), 0, 255)) for _ in range(3))
    return red, green, blue


def _tree(canvas: Canvas, foot: Point, rng: np.random.Generator) -> None:
    height = float(rng.uniform(20, 60))
    green = (int(rng.uniform(30, 90)), int(rng.uniform(90, 150)), int(rng.uniform(30, 80)))
    canvas.line(foot, (foot[0], foot[1] - height), height / 9, (95, 70, 50))
    for dx, dy in ((-0.18, 0.9), (0.18, 0.95), (0.0, 1.15)):
        canvas.disc((foot[0] + dx * height, foot[1] - dy * height), height * 0.28, green)


def _furniture(canvas: Canvas, x: float, rng: np.random.Generator) -> None:
    """A window, picture, shelf, lamp, plant or door at x."""
    kind = rng.choice(["window", "picture", "shelf", "lamp", "plant", "door"])
    dark, y = _colour(rng, 60, 140), float(rng.uniform(26, 40))
    if kind == "window":
        canvas.box((x, y), 30, 36, (235, 235, 230))
        canvas.box((x, y), 26, 32, (165, 200, 230))
        canvas.box((x, y), 2, 32, (235, 235, 230))
    elif kind == "picture":
        canvas.box((x, y), 24, 18, dark)
        canvas.box((x, y), 20, 14, _colour(rng, 80, 230))
        canvas.disc((x + 3, y), 4, _colour(rng, 80, 230))
    elif kind == "shelf":
        canvas.box((x, 62), 26, 46, dark)
        for row in (46, 60, 74):
            canvas.box((x, row), 22, 11, shade(dark, 0.6))
            for left in (-7, -1, 5):
                canvas.box((x + left, row + 2), 4, 8, _colour(rng, 60, 220))
    elif kind == "lamp":
        canvas.line((x, 30), (x, HORIZON + 10), 2, dark)
        canvas.polygon([(x - 5, 22), (x + 5, 22), (x + 9, 36), (x - 9, 36)], (245, 230, 170))
    elif kind == "plant":
        canvas.box((x, HORIZON + 4), 12, 12, (150, 90, 60))
        for angle in (-9, -4, 0, 4, 9):
            canvas.line((x, HORIZON), (x + angle, HORIZON - 18), 3, (60, 120, 60))
    else:
        canvas.box((x, 50), 28, 70, shade(dark, 1.3))
        canvas.disc((x + 9, 54), 1.6, (220, 200, 120))


assert HORIZON < GROUND < HEIGHT_PX
