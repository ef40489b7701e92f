"""Films of a movement done a number of times: every repetition has an exact start and end.

Knows nothing of counting aloud or of scores.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interplay.data.scenes.canvas import COLOURS, Canvas, Colour, shade
from interplay.data.scenes.film import WHOLE, Take
from interplay.data.scenes.pose import BAR_HEIGHT, EXERCISES, WEIGHTS, Pose
from interplay.data.scenes.setting import Setting

KINDS = {
    "lift": "lifts of the square",
    "squat": "squats",
    "arms": "arm raises",
    "jack": "star jumps",
    "push_up": "push ups",
    "sit_up": "sit ups",
    "pull_up": "pull ups",
    "lunge": "lunges",
    "toe_touch": "toe touches",
    "knee_raise": "knee raises",
    "curl": "curls",
    "press": "presses",
}  # and what to call them
VIEWS = {"squat": ("squat", "squat_front")}  # exercises that are one kind, seen from two sides
COUNTS = (3, 15)
PERIODS_S = (0.8, 3.0)
FAST_S, SLOW_S = (0.95, 1.4), (2.4, 2.9)  # on average; who counts on every 2 s gains little
EVEN, UNEVEN = (0.85, 1.15), (0.6, 1.7)  # of that average
FEW_PAUSES, MANY_PAUSES = 0.15, 0.4  # shares of the repetitions that are followed by one
NUM_PHASES = 6  # that are told apart
MAX_SLOW = 8  # more repetitions are fast ones: no film gets long


@dataclass(frozen=True, kw_only=True)
class Reps:
    """kind: one of KINDS. exercise: one of EXERCISES, or "lift". cycles: (start, end) of each
    repetition, seconds of film, in order. colour: of the square that is lifted.

    At a start and an end the body rests; half-way between them it is furthest from rest.
    """

    kind: str
    exercise: str
    cycles: tuple[tuple[float, float], ...]
    length_s: float
    setting: Setting
    colour: Colour

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        return self.setting.film(self.length_s, self._draw, furniture=self._furniture, take=take)

    def reach(self, time_s: float) -> float:
        """How far from rest the body is: 0 at rest, 1 in the middle of a repetition."""
        for start, end in self.cycles:
            if start <= time_s < end:
                return 0.5 - 0.5 * math.cos(2 * math.pi * (time_s - start) / (end - start))
        return 0.0

    def pose(self, time_s: float) -> Pose:
        """Of the person; "lift" has none."""
        return EXERCISES[self.exercise](self.reach(time_s))

    def sight(self, time_s: float) -> dict[str, str]:
        """See data.scenes.sights. What is done is told while it is."""
        seen = {"people": str((self.kind != "lift") + self.setting.num_passing(time_s))}
        for start, end in self.cycles:
            if start <= time_s < end:
                phase = int(NUM_PHASES * (time_s - start) / (end - start))
                return {**seen, "doing": self.kind, "phase": str(phase)}
        return {**seen, "phase": "rest"}

    def happenings(self) -> list[tuple[float, str]]:
        """See data.scenes.sights."""
        return [(end, "repeats") for _, end in self.cycles]

    def _furniture(self, canvas: Canvas) -> None:
        if self.kind == "pull_up":
            draw_bar(canvas, self.setting)
        elif self.kind in ("push_up", "sit_up"):
            x, y = self.setting.person.foot
            canvas.box((x, y + 1), 1.3 * self.setting.person.height, 4, shade(self.colour, 0.8))

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        person = self.setting.person
        if self.kind == "lift":
            side = person.height * 0.4
            bottom = person.foot[1] - side / 2
            height = bottom - self.reach(time_s) * (bottom - side / 2 - 12)
            canvas.box((person.foot[0], height), side, side, self.colour)
        else:
            person.draw(canvas, self.pose(time_s), weights=self.exercise in WEIGHTS)


def draw_bar(canvas: Canvas, setting: Setting) -> None:
    """To hang from, above the person."""
    person = setting.person
    ends = [person.place((side * 0.62, BAR_HEIGHT)) for side in (-1, 1)]
    for end in ends:
        canvas.line(end, (end[0], person.foot[1]), 3, (70, 70, 78))
    canvas.line(ends[0], ends[1], 2.5, (90, 90, 98))


def draw_reps(
    rng: np.random.Generator,
    seed: int,
    *,
    kind: str | None = None,
    most: int = COUNTS[1],
    lead_s: float = 0.0,
    uneven: bool = False,
) -> Reps:
    """3 to `most` repetitions of 0.8 to 3 s, unevenly long, with pauses between some of them.

    kind: one of KINDS, None for any. lead_s: of rest before it all. uneven: more so, for who is to
    learn to look and not to keep a rhythm.
    """
    spread, pauses = (UNEVEN, MANY_PAUSES) if uneven else (EVEN, FEW_PAUSES)
    count = int(rng.integers(COUNTS[0], most + 1))
    slow = count <= MAX_SLOW and rng.random() < 0.5
    period_s = float(rng.uniform(*(SLOW_S if slow else FAST_S)))
    cycles, time_s = [], lead_s + float(rng.uniform(0.6, 1.6))
    for _ in range(count):
        length_s = float(np.clip(period_s * rng.uniform(*spread), *PERIODS_S))
        cycles.append((round(time_s, 3), round(time_s + length_s, 3)))
        time_s = cycles[-1][1] + (float(rng.uniform(0.3, 1.5)) if rng.random() < pauses else 0.0)
    kind = kind or str(rng.choice(list(KINDS)))
    return Reps(
        kind=kind,
        exercise=str(rng.choice(VIEWS.get(kind, (kind,)))),
        cycles=tuple(cycles),
        length_s=math.ceil(5 * (cycles[-1][1] + 1.0)) / 5,
        setting=Setting.draw(rng, seed),
        colour=COLOURS[str(rng.choice(["red", "green", "blue", "black"]))],
    )
