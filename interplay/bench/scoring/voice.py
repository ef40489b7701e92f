"""Scores of the sound itself: words of the model's voice as recognisers take them.

One recogniser is pocketsphinx with its own acoustic model and a closed grammar: any sequence of a
hundred words, those of the item and others, however many items there are. The other is the
measured model, which listens to itself.
Knows nothing of when or why something was said.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pocketsphinx
from jaxtyping import Int16

from interplay.bench.listening.recognisers import utterance_sounds
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.scoring.hearing import word_errors
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Trace, normal
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import At, Clip, Heard, Item, Say, Speak, Type, When
from interplay.data.phones import PHONES, SILENCE

INSERTION_PENALTY = 1e-4  # set on flite's own speech: without it short words fill every breath
GRAMMAR_WORDS = 100
ITSELF = "self"  # kind of an item in which the model listens to itself
_DICTIONARY_NAME = {"AX": "AH", "DX": "T", "OH": "AA"}


def vocabulary(items: Iterable[Item]) -> list[str]:
    """Every word of the items' texts."""
    texts: list[str] = []
    for item in items:
        texts += [cue.text for cue in item.cues if isinstance(cue, Speak | Type)]
        texts += [text for e in item.expect if isinstance(e, Say | At) for text in e.text]
    return sorted(set(normal(" ".join(texts))))


class Recognizer:
    """pocketsphinx with grammars that let any word follow any other.

    words: what the grammars are filled up with. A word missing in its dictionary gets the phones
    that `synthesize` speaks it with.
    """

    def __init__(self, words: Sequence[str], synthesize: Synthesizer, voice: str) -> None:
        self._others, self._synthesize, self._voice = list(words), synthesize, voice
        self._decoder = pocketsphinx.Decoder(
            lm=None, loglevel="FATAL", samprate=SAMPLE_RATE_HZ, cmn="batch", wip=INSERTION_PENALTY
        )

    def listen_for(self, words: Iterable[str], seed: int) -> None:
        """From now on: these words, and others drawn by `seed` up to GRAMMAR_WORDS."""
        grammar = dict.fromkeys(words)
        for number in np.random.default_rng(seed).permutation(len(self._others)):
            if len(grammar) >= GRAMMAR_WORDS:
                break
            grammar[self._others[number]] = None
        for word in grammar:
            if self._decoder.lookup_word(word) is None:
                phones = dictionary_phones(self._synthesize(word, self._voice).phones)
                self._decoder.add_word(word, phones, False)
        loop = f"#JSGF V1.0;\ngrammar loop;\npublic <loop> = ( {' | '.join(sorted(grammar))} )+ ;\n"
        self._decoder.add_jsgf_string("loop", loop)
        self._decoder.activate_search("loop")

    def words(self, samples: Int16[np.ndarray, " T"]) -> list[str]:
        """What was said in one utterance."""
        self._decoder.reinit_feat()  # what it heard before changes nothing
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), no_search=False, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr.split() if hypothesis else []

    def words_of(self, trace: Trace) -> list[str]:
        """What the model's track says, utterance by utterance, if it is words like these."""
        self.listen_for([*wanted_words(trace), *own_words(trace)], trace.item.seed)
        return [word for _, sound in utterance_sounds(trace) for word in self.words(sound)]


def dictionary_phones(spans: Iterable[tuple[int, float, float]]) -> str:
    """Phones of an utterance in the dictionary's inventory."""
    names = [PHONES[phone] for phone, *_ in spans if phone != SILENCE and PHONES[phone] != "Q"]
    return " ".join(_DICTIONARY_NAME.get(name, name) for name in names)


def own_words(trace: Trace) -> list[str]:
    """What the model meant to say aloud; what it should have said if it said nothing."""
    said = [word.text for word in trace.spoken()]
    return said or wanted_words(trace)


def wanted_words(trace: Trace) -> list[str]:
    """The first wording of everything the item wants said."""
    texts = [e.text[0] for e in trace.item.expect if isinstance(e, Say | At)]
    return normal(" ".join(texts))


def accuracy(said: list[str], recognised: list[str]) -> Outcome:
    """Word accuracy 1 - errors / words of one item, weighted by its words, at least 0."""
    notes = () if recognised else ("nothing_recognised",)
    hits = max(0, len(said) - word_errors(said, recognised))
    return Outcome(value=hits, of=len(said), notes=notes)


def item_for_itself(trace: Trace) -> Item | None:
    """An item in which the model's own voice is the user; None if it was silent."""
    sounds = [sound for _, sound in utterance_sounds(trace)]
    if not sounds:
        return None
    track, words = np.concatenate(sounds), " ".join(own_words(trace))
    return Item(
        kind=ITSELF,
        seed=trace.item.seed,
        length_s=len(track) / SAMPLE_RATE_HZ + 2.0,
        cues=(Clip(samples=track, word=words, at=When(seconds=0.5)),),
        expect=(Heard(text=words),),
        first_turn=trace.item.first_turn,
    )
