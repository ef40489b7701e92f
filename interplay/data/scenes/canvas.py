"""A picture of 160x120 to draw soft-edged shapes on. Knows nothing of time or of scenes.

Positions and sizes are in pixels, x to the right, y down. Colours are RGB, 0 to 255. Shapes are
drawn by Pillow three times too large, with a margin, through a lens that may stand closer or askew;
`pixels` averages 3x3 of them: soft edges for half a millisecond a picture. A `PartCanvas` is drawn
on in the same way and tells what is to be seen where.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from interplay.media.video import HEIGHT_PX, WIDTH_PX

Colour = tuple[int, int, int]
Point = tuple[float, float]
COLOURS: dict[str, Colour] = {
    "red": (205, 45, 40),
    "green": (50, 160, 70),
    "blue": (50, 85, 205),
    "yellow": (230, 205, 50),
    "black": (25, 25, 30),
    "white": (240, 240, 240),
}
SHAPES = ("square", "circle", "triangle")
OVER = 3  # drawn pixels per pixel and axis
MARGIN_PX = 6  # around the picture: what a shaking camera may see
CELL_PX = 5  # of a map of parts
PARTS = ("nothing", "thing", "head", "arm", "torso", "leg", "ball", "cup", "box", "bottle", "book")
# Which of the seven bars of a digit are on: top, upper left and right, middle, lower ones, bottom.
_BARS = ("1110111", "0010010", "1011101", "1011011", "0111010")
_BARS += ("1101011", "1101111", "1010010", "1111111", "1111011")


@dataclass(frozen=True, kw_only=True)
class Lens:
    """Where the camera stands: `zoom` towards `centre`, turned by `roll` radians, moved by `pan`
    pixels; `is_mirrored`: left and right change places."""

    zoom: float = 1.0
    roll: float = 0.0
    pan: Point = (0.0, 0.0)
    centre: Point = (WIDTH_PX / 2, 0.75 * HEIGHT_PX)
    is_mirrored: bool = False

    def see(self, point: Point) -> Point:
        """Where a point lies in the large picture."""
        x, y = point[0] - self.centre[0], point[1] - self.centre[1]
        x = -x if self.is_mirrored else x
        cos, sin = math.cos(self.roll) * self.zoom, math.sin(self.roll) * self.zoom
        return (
            OVER * (self.centre[0] + self.pan[0] + MARGIN_PX + cos * x - sin * y),
            OVER * (self.centre[1] + self.pan[1] + MARGIN_PX + sin * x + cos * y),
        )

    def length(self, size: float) -> float:
        return OVER * self.zoom * size

    def edges(self) -> tuple[float, float]:
        """The x of a scene that fall on the left and the right border of the picture, or the other
        way round where it is mirrored; as if nothing was turned."""
        sign = -1 if self.is_mirrored else 1
        left, right = (
            self.centre[0] + sign * (border - self.centre[0] - self.pan[0]) / self.zoom
            for border in (0, WIDTH_PX)
        )
        return min(left, right), max(left, right)


class Canvas:
    """Starts as one colour or as a copy of another canvas; later shapes cover earlier ones.

    part: one of PARTS, what is being drawn: "thing" is what moves and has no name of its own.
    """

    def __init__(self, background: "Colour | Canvas", lens: Lens | None = None) -> None:
        self.part = PARTS[0]
        if isinstance(background, Canvas):
            self._image, self.lens = background._image.copy(), background.lens
        else:
            size = (OVER * (WIDTH_PX + 2 * MARGIN_PX), OVER * (HEIGHT_PX + 2 * MARGIN_PX))
            self._image, self.lens = self._empty(size, background), lens or Lens()
        self._draw = ImageDraw.Draw(self._image)

    def _empty(self, size: tuple[int, int], background: Colour) -> Image.Image:
        return Image.new("RGB", size, background)

    def _ink(self, colour: Colour) -> Colour | int:
        return colour

    def show(self, other: "Canvas") -> None:
        """What is on another canvas, and nothing else."""
        self._image.paste(other._image)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self._draw.polygon([self.lens.see(point) for point in points], fill=self._ink(colour))

    def box(self, centre: Point, width: float, height: float, colour: Colour) -> None:
        x, y, across, down = *centre, width / 2, height / 2
        corners = ((-across, -down), (across, -down), (across, down), (-across, down))
        self.polygon([(x + a, y + b) for a, b in corners], colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        (x, y), size = self.lens.see(centre), self.lens.length(radius)
        self._draw.ellipse((x - size, y - size, x + size, y + size), fill=self._ink(colour))

    def oval(self, centre: Point, width: float, height: float, colour: Colour) -> None:
        """Upright, whatever the lens."""
        x, y = self.lens.see(centre)
        across, down = self.lens.length(width) / 2, self.lens.length(height) / 2
        self._draw.ellipse((x - across, y - down, x + across, y + down), fill=self._ink(colour))

    def triangle(self, centre: Point, size: float, colour: Colour) -> None:
        """Of equal sides, point up."""
        (x, y), half, down = centre, size / 2, size * math.sqrt(3) / 4
        self.polygon([(x, y - down), (x + half, y + down), (x - half, y + down)], colour)

    def line(self, start: Point, end: Point, thickness: float, colour: Colour) -> None:
        """With round ends."""
        self.limb(start, end, thickness, thickness, colour)

    def limb(self, start: Point, end: Point, thick: float, thin: float, colour: Colour) -> None:
        """A line as thick as `thick` where it starts and as `thin` where it ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy)
        if length > 1e-6:
            across = (-dy / length / 2, dx / length / 2)
            sides = ((start, thick), (end, thin), (end, -thin), (start, -thick))
            self.polygon([(p[0] + w * across[0], p[1] + w * across[1]) for p, w in sides], colour)
        self.disc(start, thick / 2, colour)
        self.disc(end, thin / 2, colour)

    def shape(self, name: str, centre: Point, size: float, colour: Colour) -> None:
        """One of SHAPES, `size` pixels wide."""
        if name == "circle":
            self.disc(centre, size / 2, colour)
        elif name == "triangle":
            self.triangle(centre, size, colour)
        else:
            self.box(centre, size, size, colour)

    def digit(self, value: int, centre: Point, height: float, colour: Colour) -> None:
        """0 to 9 as seven bars."""
        (x, y), half, side = centre, height / 2, height / 4
        top, bottom = y - half, y + half
        bars = (
            ((x - side, top), (x + side, top)),
            ((x - side, top), (x - side, y)),
            ((x + side, top), (x + side, y)),
            ((x - side, y), (x + side, y)),
            ((x - side, y), (x - side, bottom)),
            ((x + side, y), (x + side, bottom)),
            ((x - side, bottom), (x + side, bottom)),
        )
        for is_on, (start, end) in zip(_BARS[value], bars, strict=True):
            if is_on == "1":
                self.line(start, end, height / 9, colour)

    def pixels(self, shift: Point = (0.0, 0.0)) -> np.ndarray:
        """uint8 [120, 160, 3]: the picture, seen `shift` pixels (at most MARGIN_PX) further to the
        right and down."""
        left, top = self._corner(shift)
        cut = (left, top, left + OVER * WIDTH_PX, top + OVER * HEIGHT_PX)
        return np.asarray(self._image.reduce(OVER, cut))

    def _corner(self, shift: Point) -> tuple[int, int]:
        left, top = (round(OVER * (MARGIN_PX + step)) for step in shift)
        return left, top


class PartCanvas(Canvas):
    """What is drawn on it is remembered by its part, not by its colour."""

    def _empty(self, size: tuple[int, int], background: Colour) -> Image.Image:
        return Image.new("L", size, 0)

    def _ink(self, colour: Colour) -> int:
        return PARTS.index(self.part)

    def pixels(self, shift: Point = (0.0, 0.0)) -> np.ndarray:
        """uint8 [24, 32]: the number in PARTS of what is in the middle of each cell."""
        left, top = self._corner(shift)
        step = OVER * CELL_PX
        rows = slice(top + step // 2, top + OVER * HEIGHT_PX, step)
        return np.asarray(self._image)[rows, left + step // 2 : left + OVER * WIDTH_PX : step]


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (below 1) or lighter."""
    red, green, blue = (min(255, max(0, round(factor * part))) for part in colour)
    return red, green, blue
