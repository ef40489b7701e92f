"""What the answers are, practised without a sound: closed questions as if they had been heard.

A question with its sound takes twenty micro-turns and a fact needs hundreds of repetitions; here
it takes five. Nothing is learnt of ears, gate or voice. Knows nothing of batches or clips.
"""

from dataclasses import replace

import numpy as np

from interplay.clock import NUM_SLOTS
from interplay.data.example import Example
from interplay.data.texts.questions import Question, facts
from interplay.data.timeline import UNKNOWN, Timeline
from interplay.turns import tokens

SHARES = {"arithmetic": 0.6, "opposite": 0.3, "colour": 0.04, "day": 0.03, "spelling": 0.03}
WORDS_PER_TURN = (2.0, 2.0, 1.0, 0.7)  # paces of speaking
REST_TURNS = (1, 4)


def drill(timeline: Timeline, hear_bins: np.ndarray, rng: np.random.Generator) -> Example:
    """A session full of closed questions of the training split; `hear_bins`, uint8 [N, 4, S, 80],
    is what the microphone has of a room in which nobody speaks."""
    by_kind = {kind: [q for q in facts("train") if q.kind == kind] for kind in SHARES}
    kinds, shares = list(SHARES), list(SHARES.values())
    turn = 1
    while turn < timeline.num_turns:
        asked = by_kind[kinds[rng.choice(len(kinds), p=shares)]]
        end = _ask(timeline, asked[rng.integers(len(asked))], turn, rng)
        turn = end + int(rng.integers(*REST_TURNS))
    example = timeline.example(hear_bins)
    return replace(
        example,
        phones_user=np.full_like(example.phones_user, UNKNOWN),
        phones_own=np.full_like(example.phones_own, UNKNOWN),
        heard_known=np.zeros_like(example.heard_known),
        muted=True,
    )


def _ask(timeline: Timeline, asked: Question, turn: int, rng: np.random.Generator) -> int:
    """The question from micro-turn `turn` on and its answer; returns the micro-turn after it."""
    encode, pace = timeline.tokenizer.encode_word, rng.choice(WORDS_PER_TURN)
    slot = timeline.write("heard", [tokens.TEXT], NUM_SLOTS * turn)
    last = turn
    for k, word in enumerate(asked.text.split()):
        last = turn + int(k / pace)
        slot = timeline.write("heard", encode(word), max(slot, NUM_SLOTS * last))
    ids = [token for word in asked.answer.split() for token in encode(word)]
    end = timeline.write("say", [*ids, tokens.END], max(slot, timeline.slot_after(last)))
    return -(-end // NUM_SLOTS)
