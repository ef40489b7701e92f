"""A person of lines: where arms, legs and hips are in a pose. Knows nothing of time.

Lengths are in units of the person's height.
"""

import math
from dataclasses import dataclass

from interplay.data.scenes.canvas import Canvas, Colour

HIP, SHOULDER, HEAD, HEAD_RADIUS = 0.45, 0.75, 0.88, 0.1
ARM, LEG = 0.36, HIP


@dataclass(frozen=True, kw_only=True)
class Pose:
    """arms: left and right, radians from hanging straight down (0) to straight up (pi).

    squat: 0 upright, 1 hips down. spread: radians of each leg from the vertical. lift: of the
    whole person above the ground.
    """

    arms: tuple[float, float] = (0.25, 0.25)
    squat: float = 0.0
    spread: float = 0.15
    lift: float = 0.0


def draw_figure(
    canvas: Canvas, pose: Pose, foot: tuple[float, float], height: float, colour: Colour
) -> None:
    """`foot`: the middle between the feet when standing, in pixels. height: upright, in pixels."""
    thickness = max(2.5, height / 16)
    x, ground = foot[0], foot[1] - pose.lift * height
    hip_y = ground - height * HIP * (math.cos(pose.spread) - 0.5 * pose.squat)
    shoulder_y = hip_y - height * (SHOULDER - HIP)
    canvas.line((x, hip_y), (x, shoulder_y), thickness, colour)
    canvas.disc((x, hip_y - height * (HEAD - HIP)), height * HEAD_RADIUS, colour)
    for side, angle in zip((-1, 1), pose.arms, strict=True):
        hand = (
            x + side * height * ARM * math.sin(angle),
            shoulder_y + height * ARM * math.cos(angle),
        )
        canvas.line((x, shoulder_y), hand, thickness, colour)
        foot_x = x + side * height * LEG * math.sin(pose.spread)
        knee = (foot_x + side * height * 0.16 * pose.squat, (hip_y + ground) / 2)
        canvas.line((x, hip_y), knee, thickness, colour)
        canvas.line(knee, (foot_x, ground), thickness, colour)
