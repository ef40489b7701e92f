"""Items in which the user asks for something and then films, and what was said meanwhile.

The user speaks an instruction, is quiet for two seconds in which it may be acknowledged, then
shows a film without its sound. Times of what was said are those of the film: 0 is its first frame.
Knows nothing of what is to be seen or of scores.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interplay.bench.scoring.answering import sound_of
from interplay.bench.traces.spoken import utterances
from interplay.bench.traces.trace import Span, Trace, Word
from interplay.bench.wording.written import speakable
from interplay.clock import TURN_S
from interplay.data.heldout import SEED_BASES, duration_s
from interplay.data.item import At, Item, Noise, Show, Speak, When
from interplay.data.voices import random_voice

BEFORE_S = 0.6
ACKNOWLEDGE_S = 2.0  # from the end of the instruction to the film
TAIL_S = 3.0  # what is said so soon after the film still counts
ENDLESS_S = 6.0  # talk without a pause for longer than this counts as several utterances ...
PIECE_S = 2.5  # ... of this length
Due = tuple[str, float]  # what an ideal system would say, and when in the film


def watch(
    kind: str,
    index: int,
    instruction: str,
    frames: Callable[[], Iterable[np.ndarray]],
    length_s: float,
    *,
    due: Sequence[Due],
    subset: str = "",
    about: Mapping[str, Any],
    seed: int = 0,
    split: str = "test",
) -> Item:
    """An item: cue 0 speaks, cue 1 shows.

    instruction: any English text. index: of the item in its suite; with `seed` it gives the voice.
    length_s: of the film; it is added to `about` as `film_s`. due: in order.
    split: of the voices; `train` for choices that must not see what is held out.
    """
    number = SEED_BASES[split] + seed * 100_000 + index
    rng = np.random.default_rng([number, 0x5EE])
    spoken = speakable(instruction)
    expect = [At(text=(speakable(text),), after=1, due_s=time_s - length_s) for text, time_s in due]
    total_s = BEFORE_S + duration_s(spoken) + ACKNOWLEDGE_S + TURN_S + length_s + TAIL_S
    speak = Speak(
        text=spoken,
        voice=random_voice(rng, split),
        at=When(seconds=BEFORE_S),
        gain_db=float(rng.uniform(-6, 2)),
    )
    show = Show(
        frames=frames,
        length_s=length_s,
        at=When(seconds=ACKNOWLEDGE_S, after="cue_end", cue=0),
    )
    return Item(
        kind=kind,
        seed=number,
        length_s=float(np.ceil(total_s * 5) / 5),
        cues=(speak, show, Noise(level_db=-60.0)),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
        subset=subset,
        about={**about, "film_s": length_s},
    )


def film(trace: Trace) -> Span | None:
    """When the film of an item began and ended; None if it never came."""
    shows = [i for i, cue in enumerate(trace.item.cues) if isinstance(cue, Show)]
    return trace.cues[shows[0]] if shows else None


def words_during(trace: Trace) -> list[Word]:
    """Words that sound from the film's first frame to TAIL_S after its last, on its clock.

    A word starts with its first sound, which follows it on `say` where the text runs ahead.
    """
    span = film(trace)
    if span is None:
        return []
    heard = [(word, sound_of(trace, word) or word.start_s) for word in trace.spoken()]
    return [
        replace(word, start_s=at_s - span[0], end_s=max(word.end_s, at_s) - span[0])
        for word, at_s in heard
        if span[0] <= at_s <= span[1] + TAIL_S
    ]


def said_during(trace: Trace) -> list[tuple[float, str]]:
    """Utterances (onset, text) that begin in the film or within TAIL_S after it, on its clock.

    An utterance ends at a pause (bench.traces.trace) and counts from its onset with all its words.
    Only endless talk is cut into pieces: it hides neither a right answer nor a wrong one.
    """
    span = film(trace)
    if span is None:
        return []
    pieces: list[tuple[float, list[Word]]] = []
    for (start, end), words in utterances(trace):
        first_s, is_endless = start, end - start > ENDLESS_S
        for count, word in enumerate(words):
            at_s = max(start, word.start_s)
            if count == 0 or (is_endless and at_s - first_s >= PIECE_S):
                first_s = start if count == 0 else at_s
                pieces.append((first_s, []))
            pieces[-1][1].append(word)
    return [
        (onset - span[0], " ".join(word.text for word in words))
        for onset, words in pieces
        if span[0] <= onset <= span[1] + TAIL_S
    ]
