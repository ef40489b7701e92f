"""Whether a camera still shows anything: one that is covered is dark, one that hangs stands still.

A real sensor is never twice the same, so pictures that are equal bit for bit are one picture.
Knows nothing of where pictures come from.
"""

import numpy as np
from jaxtyping import UInt8

DARK_LEVEL = 6.0  # of 255, the mean of a picture: what a covered lens leaves of a room
AFTER_S = 3.0
TROUBLES: dict[str, str] = {
    "dark": "the camera has shown black for 3 s; uncover it, turn on a light or choose another",
    "frozen": "the camera has shown one and the same picture for 3 s; it hangs, or shows a still: "
    "switch it off and on",
}


class CameraWatch:
    """Tells when something has been wrong for `AFTER_S`, once until all is well again."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}  # troubles that last, and when they began
        self._told: set[str] = set()
        self._last: np.ndarray | None = None

    def look(self, picture: UInt8[np.ndarray, "..."], now_s: float) -> str | None:
        """The next picture, of always the same shape; `dark` or `frozen` where that is the news.

        A dark one is not called frozen as well.
        """
        is_dark = float(picture.mean()) < DARK_LEVEL
        stands = self._last is not None and not is_dark and np.array_equal(picture, self._last)
        self._last = picture
        found = None
        for name, is_so in (("dark", is_dark), ("frozen", stands)):
            if not is_so:
                self._since_s.pop(name, None)
                self._told.discard(name)
            elif (
                now_s - self._since_s.setdefault(name, now_s) >= AFTER_S and name not in self._told
            ):
                self._told.add(name)
                found = name
        return found
