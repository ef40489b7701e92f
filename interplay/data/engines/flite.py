"""flite in process, through Debian's shared libraries (package libflite1).

Voice specs: `flite:VOICE:dSTRETCH:pPITCH` (duration stretch and pitch factor). slt, rms and awb
are statistical voices at 16 kHz, kal16 and kal diphone voices at 16 and 8 kHz. Knows nothing
about trimming, resampling or banks. API: flite's public headers (cst_utterance.h, cst_item.h).
"""

import ctypes
from collections.abc import Iterator

import numpy as np

from interplay.data.engines.raw import RawSpeech, Setting, parse_voice
from interplay.data.phones import SILENCE, from_flite
from interplay.errors import SynthError

VOICES = ("slt", "rms", "awb", "kal16", "kal")
SETTINGS = {
    "d": Setting(meaning="duration stretch", default=1.0, low=0.5, high=2.0),
    "p": Setting(meaning="pitch factor", default=1.0, low=0.5, high=2.0),
}
_PRONOUNCED_BY = "flite:kal16"  # 2 ms; what its sound is like does not matter
_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", _TEXT),
        ("sample_rate_hz", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice(ctypes.Structure):
    _fields_ = (("name", _TEXT), ("features", _POINTER))


_PROTOTYPES = {
    "flite_synth_text": (_POINTER, _TEXT, _POINTER),
    "delete_utterance": (None, _POINTER),
    "utt_wave": (ctypes.POINTER(_Wave), _POINTER),
    "utt_relation": (_POINTER, _POINTER, _TEXT),
    "relation_head": (_POINTER, _POINTER),
    "item_next": (_POINTER, _POINTER),
    "item_as": (_POINTER, _POINTER, _TEXT),
    "item_parent": (_POINTER, _POINTER),
    "item_feat_string": (_TEXT, _POINTER, _TEXT),
    "item_feat_float": (ctypes.c_float, _POINTER, _TEXT),
    "feat_set_float": (None, _POINTER, _TEXT, ctypes.c_float),
}


def _load(library: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise SynthError(
            f"{library} is not installed; run `apt install libflite1`, or use an espeak voice "
            "such as espeak:en-us+f3"
        ) from error


class Flite:
    """The libraries, loaded once per process."""

    name = "flite"
    example = "flite:slt"

    def __init__(self) -> None:
        self._core = _load("libflite.so.1")
        _load("libflite_usenglish.so.1")
        _load("libflite_cmulex.so.1")
        for name, (result, *arguments) in _PROTOTYPES.items():
            function = getattr(self._core, name)
            function.restype, function.argtypes = result, arguments
        self._libc = ctypes.CDLL(None)
        self._core.flite_init()
        self._voices: dict[str, int] = {}

    def speak(self, words: list[str], voice: str) -> RawSpeech:
        """Say the words (ASCII, as they should be read) with a voice spec; pauses are not added.

        Raises SynthError on an unknown voice or setting, or a library that is not installed.
        """
        name, values = parse_voice(voice, SETTINGS)
        if name not in VOICES:
            raise SynthError(f"flite voice {name!r} is not one of {', '.join(VOICES)}")
        handle = self._voice(name)
        features = ctypes.cast(handle, ctypes.POINTER(_Voice)).contents.features
        self._core.feat_set_float(features, b"duration_stretch", values["d"])
        self._core.feat_set_float(features, b"f0_shift", values["p"])
        self._libc.srand(1)  # the statistical voices draw their noise from rand()
        utterance = self._core.flite_synth_text(" ".join(words).encode("ascii"), handle)
        try:
            wave = self._core.utt_wave(utterance).contents
            samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
            rate = wave.sample_rate_hz
            phones = list(self._phones(utterance))
        finally:
            self._core.delete_utterance(utterance)
        return RawSpeech(samples=samples, sample_rate_hz=rate, phones=phones)

    def pronounce(self, words: list[str]) -> list[tuple[int, ...]]:
        """The phone ids of each word (letters and apostrophes), as American English.

        Raises SynthError where a word has none.
        """
        found: list[list[int]] = [[] for _ in words]
        for word, phone, *_ in self.speak(words, _PRONOUNCED_BY).phones:
            found[word].append(phone)
        if not all(found):
            silent = words[found.index([])]
            raise SynthError(f"no phones are known for {silent!r}; reword the text")
        return [tuple(phones) for phones in found]

    def _voice(self, name: str) -> int:
        if name not in self._voices:
            register = getattr(_load(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            register.restype, register.argtypes = _POINTER, (_TEXT,)
            self._voices[name] = register(None)
        return self._voices[name]

    def _phones(self, utterance: int) -> Iterator[tuple[int, int, float, float]]:
        """Segments with their word; the engine's tokens are the words as they were written."""
        core = self._core
        item = core.relation_head(core.utt_relation(utterance, b"Segment"))
        start_s, word, token = 0.0, -1, None
        while item:
            end_s = core.item_feat_float(item, b"end")
            phone = from_flite(core.item_feat_string(item, b"name").decode("ascii"))
            if phone != SILENCE:
                owner = self._token(item)
                word, token = word + (owner != token), owner
                yield word, phone, start_s, end_s
            start_s, item = end_s, core.item_next(item)

    def _token(self, segment: int) -> int:
        core = self._core
        syllable = core.item_parent(core.item_as(segment, b"SylStructure"))
        word = core.item_parent(syllable)
        return core.item_parent(core.item_as(word, b"Token"))
