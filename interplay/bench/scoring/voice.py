"""Scores of the sound itself: words of the model's voice as recognisers take them.

One recogniser is pocketsphinx with a closed grammar (bench.listening.grammar): words of the item
and others, however many items there are. The other is the measured model, which listens to itself.
Knows nothing of when or why something was said.
"""

from collections.abc import Iterable

import numpy as np

from interplay.bench.listening.grammar import Recognizer
from interplay.bench.listening.recognisers import utterance_sounds
from interplay.bench.scoring.hearing import word_errors
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Trace, normal
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import At, Clip, Heard, Item, Say, Speak, Type, When

ITSELF = "self"  # kind of an item in which the model listens to itself


def vocabulary(items: Iterable[Item]) -> list[str]:
    """Every word of the items' texts."""
    texts: list[str] = []
    for item in items:
        texts += [cue.text for cue in item.cues if isinstance(cue, Speak | Type)]
        texts += [text for e in item.expect if isinstance(e, Say | At) for text in e.text]
    return sorted(set(normal(" ".join(texts))))


def own_words(trace: Trace) -> list[str]:
    """What the model meant to say aloud; what it should have said if it said nothing."""
    said = [word.text for word in trace.spoken()]
    return said or wanted_words(trace)


def wanted_words(trace: Trace) -> list[str]:
    """The first wording of everything the item wants said."""
    texts = [e.text[0] for e in trace.item.expect if isinstance(e, Say | At)]
    return normal(" ".join(texts))


def words_aloud(recognizer: Recognizer, trace: Trace) -> list[str]:
    """What the model's track says, if it is words like those that were wanted or meant."""
    return recognizer.words_of(trace, [*wanted_words(trace), *own_words(trace)])


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
