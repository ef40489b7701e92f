"""espeak-ng in process, through the shared library and data of the `espeakng_loader` wheel.

Voice specs: `espeak:ACCENT[+VARIANT]:pPITCH:rRATE:gRANGE`. The library keeps global state: one
process per core, never threads. Its noise and its filters go on from one utterance to the next and
nothing resets them, so every utterance gets the library freshly loaded and the C library's random
numbers from their beginning: it sounds the same to the bit whatever was said before. Knows nothing
about trimming, resampling or banks.
API and event meanings: espeak-ng's public header speak_lib.h.
"""

import ctypes
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np

from interplay.data.engines.raw import RawSpeech, Setting, parse_voice
from interplay.data.phones import from_ipa
from interplay.errors import SynthError

ACCENTS = (
    *("en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-scotland"),
    *("en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
# for foreign words and sentences; their letters must be ASCII here
LANGUAGES = ("de", "es", "es-419", "it")
SETTINGS = {
    "p": Setting(meaning="pitch", default=50, low=0, high=99),
    "r": Setting(meaning="words per minute", default=160, low=80, high=320),
    "g": Setting(meaning="pitch range", default=50, low=0, high=99),
}
_PARAMETER = {"r": 1, "p": 3, "g": 4}
_SYNCHRONOUS, _PHONEME_EVENTS, _PHONEME_IPA = 2, 1, 2
_LIST_END, _WORD, _END, _PHONEME = 0, 1, 5, 7
_UTF8 = 1

Event = tuple[int, int, int, str]  # (type, text position, sample, IPA)
Timed = tuple[int, int, int, int]  # (word index, phone id, first sample, last sample + 1)


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("ipa", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """Speaks with a fresh copy of the library each time. Raises SynthError where there is none."""

    name = "espeak"
    example = "espeak:en-us+f3"

    def __init__(self) -> None:
        try:
            import espeakng_loader  # GPL-3: only in the `synth` extra and on this code path
        except ImportError as error:
            raise SynthError(
                "espeak-ng is not installed; pip install 'interplay[synth]' (wheel espeakng-loader)"
            ) from error
        self._path, self._data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
        self._variants_folder = Path(self._data, "voices", "!v")
        self._c = ctypes.CDLL(None)
        self._library: ctypes.CDLL
        with self._loaded() as self.sample_rate_hz:
            pass
        self._callback = _Callback(self._receive)
        self._blocks: list[bytes] = []
        self._events: list[Event] = []
        self._accent = ""
        self._alone: dict[tuple[str, str], list[int]] = {}

    @contextmanager
    def _loaded(self) -> Iterator[int]:
        """The library, as it is before its first word; its sample rate in Hz."""
        self._library = ctypes.CDLL(self._path)
        self._c.srand(1)
        try:
            rate_hz = self._library.espeak_Initialize(
                _SYNCHRONOUS, 0, self._data.encode(), _PHONEME_EVENTS | _PHONEME_IPA
            )
            if rate_hz <= 0:
                raise SynthError(
                    f"espeak-ng cannot read its data at {self._data}; reinstall espeakng-loader"
                )
            yield rate_hz
        finally:
            self._library.espeak_Terminate()
            self._c.dlclose(ctypes.c_void_p(self._library._handle))

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """Names that may follow the `+` of a voice."""
        return tuple(sorted(path.name for path in self._variants_folder.iterdir()))

    def speak(self, words: list[str], voice: str) -> RawSpeech:
        """Say the words (ASCII, as they should be read) with a voice spec; pauses are not added.

        Raises SynthError on an unknown accent, variant or setting.
        """
        with self._loaded():
            self._set_voice(voice)
            events = self._synthesise(words)
            samples = np.frombuffer(b"".join(self._blocks), np.int16)
            timed = self._share_merged(_read_phones(events, words), words)
        rate = self.sample_rate_hz
        phones = [(word, phone, first / rate, last / rate) for word, phone, first, last in timed]
        return RawSpeech(samples=samples, sample_rate_hz=rate, phones=phones)

    def _set_voice(self, spec: str) -> None:
        name, values = parse_voice(spec, SETTINGS)
        accent, _, variant = name.partition("+")
        known = (*ACCENTS, *LANGUAGES)
        if accent not in known:
            raise SynthError(f"espeak accent {accent!r} is not one of {', '.join(known)}")
        if variant and variant not in self.variants:  # the library would fall back in silence
            raise SynthError(f"espeak variant {variant!r} is not one of {', '.join(self.variants)}")
        if self._library.espeak_SetVoiceByName(name.encode()):
            raise SynthError(f"espeak-ng refuses the voice {name!r}; try {self.example}")
        self._accent = accent
        for key, value in values.items():
            self._library.espeak_SetParameter(_PARAMETER[key], int(value), 0)

    def _synthesise(self, words: list[str]) -> list[Event]:
        self._blocks.clear()
        self._events.clear()
        text = " ".join(words).encode("ascii")
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        return list(self._events)

    def _receive(self, samples, num_samples: int, events) -> int:
        if samples and num_samples > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * num_samples))
        index = 0
        while (kind := events[index].type) != _LIST_END:
            event = events[index]
            ipa = event.id.ipa.decode("utf-8") if kind == _PHONEME else ""
            self._events.append((kind, event.text_position, event.sample, ipa))
            index += 1
        return 0

    def _share_merged(self, phones: list[Timed], words: list[str]) -> list[Timed]:
        """Give words that the engine said as one ("of the") their own phones again."""
        heads = sorted({word for word, *_ in phones})
        if len(heads) == len(words):
            return phones
        shared = []
        for head, following in zip(heads, [*heads[1:], len(words)], strict=True):
            group = [phone for phone in phones if phone[0] == head]
            alone = [self._pronounce(word) for word in words[head:following]]
            owners = share_phones([phone for _, phone, *_ in group], alone)
            shared += [(head + own, *rest) for own, (_, *rest) in zip(owners, group, strict=True)]
        return shared

    def _pronounce(self, word: str) -> list[int]:
        """Phones of a word said alone in the present accent."""
        key = self._accent, word
        if key not in self._alone:
            phones = _read_phones(self._synthesise([word]), [word])
            self._alone[key] = [phone for _, phone, *_ in phones]
        return self._alone[key]


def _read_phones(events: list[Event], words: list[str]) -> list[Timed]:
    """Phones with the word each belongs to and the samples each covers."""
    starts = [1]  # the engine counts characters from 1
    for word in words[:-1]:
        starts.append(starts[-1] + len(word) + 1)
    phones: list[Timed] = []
    open_phones: tuple[int, ...] = ()
    word = upcoming = opened = 0
    for kind, position, sample, ipa in events:
        if kind in (_PHONEME, _END) and open_phones:
            step = (sample - opened) / len(open_phones)
            for index, phone in enumerate(open_phones):
                first = opened + round(index * step)
                phones.append((word, phone, first, opened + round((index + 1) * step)))
            open_phones = ()
        if kind == _WORD:  # comes before the last phone of the word before has ended
            upcoming = bisect_right(starts, position) - 1
        if kind == _PHONEME:
            open_phones, opened, word = from_ipa(ipa), sample, upcoming
    return phones


def share_phones(phones: list[int], alone: list[list[int]]) -> list[int]:
    """Owner of each phone of words said as one, by least edits against the words said alone.

    Returns an index into `alone` per phone, never falling, every word owning at least one phone.
    Raises SynthError when there are fewer phones than words.
    """
    if len(alone) == 1:
        return [0] * len(phones)
    if len(phones) < len(alone):
        raise SynthError(f"espeak said {len(alone)} words as {len(phones)} sounds; reword the text")
    # best[w][p]: (edits, cut before the last word) for the first w words covering p phones
    best: list[dict[int, tuple[int, int]]] = [{0: (0, 0)}]
    for index, word in enumerate(alone):
        left = len(alone) - index - 1
        row: dict[int, tuple[int, int]] = {}
        for end in range(index + 1, len(phones) - left + 1):
            row[end] = min(
                (edits + _num_edits(phones[start:end], word), start)
                for start, (edits, _) in best[-1].items()
                if start < end
            )
        best.append(row)
    owners = [0] * len(phones)
    end = len(phones)
    for index in range(len(alone), 0, -1):
        start = best[index][end][1]
        owners[start:end] = [index - 1] * (end - start)
        end = start
    return owners


def _num_edits(one: list[int], other: list[int]) -> int:
    """Levenshtein distance."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]
