"""Questions practised without their sound: what stands where."""

import numpy as np
import pytest

from interplay.clock import NUM_SLOTS
from interplay.data.drill import OPPOSITES, drill
from interplay.data.texts import questions, vocabulary
from interplay.data.timeline import Timeline
from interplay.turns import tokens
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import PAD

NUM_TURNS = 200


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(questions.vocabulary(), 1536)


@pytest.fixture(scope="module")
def session(tokenizer):
    timeline = Timeline(NUM_TURNS, tokenizer)
    return drill(timeline, timeline.streams.hear, np.random.default_rng(3))


def written(session, stream) -> list[tuple[int, int]]:
    """(slot, token) of what stands on a stream."""
    row = getattr(session.streams, stream).reshape(-1)
    return [(int(slot), int(row[slot])) for slot in np.flatnonzero(row != PAD)]


def parts(row: list[tuple[int, int]], border: int) -> list[list[tuple[int, int]]]:
    """What stands between the `border` tokens of a row."""
    out: list[list[tuple[int, int]]] = [[]]
    for slot, token in row:
        if token == border:
            out.append([])
        else:
            out[-1].append((slot, token))
    return [part for part in out if part]


def test_every_question_is_a_training_question_and_is_answered_once_it_is_written(
    session, tokenizer
):
    answers = {q.text: q.answer for q in questions.facts("train")}
    answers |= {o.format(a): b for o in OPPOSITES for a, b in vocabulary.OPPOSITE.items()}
    asked = parts(written(session, "heard"), tokens.TEXT)
    said = parts(written(session, "say"), tokens.END)
    assert len(asked) > NUM_TURNS / 12
    for question, answer in list(zip(asked, said, strict=False))[:-1]:
        text = tokenizer.decode([token for _, token in question]).strip()
        assert tokenizer.decode([token for _, token in answer]).strip() == answers[text]
        last, first = question[-1][0], answer[0][0]
        assert last < first <= last + 2 and first // NUM_SLOTS - last // NUM_SLOTS <= 1
    for answer, question in zip(said, asked[1:], strict=False):
        assert question[0][0] > answer[-1][0], "nobody asks on before the answer"


def test_nothing_is_learnt_of_ears_gate_or_voice(session):
    assert session.muted and not session.heard_known.any()
    assert not session.streams.voice_on.any()
    assert (session.phones_user == -1).all() and (session.phones_own == -1).all()


def test_no_question_of_the_test_split_is_practised():
    held_out = {q.text for q in questions.facts("test")}
    assert held_out.isdisjoint(o.format(w) for o in OPPOSITES for w in vocabulary.OPPOSITE)
