"""pocketsphinx with a closed grammar: any sequence of a hundred words, those that are
listened for and others, by its own acoustic model.

Knows nothing of when or why something was said.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pocketsphinx
from jaxtyping import Int16

from interplay.bench.listening.recognisers import utterance_sounds
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.traces.trace import Trace
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.phones import PHONES, SILENCE

INSERTION_PENALTY = 1e-4  # set on flite's own speech: without it short words fill every breath
GRAMMAR_WORDS = 100
_DICTIONARY_NAME = {"AX": "AH", "DX": "T", "OH": "AA"}


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

    def words_of(self, trace: Trace, wanted: Iterable[str]) -> list[str]:
        """What the model's track says, utterance by utterance, if it is words like those wanted."""
        self.listen_for(wanted, trace.item.seed)
        return [word for _, sound in utterance_sounds(trace) for word in self.words(sound)]


def dictionary_phones(spans: Iterable[tuple[int, float, float]]) -> str:
    """Phones of an utterance in the dictionary's inventory."""
    names = [PHONES[phone] for phone, *_ in spans if phone != SILENCE and PHONES[phone] != "Q"]
    return " ".join(_DICTIONARY_NAME.get(name, name) for name in names)
