"""Pictures from clients: JPEG or PNG bytes, or pixels, to the tiles a model sees. Knows nothing of
sessions.

A picture is refused by its header before any pixel is decoded; nothing is ever fetched.
"""

import io
import threading
import warnings

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from interplay.clock import Clock
from interplay.errors import RequestError
from interplay.media.video import fit_frame, tile_pairs
from interplay.server.limits import Bucket

MAX_PIXELS = 1920 * 1080
FORMATS = ("JPEG", "PNG")
PICTURES_PER_S, BURST = 6.0, 12.0  # the model sees five; decoding them costs everybody time

_opening = threading.Lock()  # filters of warnings are of the whole process


class Camera:
    """Remembers the frame before, as the model sees pairs. For any thread, one picture at a time.
    clock: by which pictures are counted; None: not at all."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._before: np.ndarray | None = None
        self._clock = clock
        self._allowed = Bucket(PICTURES_PER_S, BURST, clock.now()) if clock else None
        self._has_told = False

    def admit(self) -> None:
        """Count a picture that is to be looked at. Raises RequestError when it is one too many."""
        if self._allowed and self._clock and not self._allowed.take(1, self._clock.now()):
            raise RequestError(
                "picture_backpressure",
                f"more than {PICTURES_PER_S:g} pictures per second; what is too much is not "
                "looked at",
                param="image",
                retry_after_s=1 / PICTURES_PER_S,
            )

    def admits(self) -> bool:
        """The same for a film, of which a picture may be missing: raises for the first one that is
        too many, and leaves out the others without a word."""
        try:
            self.admit()
        except RequestError:
            if not self._has_told:
                self._has_told = True
                raise
            return False
        return True

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
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(picture), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise too_big(image.width, image.height, "image")
        image.draft("RGB", (320, 240))  # a JPEG decoder skips what nobody will see
        return np.asarray(image.convert("RGB"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        text = "the picture has too many pixels; send at most 1920x1080"
        raise RequestError("image_too_big", text, param="image") from None
    except (OSError, ValueError, SyntaxError, EOFError, Warning):
        text = f"{len(picture)} bytes are no readable picture; send JPEG or PNG"
        raise RequestError("invalid_image", text, param="image") from None
