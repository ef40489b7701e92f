"""SVOX Pico through the `ttspico` package (Apache-2.0): one American and one British woman.

Voice specs: `pico:en-US:dSTRETCH:pPITCH` (duration stretch and pitch factor). Pico tells no times:
flite says which phones the words have, `interplay.data.align` finds them in the sound. Knows
nothing about trimming, resampling or banks.

A new engine object says the same to the bit; one that is used again does not, so every utterance
gets its own (12 ms). Pico's library is not safe to call from two threads at once; `synthesize`
takes turns. Any number of processes may use it.
"""

from importlib import import_module

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.align import INSTALL, Aligner, Pronunciation, share_evenly
from interplay.data.engines.flite import Flite
from interplay.data.engines.raw import RawSpeech, Setting, parse_voice
from interplay.data.phones import PHONE_ID, VOWELS
from interplay.errors import SynthError

VOICES = ("en-US", "en-GB")
SETTINGS = {
    "d": Setting(meaning="duration stretch", default=1.0, low=0.5, high=2.0),
    "p": Setting(meaning="pitch factor", default=1.0, low=0.5, high=2.0),
}
VOLUME = 50  # percent; at 100 loud vowels are clipped
_VOWEL_IDS = {PHONE_ID[name] for name in VOWELS}
_AA, _AX, _ER, _OH, _R = (PHONE_ID[name] for name in ("AA", "AX", "ER", "OH", "R"))


class Pico:
    """Needs ttspico, pocketsphinx and flite. Raises SynthError where one is not installed."""

    name = "pico"
    example = "pico:en-US"

    def __init__(self) -> None:
        try:
            # a type checker cannot see it: it is built where it is installed
            self._library = import_module("ttspico")  # optional: in the `voices` extra
        except ImportError:
            raise SynthError(f"pico is not installed; {INSTALL}") from None
        self._aligner = Aligner()
        self._flite = Flite()

    def speak(self, words: list[str], voice: str) -> RawSpeech:
        """Say the words (letters and apostrophes) with a voice spec; pauses are not added.

        Where alignment fails the phones share the sound evenly: a text never fails for it.
        Raises SynthError on an unknown voice or setting.
        """
        name, values = parse_voice(voice, SETTINGS)
        if name not in VOICES:
            raise SynthError(f"pico voice {name!r} is not one of {', '.join(VOICES)}")
        engine = self._library.TtsEngine(name)
        engine.rate = round(100 / values["d"])
        engine.pitch = round(100 * values["p"])
        engine.volume = VOLUME
        sound = engine.speak(" ".join(words) + ".")
        if not sound:
            raise SynthError(f"pico returned nothing for {' '.join(words)!r}; reword the text")
        samples = np.frombuffer(sound, "<i2").astype(np.int16)
        ways = self._ways(words, is_british=name == "en-GB")
        phones = self._aligner.align(samples, ways) or share_evenly(samples, ways)
        return RawSpeech(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ, phones=phones)

    def _ways(self, words: list[str], *, is_british: bool) -> list[list[Pronunciation]]:
        """How each word may sound."""
        ways = self._flite.pronounce(words)
        if not is_british:
            return [[way] for way in ways]
        return [[british(way), way] if british(way) != way else [way] for way in ways]


def british(american: Pronunciation) -> Pronunciation:
    """The same word without the R that British English drops, and with its "lot" vowel.

    A rule of thumb that errs in "father"; the dictionary of British speech is inside Pico.
    """
    said: list[int] = []
    for phone, following in zip(american, (*american[1:], None), strict=True):
        if phone == _R and said and following not in _VOWEL_IDS:
            continue
        if phone == _AA and following != _R:
            phone = _OH
        if phone == _ER and following is None and len(american) > 3:
            phone = _AX
        said.append(phone)
    return tuple(said)
