"""Recognisers: which words a system's sound has, and when; put in place of its own transcript.

pocketsphinx with its own general English model is built in, and Whisper through faster-whisper
(`faster-whisper`, or `faster-whisper:MODEL`); packages add others under the entry point group
`interplay.recognisers`: a function without arguments that gives a `Recogniser`. A system's own
words are the default source. Numbers from different sources never share a column: the name of the
source goes into the result. Knows nothing of suites or scores.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int16

from interplay.bench.listening import plugins
from interplay.bench.traces.trace import Span, Trace, Word, merged, normal
from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import ConfigError

OWN = "own"  # the source that is no recogniser: the system's own transcript
GROUP = "interplay.recognisers"
PAUSE_S = 0.6  # utterances further apart are recognised one by one
PAD_S = 0.25  # of near-silence around what is recognised
MARGIN_S = 0.1  # of the track around what is audible: consonants begin and end below that
FRAME_S = 0.01  # of pocketsphinx
_FLOOR = 8  # peak of the near-silence; digital zero confuses recognisers
TimedWord = tuple[str, float, float]


@runtime_checkable
class Recogniser(Protocol):
    """name: goes into the results, with whatever changes what it hears (model, version)."""

    name: str

    def words(self, samples: Int16[np.ndarray, " T"]) -> list[TimedWord]:
        """(word, start, end) in seconds from the first sample; 16 kHz mono."""
        ...


class PocketSphinx:
    """The acoustic model, dictionary and trigram model inside the wheel: general US English."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise ConfigError(
                "the recogniser pocketsphinx needs the `bench` extra: pip install interplay[bench]"
            ) from error
        self._decoder = pocketsphinx.Decoder(
            loglevel="FATAL", samprate=SAMPLE_RATE_HZ, cmn="batch", bestpath=True
        )

    def words(self, samples: Int16[np.ndarray, " T"]) -> list[TimedWord]:
        decoder = self._decoder
        decoder.reinit_feat()  # what it heard before changes nothing
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), no_search=False, full_utt=True)
        decoder.end_utt()
        found = []
        for segment in decoder.seg() or ():
            word = segment.word.split("(")[0]  # "the(2)" is another way to say "the"
            if not word.startswith(("<", "[", "+")):
                start_s, end_s = segment.start_frame * FRAME_S, (segment.end_frame + 1) * FRAME_S
                found.append((word, start_s, end_s))
        return found


class FasterWhisper:
    """Whisper in the implementation of SYSTRAN/faster-whisper: English, beam of 5, every utterance
    by itself. model: a size (`small.en`, `large-v3`) or a folder; weights are fetched when first
    used."""

    def __init__(self, model: str = "small.en") -> None:
        try:
            whisper = import_module("faster_whisper")
        except ImportError as error:
            raise ConfigError(
                "the recogniser faster-whisper needs the `whisper` extra: "
                "pip install 'interplay[whisper]'"
            ) from error
        self.name = f"faster-whisper:{model}"
        self._model = whisper.WhisperModel(model)

    def words(self, samples: Int16[np.ndarray, " T"]) -> list[TimedWord]:
        segments, _ = self._model.transcribe(
            samples.astype(np.float32) / 32768,
            language="en",
            beam_size=5,
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        return [
            (word.word.strip(), float(word.start), float(word.end))
            for segment in segments
            for word in segment.words
        ]


BUILT_IN: dict[str, Callable[[], Recogniser]] = {
    PocketSphinx.name: PocketSphinx,
    "faster-whisper": FasterWhisper,
}


def names() -> list[str]:
    """Every recogniser that can be asked for here."""
    return sorted({*BUILT_IN, *plugins.names(GROUP)})


def recogniser(name: str) -> Recogniser:
    """The recogniser of a name. Raises ConfigError if there is none, or if it is none."""
    kind, _, model = name.partition(":")
    if kind == "faster-whisper" and model:
        return FasterWhisper(model)
    if name in BUILT_IN:
        return BUILT_IN[name]()
    gives = "`name` and `words(samples)`"
    if found := plugins.plugin(GROUP, name, Recogniser, what="recogniser", gives=gives):
        return found
    raise ConfigError(
        f"no recogniser {name!r}; there are {OWN} (the system's own words), {', '.join(names())}"
    )


def transcribed(trace: Trace, source: Recogniser) -> Trace:
    """The trace with the words of its sound in place of the system's own words.

    Only what sounds is recognised, utterance by utterance, so silence is never heard as words. A
    transcript has no capitals, marks or line breaks: what asks for them cannot be met by it.
    """
    words: list[Word] = []
    for (start_s, end_s), sound in utterance_sounds(trace):
        for text, first_s, last_s in source.words(sound):
            zero_s = start_s - MARGIN_S - PAD_S
            begin_s = max(zero_s + first_s, start_s)
            finish_s = max(min(zero_s + last_s, end_s), begin_s)
            words += [Word(text=w, start_s=begin_s, end_s=finish_s) for w in normal(text)]
    return replace(trace, say=tuple(words), say_pieces=(), transcribed=True)


def utterance_sounds(trace: Trace) -> list[tuple[Span, Int16[np.ndarray, " T"]]]:
    """The model's track cut into utterances: when, and the sound from MARGIN_S before to MARGIN_S
    after, with PAD_S of near-silence on either side."""
    pad = np.random.default_rng(0).integers(-_FLOOR, _FLOOR + 1, int(PAD_S * SAMPLE_RATE_HZ))
    pad = pad.astype(np.int16)
    track, margin = np.concatenate([pad, trace.model, pad]), round(MARGIN_S * SAMPLE_RATE_HZ)
    found = []
    for span in merged(trace.voice, PAUSE_S):
        first, last = (len(pad) + round(time_s * SAMPLE_RATE_HZ) for time_s in span)
        found.append((span, np.concatenate([pad, track[first - margin : last + margin], pad])))
    return found
