"""What an output slot reads of the text so far."""

import pytest
import torch
from torch import Tensor

from interplay.model.embed import PASSING, Embed, EmbedConfig
from interplay.turns.follow import PAIRS
from interplay.turns.layout import TEXT_OUT

VOCAB = 50
FIRST_MODELS = 5  # pairs that they read
CUE = 2 * len(TEXT_OUT) + PAIRS.index(("heard", "act"))


def read(embed: Embed, *, heard: int, behind: int, at: int = CUE) -> Tensor:
    """One slot after one in which `heard` was heard; `behind` is what a follower found."""
    tokens = torch.zeros(1, 1, 1, 2 * len(TEXT_OUT) + len(PAIRS), dtype=torch.int32)
    tokens[..., TEXT_OUT.index("heard")] = heard
    tokens[..., at] = behind
    voice = torch.zeros(1, 1, 1, 4, 80)
    off = torch.zeros(1, 1, 1, dtype=torch.bool)
    with torch.inference_mode():
        return embed.out(tokens, voice, off, 0, torch.float32)


def test_what_stands_behind_a_word_is_read_in_the_slot_after_it_alone():
    embed = Embed(EmbedConfig(dim=16, vocab_size=VOCAB))
    assert [p for p, passes in zip(PAIRS, PASSING, strict=True) if passes] == [("heard", "act")]
    assert not torch.equal(read(embed, heard=9, behind=3), read(embed, heard=9, behind=0))
    assert torch.equal(read(embed, heard=0, behind=3), read(embed, heard=0, behind=0))


@pytest.mark.parametrize("pair", [k for k, passes in enumerate(PASSING) if not passes])
def test_what_a_writer_may_follow_is_read_all_the_time(pair):
    embed, at = Embed(EmbedConfig(dim=16, vocab_size=VOCAB)), 2 * len(TEXT_OUT) + pair
    found = read(embed, heard=0, behind=3, at=at)
    assert not torch.equal(found, read(embed, heard=0, behind=0, at=at))


def test_an_early_model_reads_no_more_than_it_did():
    embed = Embed(EmbedConfig(dim=16, vocab_size=VOCAB, num_follow=FIRST_MODELS))
    assert len(embed.follow_roles) == FIRST_MODELS
    assert torch.equal(read(embed, heard=9, behind=3), read(embed, heard=9, behind=0))
