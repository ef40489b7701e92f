"""Pictures from clients: JPEG or PNG bytes, or pixels, to the tiles a model sees. Knows nothing of
sessions.

A picture is refused by its header before any pixel is decoded; nothing is ever fetched.
"""

import io
import warnings

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from interplay.errors import RequestError
from interplay.media.video import fit_frame, tile_pairs

MAX_PIXELS = 1920 * 1080
FORMATS = ("JPEG", "PNG")


class Camera:
    """Remembers the frame before, as the model sees pairs."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def tiles(self, picture: bytes) -> UInt8[np.ndarray, "12 2 40 40 3"]:
        """Raises RequestError for what is no small JPEG or PNG."""
        return self.pair(_decode(picture))

    def pair(self, frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "12 2 40 40 3"]:
        """An RGB frame of any size, with the one before."""
        frame = fit_frame(frame)
        tiles = tile_pairs(self._before, frame)
        self._before = frame
        return tiles


def too_big(width: int, height: int, param: str) -> RequestError:
    text = f"the picture has {width}x{height} pixels; send at most 1920x1080"
    return RequestError("image_too_big", text, param=param)


def _decode(picture: bytes) -> UInt8[np.ndarray, "h w 3"]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(picture), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise too_big(image.width, image.height, "image")
            image.draft("RGB", (320, 240))  # a JPEG decoder skips what nobody will see
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, EOFError, Warning, Image.DecompressionBombError):
        text = f"{len(picture)} bytes are no readable picture; send JPEG or PNG"
        raise RequestError("invalid_image", text, param="image") from None
