"""Films of people who at known moments slump, take off their helmet or reach for a blade.

Knows nothing of warnings.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from interplay.data.scenes.canvas import Canvas, Colour, shade
from interplay.data.scenes.film import WHOLE, Take
from interplay.data.scenes.person import HELMETS
from interplay.data.scenes.pose import SEAT_HEIGHT, STANDING, Pose, seated
from interplay.data.scenes.setting import Setting

KINDS = ("slump", "helmet", "blade")
CHANGE_S = 0.7  # from right to wrong, and back
NEAR = 0.55  # of the change: from here on it is wrong
TABLE_HEIGHT = 0.36
_STEEL: Colour = (190, 195, 200)


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """kind: one of KINDS. breaks: (start, end) of each stretch in which the rule is broken.

    helmet: its colour. wood: of furniture. tempo: radians per second of what the hands do anyway.
    """

    kind: str
    breaks: tuple[tuple[float, float], ...]
    length_s: float
    setting: Setting
    helmet: Colour
    wood: Colour
    tempo: float

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        return self.setting.film(self.length_s, self._draw, furniture=self._furniture, take=take)

    def wrong(self, time_s: float) -> float:
        """0 while the rule is kept, 1 while it is broken, NEAR where a stretch starts or ends."""
        level = 0.0
        for start, end in self.breaks:
            into = NEAR + (time_s - start) / CHANGE_S
            out = NEAR + (end - time_s) / CHANGE_S
            level = max(level, min(1.0, into, out))
        return level

    def sight(self, time_s: float) -> dict[str, str]:
        """See data.scenes.sights."""
        how = "wrong" if any(start <= time_s < end for start, end in self.breaks) else "right"
        people = 1 + self.setting.num_passing(time_s)
        return {"people": str(people), "conduct": f"{self.kind} {how}"}

    def happenings(self) -> list[tuple[float, str]]:
        """See data.scenes.sights."""
        starts = [(start, "breaks") for start, _ in self.breaks]
        return starts + [(end, "mends") for _, end in self.breaks]

    def pose(self, time_s: float) -> Pose:
        wrong, busy = self.wrong(time_s), math.sin(self.tempo * time_s)
        if self.kind == "slump":
            pose = seated(wrong)
            near = (pose.arms[0][0] + 0.08 * busy, pose.arms[0][1] + 0.05 * busy)
            return replace(pose, arms=(near, pose.arms[1]))
        if self.kind == "blade":
            reach = 0.1 + 0.12 * (1 + busy) * (1 - wrong) + 0.9 * wrong
            return Pose(
                is_front=False,
                lean=0.1 + 0.25 * wrong,
                arms=((0.25 + 0.85 * reach, 1.0 + 0.45 * reach), (0.2, 0.9)),
                legs=((0.05, 0.0), (-0.05, -0.08)),
            )
        lifted = 2.2 if 0.05 < wrong < 0.95 else 0.35 + 0.3 * busy
        return replace(STANDING, arms=((-0.35, -0.6 - 0.2 * busy), (0.5 * lifted, lifted)))

    def _furniture(self, canvas: Canvas) -> None:
        person = self.setting.person
        size, place = person.height, person.place
        if self.kind == "slump":
            seat = place((-0.02, SEAT_HEIGHT - 0.06))
            canvas.box(seat, 0.28 * size, 0.05 * size, self.wood)
            canvas.line(place((-0.15, 0.7)), place((-0.14, 0.0)), 0.035 * size, self.wood)
            canvas.line(place((0.1, SEAT_HEIGHT - 0.06)), place((0.1, 0)), 0.03 * size, self.wood)
            self._table(canvas, (0.32, 0.78), 0.5)
            canvas.line(place((0.58, 0.52)), place((0.56, 0.78)), 0.03 * size, (40, 42, 48))
        elif self.kind == "blade":
            self._table(canvas, (0.2, 0.95), TABLE_HEIGHT + 0.08)
            canvas.disc(place((0.72, TABLE_HEIGHT + 0.1)), 0.13 * size, _STEEL)
            canvas.disc(place((0.72, TABLE_HEIGHT + 0.1)), 0.03 * size, shade(_STEEL, 0.5))
            self._table(canvas, (0.2, 0.95), TABLE_HEIGHT)

    def _table(self, canvas: Canvas, across: tuple[float, float], height: float) -> None:
        person, colour = self.setting.person, shade(self.wood, 1.25)
        left, right = (person.place((x, height)) for x in across)
        canvas.line(left, right, 0.05 * person.height, colour)
        for x in across:
            canvas.line(person.place((x, height)), person.place((x, 0)), 2.5, colour)

    def _draw(self, canvas: Canvas, time_s: float) -> None:
        person, pose = self.setting.person, self.pose(time_s)
        is_on = self.kind == "helmet" and self.wrong(time_s) < NEAR
        person.draw(canvas, pose, helmet=self.helmet if is_on else None)
        if self.kind == "helmet" and not is_on:
            centre = person.place((0.3, 0.05))
            canvas.disc(centre, 0.075 * person.height, self.helmet)
            canvas.line(
                (centre[0] - 0.09 * person.height, centre[1] + 3),
                (centre[0] + 0.09 * person.height, centre[1] + 3),
                3,
                shade(self.helmet, 0.85),
            )


def draw_conduct(
    rng: np.random.Generator, seed: int, kind: str, num_breaks: int, *, lead_s: float = 0.0
) -> Conduct:
    """So many stretches of 1.6 to 3.2 s in which the rule is broken."""
    breaks, time_s = [], lead_s + float(rng.uniform(1.2, 3.5))
    for _ in range(num_breaks):
        end_s = time_s + float(rng.uniform(1.6, 3.2))
        breaks.append((round(time_s, 3), round(end_s, 3)))
        time_s = end_s + float(rng.uniform(2.0, 3.5))
    setting = Setting.draw(rng, seed)
    if kind != "helmet":  # the table stands beside the person
        x = float(rng.uniform(42, 62))
        person = replace(setting.person, foot=(x, setting.person.foot[1]))
        setting = replace(setting, person=person)
    shades = [(150, 105, 65), (110, 75, 50), (90, 90, 95), (175, 150, 115)]
    return Conduct(
        kind=kind,
        breaks=tuple(breaks),
        length_s=math.ceil(5 * (time_s + 0.6)) / 5,
        setting=setting,
        helmet=HELMETS[rng.integers(len(HELMETS))],
        wood=shades[rng.integers(len(shades))],
        tempo=float(rng.uniform(1.5, 5.0)),
    )
