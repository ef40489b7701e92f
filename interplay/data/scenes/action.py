"""Films of a person who does something from one moment to another and stands before and after.

Knows nothing of what is said about it or of scores.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from interplay.data.scenes.canvas import Canvas
from interplay.data.scenes.film import WHOLE, Take
from interplay.data.scenes.pose import EXERCISES, STANDING, Pose, sit_up
from interplay.data.scenes.setting import Setting

KINDS = {
    "wave": "arm waves",
    "squat": "squats",
    "jack": "star jumps",
    "sit": "a rest on the floor",
    "arms": "arm raises",
    "toe_touch": "toe touches",
    "knee_raise": "knee raises",
    "lunge": "lunges",
}
BEAT_S = 1.0  # of the movements that repeat


@dataclass(frozen=True, kw_only=True)
class Action:
    """kind: one of KINDS, done from start_s to end_s."""

    kind: str
    start_s: float
    end_s: float
    length_s: float
    setting: Setting

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        return self.setting.film(self.length_s, self._draw, take=take)

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        self.setting.person.draw(canvas, self.pose(time_s))

    def sight(self, time_s: float) -> dict[str, str]:
        """See data.scenes.sights."""
        is_on = self.start_s <= time_s < self.end_s
        people = 1 + self.setting.num_passing(time_s)
        return {"people": str(people), "doing": self.kind if is_on else ""}

    def happenings(self) -> list[tuple[float, str]]:
        """See data.scenes.sights."""
        return [(self.start_s, "starts"), (self.end_s, "stops")]

    def pose(self, time_s: float) -> Pose:
        """Standing, but between start and end."""
        if not self.start_s <= time_s < self.end_s:
            return STANDING
        beat = 0.5 - 0.5 * math.cos(2 * math.pi * (time_s - self.start_s) / BEAT_S)
        if self.kind == "wave":
            swing = 2.4 + 0.9 * beat
            return replace(STANDING, arms=(STANDING.arms[0], (2.2, swing)))
        if self.kind == "sit":
            return sit_up(1.0)
        exercise = "squat_front" if self.kind == "squat" else self.kind
        return EXERCISES[exercise](0.15 + 0.85 * beat)


def draw_action(
    rng: np.random.Generator, seed: int, *, kind: str | None = None, lead_s: float = 0.0
) -> Action:
    """3 to 7 s of action in a film of 6 to 14 s.

    kind: one of KINDS, None for any. lead_s: of standing before it all.
    """
    start_s = round(lead_s + float(rng.uniform(1.5, 4.0)), 3)
    end_s = round(start_s + float(rng.uniform(3.0, 7.0)), 3)
    return Action(
        kind=kind or str(rng.choice(list(KINDS))),
        start_s=start_s,
        end_s=end_s,
        length_s=math.ceil(5 * (end_s + float(rng.uniform(1.5, 3.0)))) / 5,
        setting=Setting.draw(rng, seed),
    )
