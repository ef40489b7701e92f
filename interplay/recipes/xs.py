"""Recipes of two CPU cores: `xs`, and models that go on from one another. Knows no stages."""

from dataclasses import replace

from interplay.data.compose import ComposeConfig
from interplay.data.corpus import CorpusPlan
from interplay.data.families import ASKED, CORE, DENSE, NEWER, SEEN
from interplay.data.voices import ACCENTED
from interplay.recipes.recipe import Recipe
from interplay.train.losses import LossConfig
from interplay.train.optim import OptimConfig


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
    utterances, and with pasts that it misheard: with right ones it did nearly all that was due."""
    fluent = xs_fluent()
    return replace(
        fluent,
        name="xs-versed",
        start="xs-fluent",
        corpus=replace(fluent.corpus, scale=1.6),
        losses=replace(fluent.losses, own_hearing=0.5),
        compose=replace(
            fluent.compose,
            mix=tuple(ASKED.items()),
            known=0.25,
            seen=0.32,
            eyes=tuple(SEEN.items()),
        ),
    )


def xs_literal() -> Recipe:
    """Goes on from `xs-versed` with words to copy that are too many to be known, marked where they
    are heard: asked to wait for a word that had never been waited for, it took another one."""
    versed = xs_versed()
    return replace(
        versed,
        name="xs-literal",
        start="xs-versed",
        compose=replace(
            versed.compose,
            drilled=0.2,
            drilled_first=0.35,
            drilled_until=0.12,
            rehearsed=0.85,
        ),
    )
