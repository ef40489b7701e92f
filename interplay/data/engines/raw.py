"""What every engine returns, and how a voice spec is read. Knows nothing about any one engine."""

from dataclasses import dataclass

import numpy as np

from interplay.errors import SynthError


@dataclass(frozen=True, kw_only=True)
class RawSpeech:
    """Sound as the engine made it.

    samples: int16 [T] mono at `sample_rate_hz`.
    phones: (index of the spoken word, phone id, start [s], end [s]), in order, pauses left out;
        every word owns at least one.
    """

    samples: np.ndarray
    sample_rate_hz: int
    phones: list[tuple[int, int, float, float]]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One number in a voice spec, such as the `r160` of an espeak voice."""

    meaning: str
    default: float
    low: float
    high: float


def parse_voice(spec: str, settings: dict[str, Setting]) -> tuple[str, dict[str, float]]:
    """Split `engine:name:a1:b2` into the name and the value of every setting.

    Raises SynthError on a missing name, an unknown setting or a value out of range.
    """
    parts = spec.split(":")
    allowed = ", ".join(f"{k}{s.low:g}..{s.high:g} ({s.meaning})" for k, s in settings.items())
    if len(parts) < 2 or not parts[1]:
        raise SynthError(f"voice {spec!r} has no name; write {parts[0]}:NAME and any of {allowed}")
    values = {key: setting.default for key, setting in settings.items()}
    for part in parts[2:]:
        setting = settings.get(part[:1])
        try:
            value = float(part[1:])
        except ValueError:
            setting = None
        if setting is None or not setting.low <= value <= setting.high:
            raise SynthError(f"voice {spec!r}: setting {part!r} is not one of {allowed}")
        values[part[:1]] = value
    return parts[1], values
