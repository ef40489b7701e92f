"""Films of a movement done a number of times: every repetition has an exact start and end.

Knows nothing of counting aloud or of scores.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from interplay.data.scenes.canvas import COLOURS, Canvas, Colour, draw_floor, film
from interplay.data.scenes.figure import Pose, draw_figure

KINDS = {
    "lift": "lifts of the square",
    "squat": "squats",
    "arms": "arm raises",
    "jack": "star jumps",
}  # and what to call them
COUNTS = (3, 15)
PERIODS_S = (0.8, 3.0)
FAST_S, SLOW_S = (0.95, 1.4), (2.4, 2.9)  # on average; who counts on every 2 s gains little
MAX_SLOW = 8  # more repetitions are fast ones: no film gets long


@dataclass(frozen=True, kw_only=True)
class Reps:
    """kind: one of KINDS. cycles: (start, end) of each repetition, seconds of film, in order.

    At a start and an end the body rests; half-way between them it is furthest from rest. seed: of
    the sensor's noise. x, size: where the body stands and how big it is, in pixels.
    """

    kind: str
    cycles: tuple[tuple[float, float], ...]
    length_s: float
    seed: int
    x: float
    size: float
    colour: Colour
    background: Colour

    def __call__(self) -> Iterator[UInt8[np.ndarray, "120 160 3"]]:
        """The frames, five per second."""
        return film(self.length_s, self.background, self.seed, self._draw)

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        draw_floor(canvas)
        self._body(canvas, self.reach(time_s))

    def reach(self, time_s: float) -> float:
        """How far from rest the body is: 0 at rest, 1 in the middle of a repetition."""
        for start, end in self.cycles:
            if start <= time_s < end:
                return 0.5 - 0.5 * math.cos(2 * math.pi * (time_s - start) / (end - start))
        return 0.0

    def _body(self, canvas: Canvas, reach: float) -> None:
        if self.kind == "lift":
            side = self.size * 0.4
            bottom = 110 - side / 2
            height = bottom - reach * (bottom - side / 2 - 6)
            canvas.box((self.x, height), side, side, self.colour)
            return
        raised = 0.25 + reach * (math.pi - 0.6)
        pose = {
            "squat": Pose(squat=reach, arms=(0.25 + reach, 0.25 + reach)),
            "arms": Pose(arms=(raised, raised)),
            "jack": Pose(arms=(raised, raised), spread=0.1 + 0.5 * reach, lift=0.06 * reach),
        }[self.kind]
        draw_figure(canvas, pose, (self.x, 110), self.size, self.colour)


def draw_reps(rng: np.random.Generator, seed: int) -> Reps:
    """3 to 15 repetitions of 0.8 to 3 s, unevenly long, with pauses between some of them."""
    count = int(rng.integers(COUNTS[0], COUNTS[1] + 1))
    slow = count <= MAX_SLOW and rng.random() < 0.5
    period_s = float(rng.uniform(*(SLOW_S if slow else FAST_S)))
    cycles, time_s = [], float(rng.uniform(0.6, 1.6))
    for _ in range(count):
        length_s = float(np.clip(period_s * rng.uniform(0.85, 1.15), *PERIODS_S))
        cycles.append((round(time_s, 3), round(time_s + length_s, 3)))
        time_s = cycles[-1][1] + (float(rng.uniform(0.3, 1.5)) if rng.random() < 0.15 else 0.0)
    return Reps(
        kind=str(rng.choice(list(KINDS))),
        cycles=tuple(cycles),
        length_s=math.ceil(5 * (cycles[-1][1] + 1.0)) / 5,
        seed=seed,
        x=float(rng.uniform(45, 115)),
        size=float(rng.uniform(62, 92)),
        colour=COLOURS[str(rng.choice(["red", "green", "blue", "black"]))],
        background=_pale(rng),
    )


def _pale(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(150, 235, 3))
    return red, green, blue
