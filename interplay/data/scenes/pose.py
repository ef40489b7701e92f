"""Where a body's joints are: poses by angles, and exercises as poses by how far they have gone.

Lengths are in units of the person's height, x to the right, y up, the ground at 0. Angles are of a
limb from hanging straight down (0), counted towards x: pi / 2 points right, pi straight up.
Knows nothing of time, colours or pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

TORSO, THIGH, SHIN = 0.29, 0.25, 0.24
UPPER_ARM, FOREARM = 0.17, 0.16
NECK = 0.13  # from the shoulders to the middle of the head
FOOT = 0.04  # of the ankle above the ground
Point = tuple[float, float]
Limb = tuple[float, float]  # angles of its upper and lower half


def step(start: Point, angle: float, length: float) -> Point:
    """Where a limb of that length ends."""
    return start[0] + length * math.sin(angle), start[1] - length * math.cos(angle)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """is_front: facing us, the first arm and leg on the left; else facing x, the first ones near.

    lean: of the torso from upright, towards x. nod: of the head, further than the torso.
    hip: the middle of the hips; None stands on the ground on the lower foot, `lift` above it.
    """

    is_front: bool = True
    lean: float = 0.0
    nod: float = 0.0
    arms: tuple[Limb, Limb] = ((-0.15, -0.1), (0.15, 0.1))
    legs: tuple[Limb, Limb] = ((-0.1, -0.06), (0.1, 0.06))
    hip: Point | None = None
    lift: float = 0.0

    def hips(self) -> Point:
        if self.hip is not None:
            return self.hip
        reach = [THIGH * math.cos(a) + SHIN * math.cos(b) for a, b in self.legs]
        return 0.0, max(reach) + FOOT + self.lift

    def shoulders(self) -> Point:
        return step(self.hips(), math.pi - self.lean, TORSO)

    def head(self) -> Point:
        return step(self.shoulders(), math.pi - self.lean - self.nod, NECK)


STANDING = Pose()


def _both(limb: Limb) -> tuple[Limb, Limb]:
    """The same on both sides, seen from the front."""
    return (-limb[0], -limb[1]), limb


def _pair(limb: Limb, apart: float = 0.04) -> tuple[Limb, Limb]:
    """Nearly the same on both sides, seen from the side."""
    return limb, (limb[0] - apart, limb[1] - apart)


def _between(low: Limb, high: Limb, reach: float) -> Limb:
    return low[0] + reach * (high[0] - low[0]), low[1] + reach * (high[1] - low[1])


def squat(reach: float) -> Pose:
    return Pose(
        is_front=False,
        lean=0.15 + 0.55 * reach,
        nod=-0.4 * reach,
        arms=_pair((0.2 + 1.25 * reach, 0.3 + 1.25 * reach)),
        legs=_pair((0.08 + 1.35 * reach, -0.9 * reach)),
    )


def squat_front(reach: float) -> Pose:
    return Pose(
        arms=_both((0.25 + 0.9 * reach, 0.2 - 1.2 * reach)),
        legs=_both((0.2 + 0.95 * reach, 0.12 - 0.35 * reach)),
    )


def jumping_jack(reach: float) -> Pose:
    arms = (0.2 + 2.45 * reach, 0.15 + 2.75 * reach)
    legs = (0.06 + 0.42 * reach, 0.04 + 0.44 * reach)
    return Pose(arms=_both(arms), legs=_both(legs), lift=0.05 * math.sin(math.pi * reach))


def arm_raise(reach: float) -> Pose:
    return Pose(arms=_both((0.15 + 2.6 * reach, 0.1 + 2.8 * reach)))


def push_up(reach: float) -> Pose:
    """`reach` 0: arms straight; 1: chest down."""
    lean = math.pi / 2 - 0.34 + 0.3 * reach
    toes = (-THIGH - SHIN, FOOT)
    back = math.pi - lean
    hips = step(toes, back, THIGH + SHIN)
    bend = 1.15 * reach
    return Pose(
        is_front=False,
        lean=lean,
        nod=-0.25,
        hip=hips,
        arms=_pair((-bend, 0.75 * bend)),
        legs=_pair((-lean, -lean), 0.02),
    )


def sit_up(reach: float) -> Pose:
    """On the back, knees bent; `reach` 1: sitting."""
    lean = -math.pi / 2 + 0.08 + 1.3 * reach
    return Pose(
        is_front=False,
        lean=lean,
        nod=0.2,
        hip=(-0.1, 0.08),
        arms=_pair((math.pi / 2 + 0.5 * reach, 2.4 - 0.6 * reach)),
        legs=_pair((2.25, 0.55)),
    )


def pull_up(reach: float) -> Pose:
    """Hanging from a bar at BAR_HEIGHT; `reach` 1: chin over the bar."""
    arms = _between((2.75, 2.9), (1.05, 2.75), reach)
    hand = step(step((0.1, 0.0), arms[0], UPPER_ARM), arms[1], FOREARM)
    return Pose(
        arms=_both(arms),
        hip=(0.0, BAR_HEIGHT - hand[1] - TORSO),
        legs=_both((0.05, -0.05)),
    )


BAR_HEIGHT = 1.2


def lunge(reach: float) -> Pose:
    return Pose(
        is_front=False,
        lean=0.05,
        arms=_pair((0.1, 0.3)),
        legs=((0.1 + 1.2 * reach, -0.15 * reach), (-0.1 - 0.35 * reach, -0.1 - 1.25 * reach)),
    )


def toe_touch(reach: float) -> Pose:
    return Pose(
        is_front=False,
        lean=0.05 + 1.95 * reach,
        arms=_pair((2.6 - 2.5 * reach, 2.7 - 2.6 * reach)),
        legs=_pair((0.0, -0.03)),
    )


def knee_raise(reach: float) -> Pose:
    return Pose(
        is_front=False,
        arms=((0.2, 1.2), (-0.2, 0.6)),
        legs=((0.05 + 1.6 * reach, -0.1 * reach), (0.0, -0.05)),
    )


def curl(reach: float) -> Pose:
    """Weights in both hands."""
    return Pose(
        is_front=False,
        arms=_pair((0.1, 0.2 + 2.3 * reach), 0.12),
        legs=_pair((0.04, -0.04), 0.1),
    )


def press(reach: float) -> Pose:
    """Weights pushed from the shoulders to above the head."""
    return Pose(arms=_both(_between((0.75, 2.9), (2.75, 3.05), reach)))


EXERCISES: dict[str, Callable[[float], Pose]] = {
    "squat": squat,
    "squat_front": squat_front,
    "jack": jumping_jack,
    "arms": arm_raise,
    "push_up": push_up,
    "sit_up": sit_up,
    "pull_up": pull_up,
    "lunge": lunge,
    "toe_touch": toe_touch,
    "knee_raise": knee_raise,
    "curl": curl,
    "press": press,
}
WEIGHTS = ("curl", "press")  # done with weights in the hands


def walk(phase: float) -> Pose:
    """To x; one period of `phase` (radians) is two steps."""
    swing, lag = math.sin(phase), math.sin(phase - 0.9)
    return Pose(
        is_front=False,
        lean=0.05,
        arms=((-0.45 * swing, 0.2 - 0.4 * swing), (0.45 * swing, 0.2 + 0.4 * swing)),
        legs=(
            (0.45 * swing, 0.4 * swing - 0.35 * max(0.0, lag)),
            (-0.45 * swing, -0.4 * swing - 0.35 * max(0.0, -lag)),
        ),
    )


def seated(slump: float, reach: float = 0.0) -> Pose:
    """On a chair, facing x. slump: 0 upright to 1 hanging over. reach: of the near hand."""
    return Pose(
        is_front=False,
        lean=0.03 + 0.75 * slump,
        nod=0.55 * slump,
        hip=(0.0, SEAT_HEIGHT),
        arms=((0.45 + 0.7 * reach, 1.35 + 0.2 * reach), (0.4, 1.3)),
        legs=_pair((math.pi / 2 - 0.05, 0.05), 0.03),
    )


SEAT_HEIGHT = 0.3
