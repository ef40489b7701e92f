"""Items in the structure of Full-Duplex-Bench V1, made here: pauses, turns, nods, interruptions.

Differences from the published set, all on purpose: requests that a model of a few hundred words
can answer; the interruption comes a moment after the model began to speak (closed loop), wherever
that is, instead of at a fixed time; it is followed by 10 s instead of 15 s. Knows nothing of
scores.
"""

import numpy as np

from interplay.bench.suites import fdb_twin as twin
from interplay.bench.suites.fdb_rules import BIN_S
from interplay.data.item import At, Cue, Expect, Item, NoTakeover, Say, StopBy, When
from interplay.data.texts import vocabulary

PAUSE_S = (0.4, 1.0)
AFTER_TURN_S, AFTER_INTERRUPTION_S = 5.0, 10.0
BREATH_S = (0.35, 0.6)  # between two sentences of a monologue
NUM_SENTENCES = (4, 6)
NOD_DUE_S, NOD_WINDOW_S = 0.15, 0.6  # from the end of a sentence


def pause(rng: np.random.Generator, number: int) -> Item:
    """One turn with a pause where its sentence is open; the item ends with the turn.

    Whoever makes a turn of it has spoken inside: the answer would come after the item.
    """
    user, asked, told = twin.somebody(rng), twin.recital(rng), twin.statement(rng)
    text, pause_s = f"{told} {asked.text}", float(rng.uniform(*PAUSE_S))
    at = twin.at_first(rng)
    word = len(told.split()) - 2  # the statement lacks its last word
    cue = user.says(text, at, pause_after_word=word, pause_s=pause_s)
    return twin.item(
        rng,
        number,
        kind="fdb1_pause",
        length_s=at.seconds + user.seconds(text) + pause_s,
        cues=[cue],
        expect=[NoTakeover(cue=0), Say(text=(asked.answer,), after=0)],
        about={"part": "pause"},
    )


def turn(rng: np.random.Generator, number: int) -> Item:
    """A request and the silence in which it is answered."""
    user, asked, at = twin.somebody(rng), twin.recital(rng), twin.at_first(rng)
    return twin.item(
        rng,
        number,
        kind="fdb1_turn",
        length_s=at.seconds + user.seconds(asked.text) + AFTER_TURN_S,
        cues=[user.says(asked.text, at)],
        expect=[Say(text=(asked.answer,), after=0)],
        about={"part": "turn", "cue": 0},
    )


def interrupt(rng: np.random.Generator, number: int) -> Item:
    """A request that cuts into the answer to another one."""
    user, at = twin.somebody(rng), twin.at_first(rng)
    asked = twin.recital(rng, long=True)
    while (other := twin.recital(rng)).answer == asked.answer:
        pass
    after_s = float(rng.uniform(*twin.AFTER_ONSET_S))
    seconds = at.seconds + user.seconds(asked.text) + 1.5 + after_s + user.seconds(other.text)
    return twin.item(
        rng,
        number,
        kind="fdb1_interrupt",
        length_s=seconds + AFTER_INTERRUPTION_S,
        cues=[
            user.says(asked.text, at),
            user.says(other.text, When(seconds=after_s, after="voice", cue=0)),
        ],
        expect=[
            Say(text=(asked.answer,), after=0),
            StopBy(after=1),
            Say(text=(other.answer,), after=1),
        ],
        about={"part": "interrupt", "cue": 1},
    )


def backchannel(rng: np.random.Generator, number: int) -> Item:
    """A monologue in several sentences; a listener may nod after each but the last."""
    user, at = twin.somebody(rng), twin.at_first(rng)
    told = [twin.statement(rng) for _ in range(int(rng.integers(*NUM_SENTENCES)))]
    breaths = [float(rng.uniform(*BREATH_S)) for _ in told[1:]]
    cues: list[Cue] = [user.says(told[0], at)]
    ends = [at.seconds + user.seconds(told[0])]
    for index, (text, breath_s) in enumerate(zip(told[1:], breaths, strict=True)):
        cues.append(user.says(text, When(seconds=breath_s, after="cue_end", cue=index)))
        ends.append(ends[-1] + breath_s + user.seconds(text))
    nod = twin.pick(rng, list(vocabulary.BACKCHANNELS))
    expect: list[Expect] = [
        At(text=(nod,), after=index, due_s=NOD_DUE_S) for index in range(len(told) - 1)
    ]
    length_s = ends[-1] + NOD_WINDOW_S
    return twin.item(
        rng,
        number,
        kind="fdb1_backchannel",
        length_s=length_s,
        cues=cues,
        expect=expect,
        about={"part": "backchannel", "people": people(ends[:-1], length_s)},
    )


def people(ends_s: list[float], length_s: float) -> list[float]:
    """Shares per 0.2 s: alike in the moments after every sentence end, nothing elsewhere."""
    shares = np.full(int(length_s / BIN_S) + 1, 1e-10)
    for end_s in ends_s:
        shares[int(end_s / BIN_S) : int((end_s + NOD_WINDOW_S) / BIN_S) + 1] += 1
    return [float(share) for share in shares / shares.sum()]


PARTS = {"pause": pause, "turn": turn, "backchannel": backchannel, "interrupt": interrupt}


def items(num_items: int, seed: int) -> list[Item]:
    """So many items of every part; the same for ever for the same seed."""
    return [
        make(rng, number)
        for index, make in enumerate(PARTS.values())
        for number, rng in twin.draws(index, num_items, seed)
    ]
