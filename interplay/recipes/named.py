"""Named recipes: what a full run of each model consists of. Knows nothing of how they run."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from interplay.data.compose import ComposeConfig
from interplay.data.corpus import CorpusPlan
from interplay.data.families import ASKED, CORE, DENSE, LISTENING, NEWER, SEEN
from interplay.data.voices import ACCENTED
from interplay.errors import ConfigError
from interplay.train.losses import LossConfig
from interplay.train.optim import OptimConfig
from interplay.train.texts import TextConfig
from interplay.train.warm import WarmConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One run. minutes: wall clock of all stages, on the number of threads given.

    eyes: the model has eyes; `corpus` and `compose` must give it something to see. Of a recipe
    without a size `start` decides, and `with_eyes` gives it what it needs.
    start: name or path of a model to go on from; None begins with nothing. size: None takes the
    shape of `start`, which `interplay init` made; warm, text: how it is trained then.
    held_to: name or path of the model that `losses.kept` holds the run to; None: `start`.
    start_share: how much of the weights that the run began with is in those that it ends with
    (train.start), but for eyes that `start` lacks.
    eyes_share: part of the minutes in which the eyes are trained alone, before all else, on drawn
    films (train.eyes); those of `start` are left behind then. 0: they learn with the model.
    num_self: utterances of users that `start` reads aloud, so that the ears know its voice.
    num_checked: sessions of each group of families that are told with every snapshot.
    num_tuned: items per kind that the bias of the empty token and the contrast of the voice are
    chosen on (bench.tune); 0: they stay those of `start`.
    vocoder_share: part of the minutes that the vocoder is trained for. num_said: sessions whose own
    voice it gets as the model says it. The model gets what corpus, vocoder and export leave.
    device: where the model is trained; the vocoder, small, is trained on the CPU. hears_there: what
    befalls the sound of sessions, and their bins, are computed on that device (train.ears), for a
    GPU waits for hosts that do it. export: how the weights are stored.
    """

    name: str
    size: str | None
    minutes: float
    vocoder_share: float = 0.12
    num_said: int = 200
    num_threads: int = 2
    seed: int = 0
    start: str | None = None
    held_to: str | None = None
    start_share: float = 0.0
    eyes: bool = False
    eyes_share: float = 0.0
    corpus: CorpusPlan = field(default_factory=CorpusPlan)
    compose: ComposeConfig = field(default_factory=ComposeConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    num_self: int = 0
    num_checked: int = 0
    num_tuned: int = 40
    device: str = "cpu"
    hears_there: bool = False
    export: torch.dtype = torch.float16
    warm: WarmConfig | None = None
    text: TextConfig | None = None


def with_eyes(recipe: Recipe) -> Recipe:
    """The same for a model with eyes: it hears what users ask of the camera, and sees films."""
    return replace(
        recipe,
        eyes=True,
        corpus=replace(recipe.corpus, eyes=3000),
        compose=replace(recipe.compose, seen=0.2),
    )


def xs() -> Recipe:
    """The smallest model worth talking to: an hour on two CPU cores, everything included. The hour
    is spent on talk: it has no eyes."""
    return Recipe(name="xs", size="xs", minutes=59, losses=LossConfig(flow_from=0.8))


def xs_long() -> Recipe:
    """The same model with more than twice the time and half as many utterances again."""
    return Recipe(
        name="xs-long",
        size="xs",
        minutes=130,
        vocoder_share=0.08,
        corpus=CorpusPlan(scale=1.5),
        losses=LossConfig(flow_from=0.8),
    )


def xs_drilled() -> Recipe:
    """Goes on from `xs-long`: first what the answers are, at rates at which sums are found, then
    all together; held to what it was, for its ears would be lost otherwise (docs/log.md). Its
    users lack the voices of other languages."""
    accented = ("pico", *(f"festival:{name}" for name in ACCENTED))
    return Recipe(
        name="xs-drilled",
        size="xs",
        minutes=80,
        vocoder_share=0.09,
        start="xs-long",
        start_share=0.1,
        num_tuned=0,
        corpus=CorpusPlan(scale=0.8, missing_voices=accented),
        compose=ComposeConfig(
            listening_until=0.0,
            long_from=0.0,
            drilled=0.15,
            drilled_first=0.75,
            drilled_until=0.17,
            mix=tuple(CORE.items()),
            without_voices=accented,
        ),
        losses=LossConfig(flow_from=0.95, heard_pad_from=0.0, probes_alone=0.03, kept=10.0),
        optim=OptimConfig(muon_lr=0.007, adam_lr=1.4e-3, decay_share=0.85),
    )


def xs_further() -> Recipe:
    """Goes on from `xs-drilled`, gently: the same sessions without so many drills, and some users
    who have its voice."""
    drilled = xs_drilled()
    return replace(
        drilled,
        name="xs-further",
        start="xs-drilled",
        start_share=0.5,
        num_self=2400,
        num_tuned=40,
        compose=replace(drilled.compose, drilled_first=0.0, drilled_until=0.0),
        losses=replace(drilled.losses, kept=2.0),
        optim=OptimConfig(muon_lr=0.004, adam_lr=8e-4, decay_share=1.0),
    )


def xs_whole() -> Recipe:
    """Goes on from `xs-further` with eyes and with all that it cannot do yet: first what cues,
    alarms, calls and refusals are, without a sound, then all together. Nothing holds it to what it
    was but sessions that ask for nothing new."""
    drilled = xs_drilled()
    return replace(
        drilled,
        name="xs-whole",
        minutes=120,
        vocoder_share=0.05,
        start="xs-further",
        start_share=0.0,
        num_self=2400,
        num_checked=3,
        num_tuned=40,
        eyes=True,
        corpus=replace(drilled.corpus, eyes=2600),
        compose=replace(
            drilled.compose,
            mix=tuple(NEWER.items()),
            known=0.4,
            drilled=0.12,
            drilled_first=0.45,
            drilled_until=0.12,
            rehearsed=0.85,
            seen=0.25,
        ),
        losses=replace(drilled.losses, kept=0.0),
        optim=OptimConfig(muon_lr=0.007, adam_lr=1.4e-3, decay_share=0.9),
    )


def xs_seeing() -> Recipe:
    """Goes on from `xs-whole`, which sees little and hears worse than it did: twice the films, and
    in sessions of nothing new held to `xs-further`, which hears well."""
    whole = xs_whole()
    return replace(
        whole,
        name="xs-seeing",
        start="xs-whole",
        held_to="xs-further",
        start_share=0.4,
        num_self=0,
        compose=replace(
            whole.compose,
            known=0.4,
            drilled=0.2,
            drilled_first=0.0,
            drilled_until=0.0,
            rehearsed=0.5,
            seen=0.45,
        ),
        losses=replace(whole.losses, kept=10.0, flow_from=0.9, flow_alone=True),
        optim=OptimConfig(muon_lr=0.0045, adam_lr=9e-4, decay_share=0.9),
    )


def xs_watching() -> Recipe:
    """Goes on from `xs-seeing` with eyes that were trained alone: those it had hardly saw."""
    seeing = xs_seeing()
    return replace(
        seeing,
        name="xs-watching",
        minutes=110,
        start="xs-seeing",
        start_share=0.2,
        eyes_share=0.18,
        compose=replace(seeing.compose, known=0.35, drilled=0.25, rehearsed=0.6, seen=0.35),
    )


def xs_wide() -> Recipe:
    """Goes on from `xs-watching` in a body two and a half times as large, whose new heads have keys
    of their own: what it has learnt has no room left."""
    watching = xs_watching()
    return replace(
        watching,
        name="xs-wide",
        size="xs-wide",
        start="xs-watching",
        start_share=0.0,
        eyes_share=0.0,
        corpus=replace(watching.corpus, eyes=9000),
        losses=replace(watching.losses, seen_pad=0.6, kept=5.0),
        optim=OptimConfig(muon_lr=0.003, adam_lr=7e-4, decay_share=0.95),
    )


def xs_fluent() -> Recipe:
    """Goes on from `xs-wide`, for its ears: half as much talk again in the same time, four times
    the foreign sentences, fewer drills and films. What it was held to before heard 80 ms later."""
    wide = xs_wide()
    return replace(
        wide,
        name="xs-fluent",
        minutes=115,
        start="xs-wide",
        held_to=None,
        compose=replace(
            wide.compose,
            mix=tuple(DENSE.items()),
            known=0.3,
            drilled=0.12,
            seen=0.3,
        ),
        losses=replace(wide.losses, kept=0.0, seen_pad=0.3, flow_from=0.96),
        optim=OptimConfig(muon_lr=0.0025, adam_lr=6e-4, decay_share=0.95),
    )


def xs_versed() -> Recipe:
    """Goes on from `xs-fluent` with twice as many wordings of what is asked for, in twice as many
    utterances: it does what it is asked in words that it knows."""
    fluent = xs_fluent()
    return replace(
        fluent,
        name="xs-versed",
        start="xs-fluent",
        corpus=replace(fluent.corpus, scale=1.6),
        compose=replace(
            fluent.compose,
            mix=tuple(ASKED.items()),
            known=0.25,
            seen=0.32,
            eyes=tuple(SEEN.items()),
        ),
    )


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
