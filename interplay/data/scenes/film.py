"""From drawings to the frames of a camera: still backdrop, moving front, light, noise, shaking.

Knows nothing of what is drawn. A film is a function of its seed: drawn twice, it is the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from interplay.clock import TURN_S
from interplay.data.scenes.canvas import MARGIN_PX, Canvas, Colour, Lens, PartCanvas
from interplay.media.video import HEIGHT_PX, WIDTH_PX

Draw = Callable[[Canvas], None]
DrawAt = Callable[[Canvas, float], None]
_NOISE_ROWS = HEIGHT_PX + 40  # of one table of noise, of which every frame takes another part
_SPARE = 40


@dataclass(frozen=True, kw_only=True)
class Camera:
    """How the scene is filmed.

    light: factor of red, green and blue. noise: of the sensor, standard deviation in steps of 255.
    shake: pixels that a hand moves the picture, standard deviation. flicker: the same for the
    light, as a share of it.
    """

    lens: Lens = field(default_factory=Lens)
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    noise: float = 3.0
    shake: float = 0.0
    flicker: float = 0.0

    @staticmethod
    def draw(rng: np.random.Generator, *, mirror: bool = True) -> "Camera":
        """Near or far, a little askew, in bright or dim, warm or cold light; a third by hand.

        mirror: left and right may change places (not where digits are read).
        """
        warmth, brightness = float(rng.normal(0, 0.05)), float(rng.uniform(0.6, 1.12))
        lens = Lens(
            zoom=float(rng.uniform(0.82, 1.12)),
            roll=float(rng.normal(0, 0.03)),
            pan=(float(rng.normal(0, 3)), float(rng.normal(0, 2))),
            is_mirrored=mirror and bool(rng.random() < 0.5),
        )
        return Camera(
            lens=lens,
            light=(brightness * (1 + warmth), brightness, brightness * (1 - warmth)),
            noise=float(rng.uniform(1, 6)),
            shake=float(rng.uniform(0.3, 1.4)) if rng.random() < 0.35 else 0.0,
            flicker=float(rng.uniform(0, 0.04)) if rng.random() < 0.3 else 0.0,
        )


STILL = Camera()


@dataclass(frozen=True, kw_only=True)
class Take:
    """How much of a film is drawn, and how: `num` frames from `first` on, None for all. parts: as
    maps of what is to be seen where (uint8 [24, 32], numbers in canvas.PARTS) instead of as frames;
    the camera shakes in both alike."""

    first: int = 0
    num: int | None = None
    parts: bool = False

    def moments(self, length_s: float) -> Iterator[tuple[int, float]]:
        stop = None if self.num is None else self.first + self.num
        return islice(moments(length_s), self.first, stop)


WHOLE = Take()


def moments(length_s: float) -> Iterator[tuple[int, float]]:
    """(k, k / 5 s) of every frame of a film."""
    index = 0
    while index * TURN_S < length_s - 1e-6:
        yield index, index * TURN_S
        index += 1


def film(
    length_s: float,
    background: Colour,
    seed: int,
    draw: DrawAt,
    *,
    backdrop: Draw | None = None,
    camera: Camera = STILL,
    light: Callable[[float], float] | None = None,
    take: Take = WHOLE,
) -> Iterator[np.ndarray]:
    """Frames, five per second, or what `take` says.

    draw: what moves, at a moment, on a copy of the backdrop. backdrop: what stands still, on an
    empty canvas. light: factor of the light at a moment. seed: of noise and shaking.
    """
    kind = PartCanvas if take.parts else Canvas
    still = kind(background, camera.lens)
    if backdrop:
        backdrop(still)
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((_NOISE_ROWS, WIDTH_PX + _SPARE, 3), np.float32) * camera.noise
    table += 0.5  # what follows rounds down
    hand, canvas = np.zeros(2), kind(still)
    canvas.part = "thing"
    seen = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    for _, time_s in take.moments(length_s):
        canvas.show(still)
        draw(canvas, time_s)
        hand = np.clip(0.7 * hand + rng.normal(0, camera.shake, 2), -MARGIN_PX, MARGIN_PX)
        level = (light(time_s) if light else 1.0) * (1 + camera.flicker * rng.standard_normal())
        row, column = (int(at) for at in rng.integers(0, _SPARE + 1, 2))
        if take.parts:
            yield canvas.pixels((hand[0], hand[1])).copy()
            continue
        grain = table[row : row + HEIGHT_PX, column : column + WIDTH_PX]
        gain = np.array(camera.light, np.float32) * np.float32(level)
        np.multiply(canvas.pixels((hand[0], hand[1])), gain, out=seen)
        np.add(seen, grain, out=seen)
        yield np.clip(seen, 0, 255, out=seen).astype(np.uint8)
