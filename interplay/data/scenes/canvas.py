"""A picture of 160x120 to draw soft-edged shapes on. Knows nothing of time or of scenes.

Positions and sizes are in pixels, x to the right, y down. Colours are RGB, 0 to 255.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, UInt8

from interplay.clock import TURN_S
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
NOISE = 3.0  # of a camera's sensor, standard deviation in steps of 255
_Y, _X = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
# Which of the seven bars of a digit are on: top, upper left and right, middle, lower ones, bottom.
_BARS = ("1110111", "0010010", "1011101", "1011011", "0111010")
_BARS += ("1101011", "1101111", "1010010", "1111111", "1111011")


class Canvas:
    """Starts as one colour; later shapes cover earlier ones."""

    def __init__(self, background: Colour) -> None:
        self._pixels = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.float32)
        self._pixels[:] = background

    def _fill(self, distance: Float[np.ndarray, "120 160"], colour: Colour) -> None:
        """Paint where the signed distance to an edge is negative, softly within half a pixel."""
        cover = np.clip(0.5 - distance, 0, 1)[..., None]
        self._pixels += cover * (np.array(colour, np.float32) - self._pixels)

    def box(self, centre: Point, width: float, height: float, colour: Colour) -> None:
        across = np.abs(_X - centre[0]) - width / 2
        self._fill(np.maximum(across, np.abs(_Y - centre[1]) - height / 2), colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        self._fill(np.hypot(_X - centre[0], _Y - centre[1]) - radius, colour)

    def triangle(self, centre: Point, size: float, colour: Colour) -> None:
        """Of equal sides, point up."""
        x, y = np.abs(_X - centre[0]), _Y - centre[1]
        slope = x * np.sqrt(3) / 2 - (y + size / 2) / 2
        self._fill(np.maximum(slope, y - size / 2), colour)

    def line(self, start: Point, end: Point, thickness: float, colour: Colour) -> None:
        """With round ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        along = ((_X - start[0]) * dx + (_Y - start[1]) * dy) / max(dx * dx + dy * dy, 1e-6)
        along = np.clip(along, 0, 1)
        away = np.hypot(_X - start[0] - along * dx, _Y - start[1] - along * dy)
        self._fill(away - thickness / 2, colour)

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

    def pixels(self, rng: np.random.Generator) -> UInt8[np.ndarray, "120 160 3"]:
        """The picture as a camera would give it, with the noise of its sensor."""
        noise = rng.standard_normal(self._pixels.shape, np.float32) * NOISE
        return np.clip(np.rint(self._pixels + noise), 0, 255).astype(np.uint8)


def moments(length_s: float) -> Iterator[tuple[int, float]]:
    """(k, k / 5 s) of every frame of a film."""
    index = 0
    while index * TURN_S < length_s - 1e-6:
        yield index, index * TURN_S
        index += 1


def film(
    length_s: float, background: Colour, seed: int, draw: Callable[[Canvas, float], None]
) -> Iterator[UInt8[np.ndarray, "120 160 3"]]:
    """Frames, five per second. draw: on an empty canvas, at a moment. seed: of the noise."""
    for index, time_s in moments(length_s):
        canvas = Canvas(background)
        draw(canvas, time_s)
        yield canvas.pixels(np.random.default_rng([seed, index]))


def draw_floor(canvas: Canvas) -> None:
    """What a body stands on."""
    canvas.box((80, 117), 160, 12, COLOURS["black"])
