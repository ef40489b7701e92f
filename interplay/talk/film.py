"""What was before the camera, as a lane of pictures under the others. Knows nothing of files."""

import base64
import io
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from interplay.clock import TURN_S
from interplay.media.video import HEIGHT_PX, WIDTH_PX
from interplay.talk.lanes import Window

LANE_PX = 80
EVERY_S = 1.0
QUALITY = 80  # of the JPEG: the pictures are small
Frame = UInt8[np.ndarray, "120 160 3"]
Film = Sequence[Frame | None]  # one in each micro-turn, None while the camera is off


def is_shown(film: Film) -> bool:
    """Whether there is anything to see."""
    return any(frame is not None for frame in film)


def lane(film: Film, window: Window, top: float) -> Iterator[str]:
    """One picture for every second of the film, as SVG, from `top` on."""
    width = EVERY_S * window.px_per_s - 2
    height = min(LANE_PX - 10, width * HEIGHT_PX / WIDTH_PX)
    step = round(EVERY_S / TURN_S)
    for turn in range(0, len(film), step):
        frame = film[turn]
        if frame is not None:
            yield (
                f'<image x="{window.x(turn * TURN_S) + 1}" y="{top}" width="{width:.1f}" '
                f'height="{height:.1f}" href="{_data_url(frame)}"/>'
            )


def _data_url(frame: Frame) -> str:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
