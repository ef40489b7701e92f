"""What a full run of a model consists of. Knows nothing of how one runs."""

from dataclasses import dataclass, field, replace

import torch

from interplay.data.compose import ComposeConfig
from interplay.data.corpus import CorpusPlan
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
