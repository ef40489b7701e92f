"""Where somebody speaks in a sound track: by energy, by webrtcvad, or by a detector that a package
adds under the entry point group `interplay.detectors`: a function without arguments that gives a
`VoiceDetector`.

All give (start, end) in seconds from the first sample of a track at 16 kHz. Energy is the default.
Results of one never share a column with results of another: the name goes into the result. Knows
nothing of suites or scores.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int16

from interplay.bench.listening import plugins
from interplay.bench.traces.trace import MAX_GAP_S as MAX_VOICE_GAP_S
from interplay.bench.traces.trace import Span, Trace, merged
from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import ConfigError

Detector = Callable[[Int16[np.ndarray, " T"]], list[Span]]

FRAME_S = 0.02
FRAME = round(FRAME_S * SAMPLE_RATE_HZ)
SPEECH_DB = -45.0  # RMS of a frame, of full scale: nothing below is speech
ABOVE_FLOOR_DB = 12.0
FLOOR_PERCENTILE = 10
MIN_SPAN_S = 0.1
MAX_GAP_S = 0.1
MODES = (0, 1, 2, 3)
ENERGY, WEBRTC = "energy", "webrtc"
GROUP = "interplay.detectors"
_SILENT_DB = -120.0


def energy_spans(
    track: Int16[np.ndarray, " T"], *, max_gap_s: float = MAX_GAP_S, min_span_s: float = MIN_SPAN_S
) -> list[Span]:
    """Stretches that are louder than -45 dB of full scale and than the track's noise by 12 dB.

    The noise is the tenth percentile of the frames' levels. One above -45 dB is taken as -45 dB:
    a track of talk without a pause shows no floor. Gaps up to `max_gap_s` are closed first, then
    stretches shorter than `min_span_s` dropped.
    """
    level_db = _levels_db(track)
    if not len(level_db):
        return []
    floor_db = min(float(np.percentile(level_db, FLOOR_PERCENTILE)), SPEECH_DB)
    threshold_db = max(SPEECH_DB, floor_db + ABOVE_FLOOR_DB)
    return _spans(level_db > threshold_db, max_gap_s, min_span_s)


def webrtc_spans(
    track: Int16[np.ndarray, " T"],
    *,
    mode: int = 2,
    max_gap_s: float = MAX_GAP_S,
    min_span_s: float = MIN_SPAN_S,
) -> list[Span]:
    """The same by the detector of the WebRTC project, on frames of 20 ms.

    mode: 0 takes most for speech, 3 least. Raises ConfigError on another one, and where the package
    is missing.
    """
    if mode not in MODES:
        raise ConfigError(f"webrtcvad mode {mode} is not one of {', '.join(map(str, MODES))}")
    try:
        import webrtcvad
    except ImportError as error:
        raise ConfigError(
            "the detector webrtc needs the `bench` extra: pip install interplay[bench]"
        ) from error
    detector = webrtcvad.Vad(mode)
    frames = track[: len(track) // FRAME * FRAME].reshape(-1, FRAME)
    flags = [detector.is_speech(frame.tobytes(), SAMPLE_RATE_HZ) for frame in frames]
    return _spans(np.array(flags, dtype=bool), max_gap_s, min_span_s)


@runtime_checkable
class VoiceDetector(Protocol):
    """name: goes into the results, with whatever changes what it finds (mode, version)."""

    name: str

    def spans(self, samples: Int16[np.ndarray, " T"]) -> list[Span]:
        """(start, end) of speech in seconds, in order and apart; 16 kHz mono."""
        ...


class Energy:
    """`energy_spans`."""

    name = ENERGY

    def spans(self, samples: Int16[np.ndarray, " T"]) -> list[Span]:
        return energy_spans(samples)


class Webrtc:
    """`webrtc_spans`. Raises ConfigError as it does."""

    def __init__(self, mode: int = 2) -> None:
        self.name, self._mode = f"{WEBRTC}:{mode}", mode
        self.spans(np.zeros(0, np.int16))  # complain now, not after an hour of playing

    def spans(self, samples: Int16[np.ndarray, " T"]) -> list[Span]:
        return webrtc_spans(samples, mode=self._mode)


def detector(name: str | None) -> VoiceDetector:
    """The detector of a name; None: energy. Raises ConfigError if there is none, or if it is
    none."""
    kind, _, mode = (name or ENERGY).partition(":")
    if kind == ENERGY and not mode:
        return Energy()
    if kind == WEBRTC:
        if mode and not mode.isdecimal():
            raise ConfigError(f"{name!r} is no detector; give {WEBRTC}:MODE, MODE 0 to 3")
        return Webrtc(int(mode)) if mode else Webrtc()
    gives = "`name` and `spans(samples)`"
    if found := plugins.plugin(GROUP, str(name), VoiceDetector, what="detector", gives=gives):
        return found
    names = sorted({ENERGY, WEBRTC, *plugins.names(GROUP)})
    raise ConfigError(f"no detector of speech {name!r}; there are {', '.join(names)}")


def detected(trace: Trace, by: VoiceDetector) -> Trace:
    """The trace with the speech that a detector finds in both tracks. Energy leaves it as it was
    played: its voice lies on frames of 10 ms."""
    if by.name == ENERGY:
        return trace
    sides = (tuple(by.spans(trace.user)), tuple(by.spans(trace.model)))
    return replace(trace, voice=tuple(merged(sides[1], MAX_VOICE_GAP_S)), detected=sides)


def _levels_db(track: Int16[np.ndarray, " T"]) -> np.ndarray:
    """RMS of every whole frame in dB of full scale; [N]."""
    frames = track[: len(track) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float32) / 32768
    power = np.square(frames).mean(1) if len(frames) else np.zeros(0, np.float32)
    return 10 * np.log10(np.maximum(power, 10 ** (_SILENT_DB / 10)))


def _spans(speech: Bool[np.ndarray, " N"], max_gap_s: float, min_span_s: float) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speech, [0]]).astype(np.int8)))
    found = [(float(s) * FRAME_S, float(e) * FRAME_S) for s, e in edges.reshape(-1, 2)]
    return [span for span in merged(found, max_gap_s) if span[1] - span[0] >= min_span_s - 1e-9]
