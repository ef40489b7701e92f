"""Camera frames: any size -> 160x120 -> 12 tiles of 40x40. Knows nothing of models or sessions.

Frames are letterboxed, not stretched: a circle stays a circle and a limb keeps its proportions,
so what is learnt on 4:3 pictures holds for every camera; a 4:3 camera has no bars at all.
"""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from interplay.errors import VideoError

WIDTH_PX, HEIGHT_PX = 160, 120
TILE_PX = 40
NUM_ROWS, NUM_COLUMNS = HEIGHT_PX // TILE_PX, WIDTH_PX // TILE_PX


def check_frame(frame: np.ndarray) -> None:
    """Raises VideoError unless `frame` is uint8 [H, W, 3] with at least one pixel."""
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise VideoError(f"a frame has shape {list(frame.shape)}; RGB [H, W, 3] is needed")
    if frame.dtype != np.uint8:
        raise VideoError(f"a frame holds {frame.dtype}; uint8 from 0 to 255 is needed")


def fit_frame(frame: np.ndarray) -> UInt8[np.ndarray, "120 160 3"]:
    """Scale an RGB frame uint8 [H, W, 3] to 160x120, centred on black where proportions differ.

    Every new pixel is the mean of the area it covers (Pillow's BOX filter: exact, vectorised, and
    without the aliasing of point sampling, which would make still edges flicker). Raises
    VideoError for other shapes or types.
    """
    check_frame(frame)
    height, width = frame.shape[:2]
    if (height, width) == (HEIGHT_PX, WIDTH_PX):
        return frame
    scale = min(HEIGHT_PX / height, WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(np.ascontiguousarray(frame))
    scaled = np.asarray(image.resize(size, Image.Resampling.BOX))
    left, top = (WIDTH_PX - size[0]) // 2, (HEIGHT_PX - size[1]) // 2
    out = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    out[top : top + size[1], left : left + size[0]] = scaled
    return out


def cut_tiles(frame: UInt8[np.ndarray, "120 160 3"]) -> UInt8[np.ndarray, "12 40 40 3"]:
    """The 12 tiles of a 160x120 frame, row by row from the top left."""
    grid = frame.reshape(NUM_ROWS, TILE_PX, NUM_COLUMNS, TILE_PX, 3)
    return grid.swapaxes(1, 2).reshape(-1, TILE_PX, TILE_PX, 3)


def tile_pairs(
    previous_frame: np.ndarray | None, frame: np.ndarray
) -> UInt8[np.ndarray, "12 2 40 40 3"]:
    """What one micro-turn sees: each tile at the moment before and now, uint8 [12, 2, 40, 40, 3].

    Both frames are uint8 [H, W, 3] of any size. Without a previous frame (the first one, or a
    picture) the pair holds the frame twice, as Inkling does with pictures. A caller that keeps
    `fit_frame(frame)` as the next previous frame saves scaling it again. Raises VideoError.
    """
    now = cut_tiles(fit_frame(frame))
    before = now if previous_frame is None else cut_tiles(fit_frame(previous_frame))
    return np.stack([before, now], axis=1)
