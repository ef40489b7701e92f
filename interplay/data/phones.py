"""One inventory of speech sounds for every engine, and the maps from engine symbols into it.

44 classes: silence, 17 vowels and 26 consonants, in ARPAbet spelling (with DX for the flap, Q for
the glottal stop, OH for the British "lot"). Knows nothing about audio or about how an engine is
called. A symbol outside the maps is an error, never a silent skip.
"""

# ruff: noqa: RUF001 (IPA letters look like others)

import re
from functools import cache

from interplay.errors import SynthError

VOWELS = (
    *("AA", "AE", "AH", "AO", "AW", "AX", "AY", "EH", "ER", "EY"),
    *("IH", "IY", "OH", "OW", "OY", "UH", "UW"),
)
CONSONANTS = (
    *("B", "CH", "D", "DH", "DX", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "Q", "R"),
    *("S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES = ("SIL", *VOWELS, *CONSONANTS)
SILENCE = 0
PHONE_ID = {name: index for index, name in enumerate(PHONES)}

# Length and stress marks carry no class of their own; what is left is cut greedily, longest first.
_IPA_MARKS = re.compile("[ˈˌːˑ:\u032a\u0329\u032f\u0303\u02b0\u02b2\u0325]")
_IPA = {
    **{"aɪ": "AY", "ɔɪ": "OY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ʌʊ": "OW"},
    **{"ei": "IY", "əu": "UW", "ɛɪ": "EY", "æʊ": "AW", "ɛʊ": "AW", "ʌɪ": "AY", "ɒɪ": "OY"},
    **{"au": "AW", "ai": "AY", "oɪ": "OY", "əɪ": "AY", "tʃ": "CH", "dʒ": "JH"},
    **{"ɑ": "AA", "a": "AE", "æ": "AE", "ɐ": "AX", "ʌ": "AH", "ɔ": "AO", "ɒ": "OH", "o": "OW"},
    **{"ə": "AX", "ɚ": "ER", "ɜ": "ER", "ɝ": "ER", "e": "EY", "ɛ": "EH", "ɪ": "IH", "i": "IY"},
    **{"ɔø": "OY"},  # German "teuer"
    **{"ᵻ": "IH", "ɨ": "IH", "ʊ": "UH", "u": "UW", "ʉ": "UW", "ɵ": "UH"},
    **{"b": "B", "d": "D", "ð": "DH", "ɾ": "DX", "f": "F", "ɡ": "G", "g": "G", "h": "HH"},
    **{"k": "K", "l": "L", "ɫ": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P", "ʔ": "Q"},
    **{"r": "R", "ɹ": "R", "s": "S", "ʃ": "SH", "t": "T", "θ": "TH", "v": "V", "w": "W"},
    **{"ʍ": "W", "j": "Y", "z": "Z", "ʒ": "ZH", "x": "K", "ç": "HH", "ɣ": "G", "β": "B"},
    **{"ʝ": "Y", "ʎ": "Y"},  # Spanish "calle"
}
_IPA_ATOM = re.compile("|".join(sorted(_IPA, key=len, reverse=True)))
_FLITE = {name.lower(): name for name in PHONES[1:]} | {"pau": "SIL", "axr": "ER", "el": "L"}


@cache
def from_ipa(symbol: str) -> tuple[int, ...]:
    """Phone ids of one espeak phoneme event; empty for a pause, two or three for clusters.

    Raises SynthError on a symbol outside the map.
    """
    rest = _IPA_MARKS.sub("", symbol)
    phones = []
    while rest:
        atom = _IPA_ATOM.match(rest)
        if atom is None:
            raise SynthError(
                f"espeak phoneme {symbol!r} has no class at {rest!r}; known: {' '.join(_IPA)}; "
                "add it to the map in interplay/data/phones.py"
            )
        phones.append(PHONE_ID[_IPA[atom.group()]])
        rest = rest[atom.end() :]
    return tuple(phones)


def from_flite(name: str) -> int:
    """Phone id of one flite or festival segment. Raises SynthError on a name outside the map."""
    if name not in _FLITE:
        raise SynthError(
            f"flite segment {name!r} has no class; known: {' '.join(sorted(_FLITE))}; "
            "add it to the map in interplay/data/phones.py"
        )
    return PHONE_ID[_FLITE[name]]
