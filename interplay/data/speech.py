"""`synthesize(text, voice)`: one utterance with exact word and phone times, from any engine.

Checks the text, spells letters, dispatches to an engine, brings the sound to 16 kHz and trims its
silence. Knows nothing about sentences, sessions or banks.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import soxr
from jaxtyping import Int16

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.align import Aligner
from interplay.data.engines.espeak import Espeak
from interplay.data.engines.festival import Festival, missing_voices
from interplay.data.engines.flite import Flite
from interplay.data.engines.pico import Pico
from interplay.data.engines.raw import RawSpeech
from interplay.errors import SynthError

ENGINES = {engine.name: engine for engine in (Espeak, Flite, Festival, Pico)}
OPTIONAL = (Festival.name, Pico.name)  # a corpus is made without these where they are missing
EDGE_S = 0.02  # silence kept at most before the first and after the last sound
LEVEL_DBFS = -22.0  # root mean square of every utterance: engines differ by 17 dB
PEAK = 0.95 * 32767
_SOUND_DB = -45.0  # relative to the loudest sample: below this an edge counts as silence
_MIN_EDGE_PHONE_S = 0.01
_BLOCK = SAMPLE_RATE_HZ // 500
_WORD = re.compile(r"'?[a-z]+('[a-z]+)*'?|[A-Z]")
# Alone, "a" is read as the article; this spelling gives its letter name in every engine and accent.
_LETTER_NAMES = {"a": "eigh"}
# Noises the engines would spell ("em em"), written so that they are hummed.
_RESPELLED = {"mm": "um", "hmm": "hum", "mhm": "umhum"}
_lock = threading.Lock()  # the engines' libraries keep global state

Span = tuple[str, float, float]
PhoneSpan = tuple[int, float, float]


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One synthetic utterance.

    samples: int16 [T], 16 kHz mono at -22 dBFS; at most 20 ms of silence at either end.
    words: (word, start [s], end [s]), exactly `text.lower().split()`; the first starts with the
        sound, the last ends with it.
    phones: (phone id, start [s], end [s]) in order; what they leave uncovered is silence.
    """

    text: str
    voice: str
    engine: str
    samples: Int16[np.ndarray, " T"]
    words: list[Span]
    phones: list[PhoneSpan]


def synthesize(text: str, voice: str) -> Utterance:
    """Speak `text` with a voice spec such as `espeak:en-us+f3:p50:r160:g55` or `flite:slt`.

    The text holds lower-case words and apostrophes only. Two or more single letters in a row
    ("s e v e n") are read as letter names, and so is one capital letter ("the letter A").
    The same text and voice give the same samples, whatever was said before.
    Safe to call from many processes; calls from threads of one process take turns.
    Raises SynthError on other text, an unknown engine or voice, or an engine not installed.
    """
    words = text.split()
    bad = [word for word in words if not _WORD.fullmatch(word)]
    if bad or not words:
        raise SynthError(
            f"cannot speak {(bad or [text])[0]!r}; text is lower-case words with apostrophes, "
            "numbers are written out, letters stand alone ('s e v e n', 'the letter A')"
        )
    name = voice.split(":")[0]
    if name not in ENGINES:
        raise SynthError(f"voice {voice!r}: engine {name!r} is not one of {', '.join(ENGINES)}")
    with _lock:
        raw = _engine(name).speak(_spoken_forms(words), voice)
    return _finish(raw, text=text, voice=voice, engine=name)


def aligned(samples: Int16[np.ndarray, " T"], text: str, voice: str, engine: str) -> Utterance:
    """What was said elsewhere as an utterance, its words and phones timed by forced alignment.

    samples: int16 [T], 16 kHz mono, `text` in it once. Raises SynthError where it does not fit,
    or where pocketsphinx or flite, which says how words sound, is not installed.
    """
    with _lock:
        flite = _engine(Flite.name)
        assert isinstance(flite, Flite)
        ways = [[way] for way in flite.pronounce(_spoken_forms(text.split()))]
        phones = _aligner().align(samples, ways)
    if phones is None:
        raise SynthError(f"{text!r} does not fit into the sound of {voice}")
    raw = RawSpeech(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ, phones=phones)
    return _finish(raw, text=text, voice=voice, engine=engine)


def installed_engines(names: Iterable[str]) -> tuple[str, ...]:
    """The engines that a corpus can use: the optional ones only where they are installed.

    Says in one line each what was left out and what to install. The others are needed: they
    stay, and their first utterance says what is missing.
    """
    kept = []
    for name in names:
        try:
            if name in OPTIONAL:
                _engine(name)
        except SynthError as error:
            print(f"no user speaks with {name}: {error}", flush=True)
        else:
            kept.append(name)
    return tuple(kept)


def voices_not_installed(engines: Iterable[str]) -> tuple[str, ...]:
    """Beginnings of the voice specs of these engines (installed ones) that cannot be spoken here.

    Only festival's speakers of other languages come in packages of their own. Says in one line
    which are missing and what to install.
    """
    missing = missing_voices() if Festival.name in engines else {}
    if missing:
        print(
            f"no user speaks as {', '.join(missing)}: festival's other voices take their part; "
            f"for them run `apt install {' '.join(missing.values())}`",
            flush=True,
        )
    return tuple(f"{Festival.name}:{name}:" for name in missing)


@cache
def _aligner() -> Aligner:
    return Aligner()


@cache
def _engine(name: str) -> Espeak | Flite | Festival | Pico:
    return ENGINES[name]()


def _spoken_forms(words: list[str]) -> list[str]:
    """How each word is handed to the engine."""
    single = [False, *(len(word) == 1 for word in words), False]
    forms = []
    for index, word in enumerate(words):
        in_run = single[index + 1] and (single[index] or single[index + 2])
        letter = word.lower()
        if in_run or word.isupper():
            forms.append(_LETTER_NAMES.get(letter, letter))
        else:
            forms.append(_RESPELLED.get(word, word))
    return forms


def _finish(raw: RawSpeech, *, text: str, voice: str, engine: str) -> Utterance:
    """Resample, trim and move all times so that zero is the first sample kept."""
    samples = raw.samples
    if raw.sample_rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, raw.sample_rate_hz, SAMPLE_RATE_HZ, quality="MQ")
    labels = text.lower().split()
    if sorted({word for word, *_ in raw.phones}) != list(range(len(labels))):
        raise SynthError(f"{engine} skips a word of {text!r} with voice {voice!r}; reword the text")
    (_, _, *head), (_, _, *tail) = raw.phones[0], raw.phones[-1]
    # the engine's times bound the search: statistical voices hiss in their pauses
    onset_s, offset_s = _sounding(samples, head[0] - EDGE_S, tail[1] + EDGE_S)
    onset_s = min(onset_s, head[1] - _MIN_EDGE_PHONE_S)
    offset_s = max(offset_s, tail[0] + _MIN_EDGE_PHONE_S)
    first = max(0, round((onset_s - EDGE_S / 2) * SAMPLE_RATE_HZ))
    last = min(len(samples), round((offset_s + EDGE_S / 2) * SAMPLE_RATE_HZ))
    zero_s = first / SAMPLE_RATE_HZ
    phones = [
        [word, phone, *np.clip((start_s, end_s), onset_s, offset_s)]
        for word, phone, start_s, end_s in raw.phones
    ]
    phones[0][2], phones[-1][3] = onset_s, offset_s
    starts, ends = {}, {}
    for word, _, start_s, end_s in phones:
        starts.setdefault(word, start_s - zero_s)
        ends[word] = end_s - zero_s
    return Utterance(
        text=text,
        voice=voice,
        engine=engine,
        samples=leveled(samples[first:last]),
        words=[(label, float(starts[i]), float(ends[i])) for i, label in enumerate(labels)],
        phones=[(phone, float(s - zero_s), float(e - zero_s)) for _, phone, s, e in phones],
    )


def _sounding(
    samples: Int16[np.ndarray, " T"], start_s: float, end_s: float
) -> tuple[float, float]:
    """Seconds where sound begins and ends between two times, to 2 ms."""
    first, last = (round(t * SAMPLE_RATE_HZ) // _BLOCK for t in (start_s, end_s))
    peaks = np.abs(samples[: len(samples) // _BLOCK * _BLOCK].astype(np.int32))
    peaks = peaks.reshape(-1, _BLOCK).max(1)
    first = max(first, 0)
    loud = np.flatnonzero(peaks[first : last + 1] > peaks.max() * 10 ** (_SOUND_DB / 20)) + first
    if not len(loud):
        raise SynthError("the engine returned silence; try another voice")
    return loud[0] * _BLOCK / SAMPLE_RATE_HZ, (loud[-1] + 1) * _BLOCK / SAMPLE_RATE_HZ


def leveled(samples: Int16[np.ndarray, " T"]) -> Int16[np.ndarray, " T"]:
    sound = samples.astype(np.float32)
    wanted = 32768 * 10 ** (LEVEL_DBFS / 20)
    gain = min(wanted / np.sqrt(np.mean(sound**2)), PEAK / np.abs(sound).max())
    return np.rint(sound * gain).astype(np.int16)
