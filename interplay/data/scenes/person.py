"""People: bodies, skin, hair and clothes drawn over the joints of a pose.

Knows nothing of time or of what the people do.
"""

import math
from dataclasses import dataclass

import numpy as np

from interplay.data.scenes.canvas import Canvas, Colour, shade
from interplay.data.scenes.pose import FOREARM, SHIN, THIGH, UPPER_ARM, Limb, Point, Pose, step

SKINS: tuple[Colour, ...] = (
    *((255, 224, 196), (241, 194, 152), (224, 172, 125), (198, 134, 90)),
    *((161, 102, 66), (121, 75, 48), (86, 54, 36)),
)
HAIRS: tuple[Colour, ...] = (
    *((25, 20, 20), (60, 38, 24), (105, 66, 36), (190, 145, 80)),
    *((230, 200, 130), (150, 60, 30), (165, 165, 165)),
)
STYLES = ("short", "long", "bun", "bald", "curly", "cap")
HELMETS: tuple[Colour, ...] = ((250, 200, 20), (245, 245, 245), (235, 110, 20), (40, 90, 200))
SIZE_PX = (66.0, 90.0)  # of a person, upright
_METAL: Colour = (60, 62, 68)


@dataclass(frozen=True, kw_only=True)
class Looks:
    """build: factor of every thickness. has_sleeves, has_shorts: how much of the limbs is clothed.
    skirt: trousers below the waist are covered."""

    skin: Colour
    hair: Colour
    style: str
    top: Colour
    trousers: Colour
    shoes: Colour
    build: float = 1.0
    has_sleeves: bool = False
    has_shorts: bool = False
    skirt: bool = False

    @staticmethod
    def draw(rng: np.random.Generator) -> "Looks":
        return Looks(
            skin=SKINS[rng.integers(len(SKINS))],
            hair=HAIRS[rng.integers(len(HAIRS))],
            style=str(rng.choice(STYLES)),
            top=_cloth(rng, 40, 240),
            trousers=_cloth(rng, 20, 170),
            shoes=_cloth(rng, 20, 235),
            build=float(rng.uniform(0.8, 1.45)),
            has_sleeves=bool(rng.random() < 0.45),
            has_shorts=bool(rng.random() < 0.35),
            skirt=bool(rng.random() < 0.12),
        )


def _cloth(rng: np.random.Generator, low: int, high: int) -> Colour:
    """Any colour, but greyish ones more often than a dice of three would have it."""
    colour = rng.uniform(low, high, 3)
    colour += rng.uniform(0, 0.8) * (colour.mean() - colour)
    red, green, blue = (int(part) for part in colour)
    return red, green, blue


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at `foot` (pixels: between the feet, on the ground), `height` pixels tall."""

    looks: Looks
    foot: Point
    height: float

    def place(self, point: Point) -> Point:
        """A point of the body's own measures in pixels."""
        return self.foot[0] + self.height * point[0], self.foot[1] - self.height * point[1]

    def draw(
        self, canvas: Canvas, pose: Pose, *, helmet: Colour | None = None, weights: bool = False
    ) -> None:
        """Far limbs first, near ones last. helmet: of its colour on the head. weights: in both
        hands."""
        looks, before = self.looks, canvas.part
        wide = 0.085 * looks.build if pose.is_front else 0.015
        hips_wide = 0.05 * looks.build if pose.is_front else 0.012
        order = (0, 1) if pose.is_front else (1, 0)
        shadow = (1.0, 1.0) if pose.is_front else (1.0, 0.82)
        if pose.is_front:
            self._legs(canvas, pose, order, hips_wide, shadow)
            self._torso(canvas, pose, wide, hips_wide)
            self._head(canvas, pose, helmet)
            for index in order:
                self._arm(canvas, pose, index, wide, shadow[index], weights)
        else:
            self._arm(canvas, pose, 1, wide, shadow[1], weights)
            self._legs(canvas, pose, order, hips_wide, shadow)
            self._torso(canvas, pose, wide, hips_wide)
            self._head(canvas, pose, helmet)
            self._arm(canvas, pose, 0, wide, shadow[0], weights)
        canvas.part = before

    def _limb(
        self,
        canvas: Canvas,
        start: Point,
        limb: Limb,
        lengths: tuple[float, float],
        thick: float,
        colours: tuple[Colour, Colour],
    ) -> Point:
        """Both halves of an arm or a leg; returns where it ends, in the body's measures."""
        thick *= self.looks.build * self.height
        middle = step(start, limb[0], lengths[0])
        end = step(middle, limb[1], lengths[1])
        a, b, c = (self.place(point) for point in (start, middle, end))
        canvas.limb(b, c, 0.8 * thick, 0.6 * thick, colours[1])
        canvas.limb(a, b, thick, 0.8 * thick, colours[0])
        return end

    def _arm(
        self, canvas: Canvas, pose: Pose, index: int, wide: float, shadow: float, weights: bool
    ) -> None:
        looks, (x, y) = self.looks, pose.shoulders()
        canvas.part = "arm"
        shoulder = (x + (wide if index else -wide), y - 0.01)
        skin, sleeve = shade(looks.skin, shadow), shade(looks.top, 0.9 * shadow)
        colours = (sleeve, sleeve if looks.has_sleeves else skin)
        lengths = (UPPER_ARM, FOREARM)
        hand = self.place(self._limb(canvas, shoulder, pose.arms[index], lengths, 0.062, colours))
        size = self.height
        if weights:
            for side in (-1, 1):
                end = (hand[0] + side * 0.055 * size, hand[1])
                canvas.line(hand, end, 0.025 * size, _METAL)
                canvas.disc(end, 0.035 * size, _METAL)
        canvas.disc(hand, 0.027 * size, skin)

    def _legs(
        self,
        canvas: Canvas,
        pose: Pose,
        order: tuple[int, int],
        wide: float,
        shadow: tuple[float, float],
    ) -> None:
        looks, (x, y) = self.looks, pose.hips()
        canvas.part = "leg"
        for index in order:
            hip = (x + (wide if index else -wide), y)
            cloth = shade(looks.trousers, shadow[index])
            lower = shade(looks.skin, shadow[index]) if looks.has_shorts or looks.skirt else cloth
            lengths, limb = (THIGH, SHIN), pose.legs[index]
            ankle = self._limb(canvas, hip, limb, lengths, 0.088, (cloth, lower))
            toe = 0.055 * (1 if index else -1) * 0.5 if pose.is_front else 0.07
            tip = (ankle[0] + toe, ankle[1] - 0.015)
            shoe = shade(looks.shoes, shadow[index])
            canvas.line(self.place(ankle), self.place(tip), 0.045 * self.height, shoe)
        if looks.skirt and pose.is_front:
            hem = y - 0.8 * THIGH
            corners = ((x - wide - 0.03, y), (x + wide + 0.03, y), (x + 0.14, hem), (x - 0.14, hem))
            canvas.polygon([self.place(corner) for corner in corners], looks.trousers)

    def _torso(self, canvas: Canvas, pose: Pose, wide: float, hips_wide: float) -> None:
        looks, hips, shoulders = self.looks, pose.hips(), pose.shoulders()
        canvas.part, thick = "torso", self.height * 0.105 * looks.build
        for shift in (-1, 1):
            start = self.place((shoulders[0] + shift * wide * 0.7, shoulders[1] - 0.02))
            end = self.place((hips[0] + shift * hips_wide * 0.7, hips[1]))
            canvas.limb(start, end, thick, 0.9 * thick, looks.top)
        corners = (
            (shoulders[0] - wide, shoulders[1]),
            (shoulders[0] + wide, shoulders[1]),
            (hips[0] + hips_wide, hips[1]),
            (hips[0] - hips_wide, hips[1]),
        )
        canvas.polygon([self.place(corner) for corner in corners], looks.top)

    def _head(self, canvas: Canvas, pose: Pose, helmet: Colour | None) -> None:
        looks, size, centre = self.looks, self.height, pose.head()
        canvas.part = "head"
        neck, middle = self.place(pose.shoulders()), self.place(centre)
        # Up and forward, as the head is held: what is on or behind it turns with it.
        tilt = pose.lean + pose.nod
        up = step((0.0, 0.0), math.pi - tilt, 1.0)
        forward = (0.0, 0.0) if pose.is_front else (up[1], -up[0])

        def at(along: float, ahead: float) -> Point:
            x = centre[0] + along * up[0] + ahead * forward[0]
            return self.place((x, centre[1] + along * up[1] + ahead * forward[1]))

        def disc(along: float, ahead: float, radius: float, colour: Colour) -> None:
            canvas.disc(at(along, ahead), radius * size, colour)

        if looks.style == "long":
            canvas.line(at(0.0, -0.045), at(-0.11, -0.05), 0.1 * size, looks.hair)
        canvas.line(neck, middle, 0.05 * size * looks.build, shade(looks.skin, 0.88))
        if looks.style == "curly":
            disc(0.03, -0.025, 0.085, looks.hair)
        elif looks.style != "bald":
            disc(0.018, -0.012, 0.071, looks.hair)
        if looks.style == "bun":
            disc(0.07, -0.05, 0.035, looks.hair)
        disc(-0.008, 0.008, 0.06, looks.skin)
        disc(-0.03, 0.012, 0.05, looks.skin)
        if pose.is_front:
            for x in (-0.022, 0.022):
                canvas.disc((middle[0] + x * size, middle[1]), 0.009 * size, (30, 25, 25))
        else:
            disc(-0.012, 0.066, 0.014, looks.skin)
            disc(0.004, 0.042, 0.009, (30, 25, 25))
        if looks.style == "cap" and helmet is None:
            disc(0.035, -0.004, 0.056, looks.top)
            canvas.line(at(0.022, 0.0), at(0.018, 0.095), 0.02 * size, shade(looks.top, 0.8))
        if helmet is not None:
            disc(0.028, -0.004, 0.078, helmet)
            canvas.line(at(0.005, -0.085), at(0.005, 0.1), 0.026 * size, shade(helmet, 0.85))
            disc(-0.03, 0.02, 0.045, looks.skin)
