"""Named recipes: one GPU, warm starts, tests, and a list of all. Knows nothing of how they run."""

from collections.abc import Callable
from dataclasses import replace

import torch

from interplay.data.compose import ComposeConfig
from interplay.data.corpus import CorpusPlan
from interplay.data.families import LISTENING
from interplay.errors import ConfigError
from interplay.recipes.recipe import Recipe
from interplay.recipes.xs import (
    xs,
    xs_drilled,
    xs_fluent,
    xs_further,
    xs_literal,
    xs_long,
    xs_seeing,
    xs_versed,
    xs_watching,
    xs_whole,
    xs_wide,
)
from interplay.train.losses import LossConfig
from interplay.train.optim import OptimConfig
from interplay.train.texts import TextConfig
from interplay.train.warm import WarmConfig


def s() -> Recipe:
    """The default voice of a laptop: seven times `xs`, an evening on one GPU. All behaviours in one
    run, those for the camera included; what the run teaches first comes back as long as it lasts.
    Its past voice is its own in more and more of the sessions, and some have others talk behind
    the user."""
    return Recipe(
        name="s",
        size="s",
        minutes=75,
        vocoder_share=0.1,
        num_checked=3,
        eyes=True,
        eyes_share=0.05,
        corpus=CorpusPlan(scale=3.0, eyes=3000),
        compose=ComposeConfig(
            batch_size=64,
            known=0.25,
            known_mix=tuple(LISTENING.items()),
            drilled=0.12,
            drilled_until=0.3,
            rehearsed=0.85,
            babble=0.1,
            seen=0.25,
        ),
        losses=LossConfig(flow_from=0.7, own_past=0.3),
        optim=OptimConfig(warmup_steps=200, muon_lr=0.01, adam_lr=1e-3),
        device="cuda",
        hears_there=True,
        export=torch.int8,
    )


def s_moe() -> Recipe:
    """`s` with experts: the same work per position, four times the parameters."""
    return replace(s(), name="s-moe", size="s-moe")


def s_smoke() -> Recipe:
    """All stages of `s` in seconds on a CPU, with a tiny model that learns nothing."""
    whole = s()
    return replace(
        whole,
        name="s-smoke",
        size="tiny",
        minutes=0.1,
        num_said=2,
        num_checked=1,
        num_tuned=0,
        corpus=replace(whole.corpus, scale=0.002, vocab_size=300),
        compose=replace(whole.compose, batch_size=2, num_turns=16, seen_turns=40),
        device="cpu",
    )


def smoke() -> Recipe:
    """Three minutes with a tiny model and a small corpus: does everything fit together?"""
    return Recipe(
        name="smoke",
        size="tiny",
        minutes=3,
        vocoder_share=0.2,
        num_said=8,
        num_tuned=2,
        eyes=True,
        corpus=CorpusPlan(scale=0.03, eyes=3000),
        compose=ComposeConfig(batch_size=8, seen=0.3),
        losses=LossConfig(num_flow_draws=1),
        optim=OptimConfig(warmup_steps=20),
    )


def eyes() -> Recipe:
    """Do eyes learn at all? Repetitions are counted and who comes in is announced, nothing else."""
    return Recipe(
        name="eyes",
        size="xs",
        minutes=14,
        vocoder_share=0.1,
        num_said=20,
        num_tuned=2,
        eyes=True,
        eyes_share=0.3,
        corpus=CorpusPlan(scale=0.03, eyes=12000),
        compose=ComposeConfig(
            listening_until=0.0, seen=0.85, eyes=(("count_reps", 0.6), ("entering", 0.4))
        ),
        losses=LossConfig(flow_from=0.8),
        optim=OptimConfig(warmup_steps=20),
    )


def m() -> Recipe:
    """Around the weights of a language model, which `interplay init` has made room for."""
    return Recipe(
        name="m",
        size=None,
        minutes=1500,
        vocoder_share=0.05,
        corpus=CorpusPlan(scale=4.0),
        compose=ComposeConfig(batch_size=32, num_turns=128, listening_until=0.2),
        losses=LossConfig(flow_from=0.5),
        optim=OptimConfig(adam_lr=1e-3, warmup_steps=200),
        warm=WarmConfig(),
        text=TextConfig(num_rows=8, num_tokens=1024),
    )


def m_smoke() -> Recipe:
    """Three minutes of `m` with a small corpus, for small models."""
    return replace(
        m(),
        name="m-smoke",
        minutes=3,
        num_said=8,
        num_tuned=2,
        corpus=CorpusPlan(scale=0.03),
        compose=ComposeConfig(batch_size=8, listening_until=0.2),
        optim=OptimConfig(adam_lr=1e-3, warmup_steps=20),
        text=TextConfig(num_rows=2, num_tokens=64),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "xs": xs,
    "xs-long": xs_long,
    "xs-further": xs_further,
    "xs-drilled": xs_drilled,
    "xs-whole": xs_whole,
    "xs-seeing": xs_seeing,
    "xs-watching": xs_watching,
    "xs-wide": xs_wide,
    "xs-fluent": xs_fluent,
    "xs-versed": xs_versed,
    "xs-literal": xs_literal,
    "s": s,
    "s-moe": s_moe,
    "s-smoke": s_smoke,
    "smoke": smoke,
    "eyes": eyes,
    "m": m,
    "m-smoke": m_smoke,
}


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises ConfigError with the valid names."""
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; the recipes are {', '.join(RECIPES)}")
    return RECIPES[name]()
