"""Finds when known words were said: phone times by forced alignment, with pocketsphinx.

The caller says how each word may sound; pocketsphinx's acoustic model (American English, inside
its wheel) finds where. Knows nothing about spelling, engines or voices.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int16

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.phones import PHONES
from interplay.errors import SynthError

INSTALL = "run `pip install 'interplay[voices]'`, or use an espeak voice such as espeak:en-us+f3"
_FRAME_S = 0.01
_LAG_S = 0.005  # a boundary belongs inside its frame's window, not at the window's start
_PAD = SAMPLE_RATE_HZ // 10  # near-silence at either edge, where the model expects some
_FLOOR = 4
_MODEL_NAME = {"AX": "AH", "DX": "T", "OH": "AA", "Q": "T"}  # sounds that the model has not
_LOUD_DB = -45.0  # relative to the loudest block: where sound counts as begun
_BLOCK = SAMPLE_RATE_HZ // 100

Pronunciation = tuple[int, ...]
Times = list[tuple[int, int, float, float]]


class Aligner:
    """One decoder, used again and again: what came before changes no time.

    Not safe to call from two threads at once.
    """

    def __init__(self) -> None:
        try:
            import pocketsphinx  # only in the `bench` and `voices` extras and on this code path
        except ImportError:
            raise SynthError(f"phone times need pocketsphinx; {INSTALL}") from None
        self._decoder = pocketsphinx.Decoder(
            **{"lm": None, "dict": None, "loglevel": "FATAL", "samprate": SAMPLE_RATE_HZ},
            # the best path through the lattice may hold words too short for their phones
            **{"cmn": "batch", "bestpath": False, "beam": 1e-100, "wbeam": 1e-100, "pbeam": 1e-100},
        )
        self._names: dict[tuple[Pronunciation, ...], str] = {}
        self._spelled: dict[str, Pronunciation] = {}

    def align(
        self, samples: Int16[np.ndarray, " T"], words: Sequence[Sequence[Pronunciation]]
    ) -> Times | None:
        """(word index, phone id, start [s], end [s]) of every phone, in order.

        samples: one utterance, 16 kHz mono. words: for every word said the ways it may sound,
        each a tuple of phone ids without silence; the one that fits best is timed.
        None where the words do not fit into the sound: a phone takes 30 ms at least.
        Raises SynthError on silence.
        """
        first, last = _sounding(samples)
        samples = samples[first:last]  # in long silence short words would get lost
        pad = np.random.default_rng(0).integers(-_FLOOR, _FLOOR + 1, _PAD).astype(np.int16)
        sound = np.concatenate([pad, samples, pad]).tobytes()
        decoder = self._decoder
        text = " ".join([self._name(tuple(word)) for word in words])
        try:
            decoder.set_align_text(text)
            self._pass(sound)
            if decoder.hyp() is None:
                return None
            decoder.set_alignment()
            self._pass(sound)
            found = self._times(decoder.get_alignment(), (first - _PAD) / SAMPLE_RATE_HZ)
        except RuntimeError:
            return None
        return found if {word for word, *_ in found} == set(range(len(words))) else None

    def _pass(self, sound: bytes) -> None:
        self._decoder.reinit_feat()  # or its noise estimate would remember what it heard before
        self._decoder.start_utt()
        self._decoder.process_raw(sound, no_search=False, full_utt=True)
        self._decoder.end_utt()

    def _times(self, alignment, zero_s: float) -> Times:
        times: Times = []
        word = -1
        for entry in alignment:
            pronunciation = self._spelled.get(entry.name)
            if pronunciation is None:
                continue  # silence
            word += 1
            for phone, part in zip(pronunciation, entry, strict=True):
                start_s = part.start * _FRAME_S + _LAG_S + zero_s
                times.append((word, phone, start_s, start_s + part.duration * _FRAME_S))
        return times

    def _name(self, ways: tuple[Pronunciation, ...]) -> str:
        """What these ways are called in the decoder's dictionary; added when new."""
        if ways not in self._names:
            name = f"word{len(self._names)}"
            for number, way in enumerate(ways, 1):
                entry = name if number == 1 else f"{name}({number})"
                phones = " ".join(_MODEL_NAME.get(PHONES[p], PHONES[p]) for p in way)
                self._decoder.add_word(entry, phones, False)
                self._spelled[entry] = way
            self._names[ways] = name
        return self._names[ways]


def share_evenly(
    samples: Int16[np.ndarray, " T"], words: Sequence[Sequence[Pronunciation]]
) -> Times:
    """Times where alignment fails: every phone gets the same share of what sounds.

    Arguments and result are those of `Aligner.align`; the first way of every word is taken.
    Raises SynthError on silence.
    """
    first, last = _sounding(samples)
    phones = [(number, phone) for number, word in enumerate(words) for phone in word[0]]
    edges = np.linspace(first, last, len(phones) + 1) / SAMPLE_RATE_HZ
    return [
        (word, phone, float(start_s), float(end_s))
        for (word, phone), start_s, end_s in zip(phones, edges[:-1], edges[1:], strict=True)
    ]


def _sounding(samples: Int16[np.ndarray, " T"]) -> tuple[int, int]:
    """The first sample that sounds and the one behind the last, to 10 ms."""
    blocks = np.abs(samples[: len(samples) // _BLOCK * _BLOCK].astype(np.int32))
    peaks = blocks.reshape(-1, _BLOCK).max(1, initial=0)
    loud = np.flatnonzero(peaks > peaks.max(initial=0) * 10 ** (_LOUD_DB / 20))
    if not len(loud):
        raise SynthError("the engine returned silence; try another voice")
    return int(loud[0]) * _BLOCK, int(loud[-1] + 1) * _BLOCK
