"""The text tokenizer: any text comes back, control tokens keep their places."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.errors import ConfigError
from interplay.turns import tokens
from interplay.turns.tokens import SPECIALS, Tokenizer, count_token

TEXTS = ["what is seven plus five", "tell me the days of the week", "seven days"] * 20


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, vocab_size=400)


@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_comes_back_in_lower_case(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == " ".join(text.lower().split())
    assert all(len(SPECIALS) <= i < tokenizer.vocab_size for i in ids)


def test_control_tokens_come_first_and_leave_no_text(tokenizer):
    names = [tokenizer.name(i) for i in range(len(SPECIALS))]
    assert names == list(SPECIALS) and names[0] == "<pad>" and tokens.PAD_ID == 0
    assert names[tokens.NOTE] == "<note>" and names[tokens.END] == "<end>"
    ids = tokenizer.encode("seven days")
    assert tokenizer.decode([tokens.DELEGATE, *ids, count_token(3), tokens.END]) == "seven days"


def test_control_tokens_are_not_spelled_by_text(tokenizer):
    assert tokens.END not in tokenizer.encode("<end>")


def test_a_known_word_is_one_token_wherever_it_stands(tokenizer):
    first, alone = tokenizer.encode("seven plus"), tokenizer.encode("seven")
    assert len(alone) == 1 and first[0] == alone[0]
    assert tokenizer.encode("plus SEVEN")[-1] == alone[0]


def test_json_brings_the_same_tokenizer_back(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), encoding="utf-8")
    again = Tokenizer.load(path)
    assert again.vocab_size == tokenizer.vocab_size
    assert again.encode("tell me the weather") == tokenizer.encode("tell me the weather")


def test_a_foreign_tokenizer_is_refused(tokenizer):
    foreign = json.loads(tokenizer.to_json())
    foreign["added_tokens"] = []
    foreign["model"]["vocab"].pop("<note>")
    with pytest.raises(ConfigError, match="lacks the control tokens <pad>"):
        Tokenizer.from_json(json.dumps(foreign))


def test_counts_have_one_token_from_0_to_60(tokenizer):
    ids = [count_token(seconds) for seconds in range(61)]
    assert [tokenizer.name(i) for i in ids] == [f"<t{k}>" for k in range(61)]
    for outside in (-1, 61):
        with pytest.raises(ConfigError, match="0 to 60 s"):
            count_token(outside)
