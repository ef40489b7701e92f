"""What the answers are, practised without a sound: closed questions as if they had been heard.

A question with its sound takes nineteen micro-turns and a fact needs hundreds of repetitions; here
it takes seven. Nothing is learnt of ears, gate or voice. Knows nothing of batches or clips.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from interplay.clock import NUM_SLOTS
from interplay.data.dry import Dry
from interplay.data.example import UNKNOWN, Example
from interplay.data.texts.questions import Question, facts
from interplay.data.texts.vocabulary import OPPOSITE
from interplay.data.timeline import Timeline
from interplay.turns import tokens

SHARES = {"arithmetic": 0.6, "opposite": 0.3, "colour": 0.04, "day": 0.03, "spelling": 0.03}
# In which the word is not the last. Of closed questions only "the opposite of ... is what" is so,
# and held out for a fifth of the words: with it alone every word is learnt by itself.
OPPOSITES = (
    *("the opposite of {} please", "the opposite of {} would be what", "{} what is the opposite"),
    *("of {} what is the opposite", "now the opposite of {} please"),
)
OTHER_WORDING = 0.5  # of the opposites
WORDS_PER_TURN = (2.0, 2.0, 1.0, 0.7)  # paces of speaking
REST_TURNS = (1, 4)


def drill(timeline: Timeline, heard: np.ndarray | Dry, rng: np.random.Generator) -> Example:
    """A session full of closed questions of the training split. heard: what the microphone has of a
    room in which nobody speaks, as `Timeline.example` takes it."""
    turn = 1
    while turn < timeline.num_turns:
        end = _ask(timeline, *_question(rng), turn, rng)
        turn = end + int(rng.integers(*REST_TURNS))
    return muted(timeline.example(heard))


def muted(example: Example) -> Example:
    """The same without a voice; of ears, gate and voice nothing is learnt."""
    streams = example.streams
    voice, voice_on = np.zeros_like(streams.voice), np.zeros_like(streams.voice_on)
    return replace(
        example,
        streams=replace(streams, voice=voice, voice_on=voice_on),
        phones_user=np.full_like(example.phones_user, UNKNOWN),
        phones_own=np.full_like(example.phones_own, UNKNOWN),
        heard_known=np.zeros_like(example.heard_known),
        muted=True,
    )


def _question(rng: np.random.Generator) -> tuple[str, str]:
    """A question and its answer."""
    kinds, shares = list(SHARES), list(SHARES.values())
    kind = kinds[rng.choice(len(kinds), p=shares)]
    if kind == "opposite" and rng.random() < OTHER_WORDING:
        word = str(rng.choice(list(OPPOSITE)))
        return str(rng.choice(OPPOSITES)).format(word), OPPOSITE[word]
    asked = _asked(kind)
    question = asked[rng.integers(len(asked))]
    return question.text, question.answer


@cache
def _asked(kind: str) -> list[Question]:
    return [question for question in facts("train") if question.kind == kind]


def _ask(
    timeline: Timeline, question: str, answer: str, turn: int, rng: np.random.Generator
) -> int:
    """The question from micro-turn `turn` on and its answer; returns the micro-turn after it."""
    encode, pace = timeline.tokenizer.encode_word, rng.choice(WORDS_PER_TURN)
    slot = timeline.write("heard", [tokens.TEXT], NUM_SLOTS * turn)
    last = turn
    for k, word in enumerate(question.split()):
        last = turn + int(k / pace)
        slot = timeline.write("heard", encode(word), max(slot, NUM_SLOTS * last))
    ids = [token for word in answer.split() for token in encode(word)]
    end = timeline.write("say", [*ids, tokens.END], max(slot, NUM_SLOTS * last + 1))
    return -(-end // NUM_SLOTS)
