"""Sessions of the training played live: what counts as right, and what is compared with what."""

import numpy as np
import pytest

from interplay.bench import alone
from interplay.bench.alone import Played, compare, decisions, play, show, utterances
from interplay.data.compose import Composer
from interplay.data.timeline import Timeline
from interplay.errors import ConfigError
from interplay.model.checkpoint import Loaded
from interplay.model.griffin_lim import GriffinLim
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.turns import tokens
from interplay.turns.tokens import Tokenizer

NUM_TURNS = 40


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["say red in four seconds", "one two three blue"], 300)


def session(tokenizer: Tokenizer, *, say=(), act=(), heard="") -> Timeline:
    """say, act: (second, tokens)."""
    timeline = Timeline(NUM_TURNS, tokenizer)
    for stream, written in (("say", say), ("act", act)):
        for time_s, ids in written:
            timeline.write(stream, ids, int(20 * time_s))
    timeline.write("heard", tokenizer.encode(heard), 0)
    return timeline


def played(due: Timeline, was: Timeline) -> Played:
    written = {name: getattr(was.streams, name) for name in ("heard", "say", "act")}
    return Played(due=due.streams, say_known=due.say_known, written=written)


def test_what_comes_at_its_time_is_right_and_what_nothing_asked_for_is_undue(tokenizer):
    def word(text: str) -> list[int]:
        return [*tokenizer.encode(text), tokens.END]

    timer = [tokens.TIMER, tokens.count_token(4), *word("red")]
    due = session(
        tokenizer,
        say=[(1.0, word("one")), (3.0, word("two")), (5.0, word("three"))],
        act=[(0.5, timer), (4.5, [tokens.DUE, *word("red")]), (6.0, [tokens.NOTE, *timer])],
        heard="say red in four seconds",
    )
    was = session(
        tokenizer,
        say=[(1.4, word("one")), (3.8, word("two")), (5.0, word("three")), (7.0, word("three"))],
        act=[(0.5, timer), (4.5, [tokens.DUE, *word("blue")])],
        heard="say red in seconds",
    )
    found = compare([played(due, was)], tokenizer)
    assert found == {
        "heard_errors": 1 / 5,
        "said": 2 / 3,
        "said_undue": 2 / 3,
        "decided": 1 / 2,
        "decided_undue": 1 / 2,
    }
    due.say_known[15] = False  # "two" stands there by mistake: it may come or not
    found = compare([played(due, was)], tokenizer)
    assert (found["said"], found["said_undue"]) == (1.0, 1.0)
    assert set(compare([played(due, due)], tokenizer).values()) == {0.0, 1.0}


def test_pieces_end_where_they_should(tokenizer):
    red, blue = tokenizer.encode("red"), tokenizer.encode("blue")
    timeline = session(
        tokenizer,
        say=[(1.0, [*red, tokens.STOP, *blue, tokens.END])],
        act=[
            (1.0, [tokens.CANCEL, tokens.EVERY, *red, tokens.TEXT, *blue, tokens.END]),
            (3.0, [tokens.NOTE, tokens.EVERY, *red, tokens.END]),
        ],
    )
    assert [piece.text for piece in utterances(timeline.streams.say, tokenizer)] == ["red", "blue"]
    names = [piece.text for piece in decisions(timeline.streams.act, tokenizer)]
    assert names == ["<cancel>", "<every> red<text> blue"]


def test_a_session_is_played_live_and_shown(tokenizer, monkeypatch):
    class Scripted(Composer):
        """Needs no corpus."""

        def __init__(self):
            pass

        def timeline(self, rng, num_turns, mix):
            return session(tokenizer, heard="say red", say=[(1.0, tokenizer.encode("red"))])

        def microphone(self, timeline, rng):
            return np.zeros(timeline.num_samples - 100, np.float32)

    monkeypatch.setattr(alone, "NUM_TURNS", NUM_TURNS)
    config = model_config("tiny", vocab_size=tokenizer.vocab_size)
    model = InteractionModel(config).eval()
    loaded = Loaded(
        model=model, vocoder=GriffinLim(), tokenizer=tokenizer, config=config, facts={"name": "t"}
    )
    first, second = play(loaded, Scripted(), "once", 2)
    assert np.array_equal(first.due.heard, second.due.heard)
    assert all(row.shape == (NUM_TURNS, 4) for row in first.written.values())
    lines = list(show(first, tokenizer))
    assert len(lines) == 6 and "[1.0] red" in next(line for line in lines if "say   due" in line)
    for family, why in (
        ("entering", "needs eyes"),
        ("running", "those that can are"),
        ("x", "'x'"),
    ):
        with pytest.raises(ConfigError, match=why):
            play(loaded, Scripted(), family, 1)
