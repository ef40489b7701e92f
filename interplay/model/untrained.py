"""Models that nobody trained, with every part awake. Knows nothing of what they are for: tests,
smoke runs and timing need weights of the right shapes, not of the right values.
"""

import torch

from interplay.errors import ConfigError
from interplay.model.checkpoint import Loaded
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.vocoder import Vocoder
from interplay.model.voice import FlowLayer
from interplay.turns.tokens import Tokenizer

TEXTS = ("one two three four five six seven eight nine ten", "start stop wait yes no say tell me")
VOICES = {"some": 0.0, "always": 1e4, "never": -1e4}


def untrained(
    name: str = "tiny", *, seed: int = 0, speaks: str = "some", camera: bool = False
) -> Loaded:
    """A random model called `name` with a random vocoder; the same seed gives the same weights.

    speaks: `some`, `always` or `never`. Raises ConfigError for other words and unknown names.
    """
    if speaks not in VOICES:
        raise ConfigError(f"speaks is {speaks!r}; the choices are {', '.join(VOICES)}")
    tokenizer = Tokenizer.train(TEXTS, vocab_size=1024)
    vocab_size = -(-tokenizer.vocab_size // 64) * 64 if name.startswith("tiny") else 1024
    config = model_config(name, vocab_size=vocab_size, eyes=camera)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InteractionModel(config)
        model.backbone.reset_parameters(zero_init_outputs=False)
        with torch.no_grad():
            model.words.mul_(20)
            model.gate.normal_()
            model.gate_bias.fill_(VOICES[speaks])
            for layer in model.voice.flow_layers:
                assert isinstance(layer, FlowLayer)
                for weight in (layer.modulate, layer.down):
                    weight.normal_(std=weight.shape[-1] ** -0.5)
            model.voice.flow_out.normal_(std=0.02)
        vocoder = Vocoder(config.vocoder)
    return Loaded(
        model=model.eval(),
        vocoder=vocoder.eval(),
        tokenizer=tokenizer,
        config=config,
        facts={"name": f"untrained {name}", "seed": seed},
    )
