"""Some of the imported sessions as one picture: sound, words and pictures on one axis of time.

Right times show as words that lie on the sound they name. Knows nothing of training.
"""

from pathlib import Path

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.data.own.store import OwnData, Session
from interplay.data.own.words import CHANNELS
from interplay.errors import DeviceError

ROW_S = 6.0
COLORS = {"user": "#2f6fde", "model": "#d9662b"}  # as on the page and in README
QUIET = 0.02  # of full scale
POINTS = 1500  # of a waveform across a row
FRAME_EVERY_S, FRAME_WIDTH_S = 0.4, 0.28


def draw_sessions(
    data: OwnData, picture: Path, *, num_sessions: int, seconds: float, seed: int = 0
) -> list[str]:
    """The first `seconds` of `num_sessions` sessions drawn at random, 6 s in a row, as PNG.

    Returns the names of what was drawn. Raises DeviceError where it cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rng = np.random.default_rng(seed)
    size = min(num_sessions, len(data.sessions))
    drawn = [data.sessions[k] for k in sorted(rng.permutation(len(data.sessions))[:size])]
    rows = [
        (session, start_s)
        for session in drawn
        for start_s in np.arange(0.0, min(seconds, session.length_s), ROW_S)
    ]
    figure, axes = pyplot.subplots(
        len(rows), 1, figsize=(15, 2.6 * len(rows)), layout="constrained", squeeze=False
    )
    for axis, (session, start_s) in zip(axes[:, 0], rows, strict=True):
        _draw_row(axis, session, float(start_s))
    draft = picture.with_name(f".{picture.name}.part")
    try:
        figure.savefig(draft, dpi=80, format="png")
        draft.replace(picture)
    except OSError as error:
        raise DeviceError(f"cannot write {picture}: {error.strerror}; choose another") from None
    finally:
        pyplot.close(figure)
        draft.unlink(missing_ok=True)
    return [session.name for session in drawn]


def _draw_row(axis, session: Session, start_s: float) -> None:
    """One axis: a lane for each channel, pictures above them."""
    first = round(start_s * SAMPLE_RATE_HZ)
    size = min(round(ROW_S * SAMPLE_RATE_HZ), session.facts.num_samples - first)
    sound = session.sound(first, size)
    for lane, (channel, track) in enumerate(zip(CHANNELS, sound, strict=False)):
        _draw_lane(axis, -2.2 * lane, track, start_s, COLORS[channel])
        for word in session.said_in(channel):
            if word.end_s > start_s and word.start_s < start_s + ROW_S:
                _draw_word(axis, -2.2 * lane, word, COLORS[channel])
    top = 1.2
    if session.facts.has_camera:
        top = 2.6
        _draw_pictures(axis, session, start_s)
    axis.set(xlim=(start_s, start_s + ROW_S), ylim=(-2.2 * len(sound) + 1.0, top), yticks=[])
    axis.set_title(f"{session.name} · {session.facts.source}", loc="left", fontsize=9)
    axis.spines[["top", "left", "right"]].set_visible(False)


def _draw_lane(axis, middle: float, track: np.ndarray, start_s: float, color: str) -> None:
    """The loudest of each small stretch, both ways, as high as the lane; a row in which nothing is
    louder than QUIET stays flat, or its noise would look like speech."""
    step = max(1, len(track) // POINTS)
    peaks = np.abs(track[: len(track) // step * step]).reshape(-1, step).max(1)
    peaks = 0.6 * peaks / max(peaks.max(initial=0.0), QUIET)
    times = start_s + np.arange(len(peaks)) * step / SAMPLE_RATE_HZ
    axis.fill_between(times, middle - peaks, middle + peaks, color=color, alpha=0.7, linewidth=0)


def _draw_word(axis, middle: float, word, color: str) -> None:
    """A pale box from start to end, the word above it; a sentence begins with a thick edge."""
    axis.fill_between(
        [word.start_s, word.end_s],
        middle - 0.75,
        middle + 0.75,
        color=color,
        alpha=0.12,
        linewidth=0,
    )
    width = 2.0 if word.begins else 0.6
    axis.plot([word.start_s] * 2, [middle - 0.75, middle + 0.75], color=color, linewidth=width)
    axis.text(word.start_s, middle + 0.8, word.word, fontsize=8, color=color, clip_on=True)


def _draw_pictures(axis, session: Session, start_s: float) -> None:
    for time_s in np.arange(start_s, start_s + ROW_S, FRAME_EVERY_S):
        index = round(time_s / TURN_S)
        if index < len(session.frames):
            extent = (time_s, time_s + FRAME_WIDTH_S, 1.3, 2.5)
            axis.imshow(session.frames[index], extent=extent, aspect="auto")
