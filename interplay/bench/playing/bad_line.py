"""What a bad line does to the user's sound: own echo in it, chunks that never come or come late.

Asked for by an item: `about["echo_db"]` (level of the system's own sound in the user's channel,
relative to what it played), `about["lost"]` and `about["late"]` (indices of micro-turns). A lost
chunk is silence. A late one is silence in its own micro-turn and takes the place of the next, as
with a buffer of one chunk. Knows nothing of cues or scores.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32, Int16

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN

ECHO_DELAY = SAMPLE_RATE_HZ // 20  # 50 ms from loudspeaker to microphone


def arriving(
    about: Mapping[str, Any],
    turn: int,
    user: Float32[np.ndarray, " T"],
    model: Int16[np.ndarray, " T"],
) -> Float32[np.ndarray, " N"]:
    """The chunk of the user's channel that a system gets in micro-turn `turn`.

    user: the user's own track; model: what the system has played, known up to this micro-turn's
    end. Both 16 kHz, from the item's first sample.
    """
    source = turn
    if turn - 1 in about.get("late", ()):
        source = turn - 1
    elif turn in about.get("late", ()) or turn in about.get("lost", ()):
        return np.zeros(len(_chunk(user, turn, 0)), np.float32)
    sound = _chunk(user, source, 0)
    if "echo_db" in about:
        echo = _chunk(model, source, ECHO_DELAY).astype(np.float32) / 32768
        sound = sound + echo[: len(sound)] * np.float32(10 ** (about["echo_db"] / 20))
    return np.clip(sound, -1, 1)


def _chunk(track: np.ndarray, turn: int, delay: int) -> np.ndarray:
    """Samples of one micro-turn of a track that comes `delay` samples late."""
    start = turn * SAMPLES_PER_TURN - delay
    found = track[max(start, 0) : start + SAMPLES_PER_TURN]
    return np.pad(found, (-start, 0)) if start < 0 else found
