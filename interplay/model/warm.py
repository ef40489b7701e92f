"""An interaction model around the weights of a language model. Knows nothing of files or training.

Backbone and tables of words are taken over bit for bit. Everything else is new and as quiet as the
old words are, so that the backbone finds inputs of a size it knows: it was trained on one word per
position, and ours have sound, a clock, and up to eleven words in other roles.
"""

from dataclasses import replace

import torch
from torch import Tensor

from interplay.model.embed import WORD_STD, Embed
from interplay.model.foreign import Foreign
from interplay.model.interaction import InteractionModel, ModelConfig
from interplay.model.named import model_config
from interplay.model.see import FoldLayer, SeeConfig
from interplay.model.voice import VoiceHead
from interplay.turns.follow import FIRST_WORD
from interplay.turns.layout import TEXT_OUT

ROLE = 0.1  # of a word in another role than its own: with signs turned it is noise at first
ROUND_ROWS = 64  # rows of a table come in multiples, so that no vector loop has a scalar tail


def warm_config(foreign: Foreign, *, heads: str, eyes: bool) -> ModelConfig:
    """The shape around `foreign`; heads and vocoder are those of the size called `heads`.

    Raises ConfigError with the valid names.
    """
    like, dim = model_config(heads), foreign.config.dim
    num_rows = FIRST_WORD + len(foreign.read)
    return replace(
        like,
        backbone=foreign.config,
        voice=replace(like.voice, dim=dim),
        vocab_size=-(-num_rows // ROUND_ROWS) * ROUND_ROWS,
        see=SeeConfig(dim=dim) if eyes else None,
    )


@torch.no_grad()
def warm_model(foreign: Foreign, config: ModelConfig, *, seed: int) -> InteractionModel:
    """Old weights in their places, new ones drawn from `seed`; float32, evaluation mode.

    `read_text` and then `plain_logits` of it give the language model's logits of token i in column
    i + FIRST_WORD.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InteractionModel(config)
        model.backbone.load_state_dict(foreign.backbone)
        _fill_table(model.embed.tokens, foreign.read)
        if foreign.written is foreign.read:
            model.words.copy_(model.embed.tokens)
        else:
            _fill_table(model.words, foreign.written)
    model.word_streams[TEXT_OUT.index("say")] = 1.0  # own words: the language model's own head
    loudness = _rms(foreign.read) / WORD_STD
    _quieten(model.embed, loudness)
    _even_out(model.voice, _rms(model.backbone.norm), loudness)
    return model.eval()


def _fill_table(table: Tensor, rows: Tensor) -> None:
    """Rows of control tokens and unused ones begin as the average row does, give or take as much
    as rows differ: none of them is likelier than the words are (Hewitt 2021)."""
    old = rows.float()
    table.copy_(old.mean(0) + old.std(0) * torch.randn_like(table))
    table[FIRST_WORD : FIRST_WORD + len(rows)] = old


def _quieten(embed: Embed, loudness: float) -> None:
    """Sound, slots, clock and eyes stand to the words as in models trained from nothing."""
    scaled = [embed.mel_norm, embed.tags, embed.hear_slots, embed.out_slots, embed.quiet]
    if embed.see:
        last = embed.see.layers[-1]
        assert isinstance(last, FoldLayer)
        scaled.append(last.norm)
    for weight in (*scaled, *embed.phases):
        weight.mul_(loudness)
    for roles in (embed.before_role, embed.newest_roles, embed.follow_roles):
        roles.mul_(ROLE)


def _even_out(voice: VoiceHead, hidden: float, words: float) -> None:
    """The heads see hidden states and words as loud as in models trained from nothing."""
    dim = voice.config.dim
    for weight in (voice.mean_in, voice.flow_condition):
        weight[:, :dim] /= hidden
        weight[:, dim : 2 * dim] /= words


def _rms(values: Tensor) -> float:
    return float(values.float().square().mean().sqrt())
