"""Films of a person who does something from one moment to another and stands before and after.

Knows nothing of what is said about it or of scores.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from interplay.data.scenes.canvas import COLOURS, Canvas, Colour, draw_floor, film
from interplay.data.scenes.figure import Pose, draw_figure

KINDS = {"wave": "arm waves", "squat": "squats", "jack": "star jumps", "sit": "a rest on the floor"}
BEAT_S = 1.0  # of the movements that repeat


@dataclass(frozen=True, kw_only=True)
class Action:
    """kind: one of KINDS, done from start_s to end_s. seed: of the sensor's noise."""

    kind: str
    start_s: float
    end_s: float
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
        draw_figure(canvas, self.pose(time_s), (self.x, 110), self.size, self.colour)

    def pose(self, time_s: float) -> Pose:
        """Standing, but between start and end."""
        if not self.start_s <= time_s < self.end_s:
            return Pose()
        beat = 0.5 - 0.5 * math.cos(2 * math.pi * (time_s - self.start_s) / BEAT_S)
        raised = 0.25 + (math.pi - 0.6) * beat
        return {
            "wave": Pose(arms=(0.25, 2.2 + 0.8 * beat)),
            "squat": Pose(squat=0.15 + 0.85 * beat),
            "jack": Pose(arms=(raised, raised), spread=0.15 + 0.5 * beat, lift=0.06 * beat),
            "sit": Pose(squat=1.6, spread=0.5),
        }[self.kind]


def draw_action(rng: np.random.Generator, seed: int) -> Action:
    """3 to 7 s of action in a film of 6 to 14 s."""
    start_s = round(float(rng.uniform(1.5, 4.0)), 3)
    end_s = round(start_s + float(rng.uniform(3.0, 7.0)), 3)
    red, green, blue = (int(value) for value in rng.integers(150, 235, 3))
    return Action(
        kind=str(rng.choice(list(KINDS))),
        start_s=start_s,
        end_s=end_s,
        length_s=math.ceil(5 * (end_s + float(rng.uniform(1.5, 3.0)))) / 5,
        seed=seed,
        x=float(rng.uniform(50, 110)),
        size=float(rng.uniform(62, 92)),
        colour=COLOURS[str(rng.choice(["red", "green", "blue", "black"]))],
        background=(red, green, blue),
    )
