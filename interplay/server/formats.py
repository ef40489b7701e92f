"""The forms of sound that a client may speak, by the names that both protocols of OpenAI use.

Inside, sound is 16-bit PCM at the client's rate; what is not PCM is turned into it where messages
are read and written. Knows nothing of messages or sessions.
"""

from dataclasses import dataclass
from typing import Any

from interplay.errors import RequestError
from interplay.media import g711
from interplay.server.pcm import RATES_HZ, check_rate

PCM = "audio/pcm"
LAWS: dict[str, g711.Law] = {"audio/pcmu": "ULAW", "audio/pcma": "ALAW"}
TELEPHONE_HZ = 8000


@dataclass(frozen=True, kw_only=True)
class SoundFormat:
    """What a client's bytes are. rate_hz: of the sound, the same outside and inside."""

    name: str = PCM
    rate_hz: int = 24_000

    def to_pcm(self, data: bytes) -> bytes:
        """What a client sent, as 16-bit PCM."""
        return g711.decode(data, LAWS[self.name]) if self.name in LAWS else data

    def from_pcm(self, pcm: bytes) -> bytes:
        """16-bit PCM as the client wants it."""
        return g711.encode(pcm, LAWS[self.name]) if self.name in LAWS else pcm

    def describe(self) -> dict[str, Any]:
        """The form in which the protocols write it."""
        return {"type": self.name, "rate": self.rate_hz}


def check_format(
    name: str, rate_hz: int | None, param: str, *, pcm_hz: tuple[int, ...] = RATES_HZ
) -> SoundFormat:
    """The format that a client names; without a rate, PCM is 24 kHz and G.711 is 8 kHz.

    param: the field that says so. pcm_hz: what the protocol allows for PCM. Raises RequestError
    for what is not spoken here.
    """
    if name in LAWS:
        if rate_hz not in (None, TELEPHONE_HZ):
            raise RequestError(
                "unsupported_value",
                f"{name} at {rate_hz} Hz is not spoken here; use {TELEPHONE_HZ}",
                param=f"{param}.rate",
            )
        return SoundFormat(name=name, rate_hz=TELEPHONE_HZ)
    if name != PCM:
        raise RequestError(
            "unsupported_value",
            f"{name[:80]!r} is not spoken here; use {PCM}, {' or '.join(LAWS)}",
            param=f"{param}.type",
        )
    rate_hz = 24_000 if rate_hz is None else rate_hz
    return SoundFormat(rate_hz=check_rate(rate_hz, f"{param}.rate", pcm_hz))
