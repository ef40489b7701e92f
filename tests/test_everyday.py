"""Everyday English: what is taken from WordNet, and what happens where there is none."""

import numpy as np
import pytest

from interplay.data.corpus import CorpusPlan, plan_requests
from interplay.data.texts import everyday, stories
from interplay.data.texts.questions import split_of

LINES = (
    '  1 a line of the licence says "the wind blew hard all night"',
    '00001740 00 s 01 able 0 001 | having the means; "able to swim"; "she was able to swim home"',
    '00002312 00 a 01 fast 0 001 | quick; "the wind blew hard, all night!"; "NATO (1949) met"',
    '00002098 00 a 01 tame 0 001 | not wild; "the wind blew a tiger all night"',
)


@pytest.fixture
def wordnet(tmp_path, monkeypatch):
    """Every sentence four times over, so that no word is rare; each in one split."""
    many = [f"the wind blew hard {word} night" for word in ("all", "that", "every", "last", "this")]
    lines = [*LINES, *(f'00000000 00 a 01 x 0 001 | of weather; "{text}"' for text in many)]
    (tmp_path / "data.adj").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("INTERPLAY_WORDNET", str(tmp_path))
    return tmp_path


def test_examples_are_plain_known_and_of_the_training(wordnet, monkeypatch):
    monkeypatch.setattr(everyday, "RARE", 1)
    everyday.examples.cache_clear()
    found = everyday.examples(wordnet)
    assert found and all(split_of(text) == "train" for text in found)
    assert not [text for text in found if "nato" in text or "tiger" in text]
    wanted = ["able to swim", "she was able to swim home", "the wind blew hard all night"]
    assert {text for text in wanted if split_of(text) == "train"} <= set(found)
    monkeypatch.setattr(everyday, "RARE", 4)
    everyday.examples.cache_clear()
    assert not [text for text in everyday.examples(wordnet) if "swim" in text]


def test_without_wordnet_users_tell_tales_and_a_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INTERPLAY_WORDNET", str(tmp_path))
    everyday.examples.cache_clear()
    assert not everyday.is_installed()
    assert capsys.readouterr().out.count("apt install wordnet-base") == 1
    assert everyday.draw(np.random.default_rng(0)) is None
    told = [r.text for r in plan_requests(CorpusPlan(scale=0.01)) if r.tag == "everyday"]
    known = {word for pool in stories.SLOTS.values() for text in pool for word in text.split()}
    assert told and {word for text in told for word in text.split()} - known <= {"i", "we"}
