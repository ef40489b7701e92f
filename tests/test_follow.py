"""What came next the last time: against a plain search, and on texts one can read."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.turns.follow import (
    BORDER,
    CONTEXT,
    FIRST_WORD,
    MEMORY,
    NO_BORDER,
    PAIRS,
    STREAMS,
    follow,
    no_memory,
    remember,
)
from interplay.turns.tokens import DUE, END, EVERY, TEXT, TIMER, count_token

A, B, C, D = range(FIRST_WORD, FIRST_WORD + 4)


def memory_of(**texts: list[int]) -> np.ndarray:
    memory = no_memory(1)
    for name, tokens in texts.items():
        for token in tokens:
            row = np.zeros((1, len(STREAMS)), np.int32)
            row[0, STREAMS.index(name)] = token
            memory = remember(memory, row)
    return memory


def found(written: str, followed: str, **texts: list[int]) -> int:
    return int(follow(memory_of(**texts))[0, PAIRS.index((written, followed))])


def plain(written: list[int], followed: list[int]) -> int:
    """The definition, word by word."""

    def one(token: int) -> int:
        return BORDER if 0 < token < FIRST_WORD else token

    context, source = [one(t) for t in written or [END]], [one(t) for t in followed[-MEMORY:]]
    best, answer = 0, 0
    for at in range(CONTEXT, len(source)):
        length = 0
        while (
            length < min(CONTEXT, len(context)) and source[at - 1 - length] == context[-1 - length]
        ):
            length += 1
        if source[at] == BORDER and context and context[-1] == BORDER:
            length = 0
        if length and length >= best:
            best, answer = length, source[at]
    return answer


tokens = st.lists(st.sampled_from([END, TEXT, A, B, C, D]), max_size=30)


@settings(max_examples=200, deadline=None)
@given(tokens, tokens)
def test_it_is_the_newest_of_the_longest_agreements(written, followed):
    padded = [0] * CONTEXT + followed  # the memory begins empty
    expected = plain(written, padded)
    assert found("say", "read", say=written, read=followed) == expected


def test_a_text_is_followed_word_by_word_from_its_first():
    text = [TEXT, A, B, A, C, END]
    assert found("say", "read", read=text) == A, "nothing was said before"
    assert found("say", "read", read=text, say=[D, END]) == A
    assert found("say", "read", read=text, say=[D, END, A]) == B
    assert found("say", "read", read=text, say=[D, END, A, B]) == A
    assert found("say", "read", read=text, say=[D, END, A, B, A]) == C, "two words decide"
    assert found("say", "read", read=text, say=[D, END, A, B, A, C]) == BORDER, "it ended"


def test_the_newest_text_wins_and_control_tokens_are_one_border():
    act = [TIMER, count_token(4), A, B, END, count_token(3), count_token(2), DUE]
    assert found("say", "act", act=act, say=[END]) == A
    assert found("say", "act", act=act, say=[END, A]) == B
    assert found("say", "read", read=[TEXT, A, END, TEXT, B, END], say=[C, END]) == B


def test_nothing_agrees_with_nothing():
    assert not follow(no_memory(2)).any()
    assert found("say", "heard", heard=[A, B, C], say=[D]) == 0
    assert found("act", "heard", heard=[A, B, C], say=[A], act=[]) == 0


def test_sessions_do_not_mix():
    one, other = memory_of(read=[TEXT, A, B], say=[A]), memory_of(read=[TEXT, C], say=[A])
    both = follow(np.concatenate([one, other]))
    np.testing.assert_array_equal(both, np.concatenate([follow(one), follow(other)]))


def test_the_memory_forgets_the_oldest():
    memory = memory_of(say=[A] * (MEMORY + 5) + [B])
    assert memory.shape == (1, len(STREAMS), MEMORY)
    assert memory[0, STREAMS.index("say")].tolist() == [A] * (MEMORY - 1) + [B]


def test_a_word_that_is_waited_for_is_known_from_one_that_is_said_then():
    waiting = [EVERY, A, TEXT, B, END]
    assert found("heard", "act", act=waiting, heard=[C, D]) == 0
    assert found("heard", "act", act=waiting, heard=[C, A]) == TEXT
    assert found("heard", "act", act=waiting, heard=[C, B]) == END
    counting = [EVERY, A, count_token(2), END]
    assert found("heard", "act", act=counting, heard=[A]) == count_token(2)
    of_two_words = [EVERY, A, B, TEXT, C, END]
    assert found("heard", "act", act=of_two_words, heard=[D, A]) == B
    assert found("heard", "act", act=of_two_words, heard=[A, B]) == TEXT


def waits_and_says(heard: list[int], act: list[int]) -> int:
    """What the last pair hands over."""
    assert PAIRS[-1] == ("act", "heard") and NO_BORDER == {"heard": (END, EVERY)}
    return int(follow(memory_of(heard=heard, act=act))[0, -1])


def test_a_mark_on_heard_hands_over_what_stands_behind_it():
    heard = [TEXT, C, TEXT, B, END, D, EVERY, A, D, END, C]
    assert waits_and_says(heard, [EVERY]) == A
    assert waits_and_says(heard, [EVERY, A]) == D
    assert waits_and_says(heard, [EVERY, A, D]) == END, "the word has ended"
    assert waits_and_says(heard, [EVERY, A, D, TEXT]) == B
    assert waits_and_says(heard, [EVERY, A, D, TEXT, B]) == END
    timer = [TIMER, count_token(4)]
    assert waits_and_says(heard, timer) == 0, "nobody says that"
    assert found("act", "heard", heard=heard, act=timer) == B, "no text begins but behind <text>"
