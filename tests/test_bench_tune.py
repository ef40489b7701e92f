"""The bias of the empty token: the best value is kept, and nothing held out is played."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from bench_helpers import beep

from interplay.bench import filmed
from interplay.bench import tune as tuning
from interplay.bench.listening.grammar import Recognizer
from interplay.bench.playing.stage import Emission, Stage
from interplay.bench.systems.oracle import Oracle
from interplay.bench.tune import ACT, CONTRAST, HEARD, SAY, Trial, best_of, choose, tune
from interplay.data.item import Item, Speak
from interplay.data.texts import watchwords
from interplay.data.texts.questions import split_of
from interplay.engine.engine import Engine
from interplay.model.checkpoint import Loaded, load_checkpoint, save_checkpoint
from interplay.model.griffin_lim import GriffinLim
from interplay.model.interaction import InteractionModel, PadBias
from interplay.model.named import model_config
from interplay.turns.tokens import Tokenizer


@pytest.fixture
def loaded() -> Loaded:
    tokenizer = Tokenizer.train(["one two three four"], 300)
    config = model_config("tiny", vocab_size=tokenizer.vocab_size)
    model = InteractionModel(config).eval()
    return Loaded(
        model=model, vocoder=GriffinLim(), tokenizer=tokenizer, config=config, facts={"name": "t"}
    )


class Pupil:
    """Stands for the model: hears at +1.4 only, keeps time at +0.4 only, answers and goes on at
    +0.8 only, reads aloud at a contrast of 1.2 only. played: all its items."""

    num_seats = 8
    played: ClassVar[list[Item]] = []

    def __init__(self, loaded: Loaded, *, name: str, seed: int) -> None:
        self.name, self.bias = name, loaded.config.pad_bias
        self.contrast = loaded.config.voice.contrast
        self.oracles = {
            good: Oracle("perfect" if good else "silent", beep, "any") for good in (0, 1)
        }
        self.encode = self.oracles[1].encode

    def oracle(self, stage: Stage) -> Oracle:
        bias, kind = self.bias, stage.item.kind
        if kind in ("hear", "human"):
            return self.oracles[bias.heard == 1.4]
        if kind == "read_aloud":
            return self.oracles[self.contrast == 1.2]
        return self.oracles[bias.act == 0.4 if kind == "timer" else bias.say == 0.8]

    def open(self, stage: Stage) -> None:
        self.played.append(stage.item)
        self.oracle(stage).open(stage)

    def close(self, stage: Stage) -> None:
        self.oracle(stage).close(stage)

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        return [self.oracle(stage).step([stage])[0] for stage in stages]


class Reader(Recognizer):
    """Stands for pocketsphinx: takes every word that was meant."""

    def __init__(self, words: Sequence[str], synthesize, voice: str) -> None:
        pass

    def words_of(self, trace, wanted=()) -> list[str]:
        return [word.text for word in trace.spoken()]


def test_the_best_value_of_every_setting_is_kept(loaded, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("INTERPLAY_HUMAN", str(tmp_path))
    monkeypatch.setattr(tuning, "LocalSystem", Pupil)
    monkeypatch.setattr(tuning, "Recognizer", Reader)
    trials = list(tune(loaded, num_items=3, synthesize=beep))
    assert [(t.setting, t.value) for t in trials] == [
        *(("heard", value) for value in HEARD),
        *(("act", value) for value in ACT),
        *(("say", value) for value in SAY),
        *(("contrast", value) for value in CONTRAST),
    ]
    assert {t.errors for t in trials if t.setting == "heard" and t.value != 1.4} == {1.0}
    assert (
        loaded.config.pad_bias
        == loaded.model.config.pad_bias
        == PadBias(heard=1.4, say=0.8, act=0.4)
    )
    spoken = [
        c.text for i in Pupil.played if i.kind == "hear" for c in i.cues if isinstance(c, Speak)
    ]
    assert spoken and all(split_of(text) == "train" for text in spoken)


def test_voices_that_the_training_left_out_do_not_speak(loaded, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("INTERPLAY_HUMAN", str(tmp_path))
    monkeypatch.setattr(tuning, "LocalSystem", Pupil)
    monkeypatch.setattr(Pupil, "played", [])
    list(tune(loaded, num_items=3, synthesize=beep, without_voices=("espeak", "flite:slt")))
    voices = [c.voice for item in Pupil.played for c in item.cues if isinstance(c, Speak)]
    assert voices and not any(v.startswith(("espeak", "flite:slt")) for v in voices)
    kinds = {item.kind for item in Pupil.played}
    for kind in ("hear", "timer", "answer", "interrupt", "backchannel"):
        assert kind in kinds, f"enough of {kind} are drawn"


def test_a_model_with_eyes_is_asked_what_it_sees_with_words_of_the_training(
    loaded, monkeypatch, tmp_path: Path
):
    monkeypatch.setenv("INTERPLAY_HUMAN", str(tmp_path))
    monkeypatch.setattr(tuning, "LocalSystem", Pupil)
    monkeypatch.setattr(Pupil, "played", [])
    seeing = model_config("tiny", vocab_size=loaded.tokenizer.vocab_size, eyes=True)
    loaded.model, loaded.config = InteractionModel(seeing).eval(), seeing
    trials = list(tune(loaded, num_items=4, synthesize=beep, without_voices=("espeak",)))
    errors = {trial.value: trial.errors for trial in trials if trial.setting == "say"}
    assert loaded.config.pad_bias.say == 0.8 and errors[0.8] < 0.1 and errors[0.0] == 1.0
    for kind in filmed.FILMED:
        played = [item for item in Pupil.played if item.kind == kind]
        assert len(played) == 2 * len(SAY)
        for item in played:
            asked = item.cues[0]
            assert isinstance(asked, Speak) and not asked.voice.startswith("espeak")
            assert split_of(asked.text) == "train" and asked.text in watchwords.ASKS


def test_of_equal_values_the_one_in_the_middle_is_kept():
    errors = {0.0: 0.2, 0.4: 0.1, 0.8: 0.1, 1.2: 0.1, 1.6: 0.3}
    trials = [Trial(setting="act", value=value, errors=e) for value, e in errors.items()]
    assert best_of(trials).value == 0.8


def test_what_few_items_cannot_tell_apart_is_equal():
    errors = {0.0: 0.041, 0.7: 0.049, 1.0: 0.049, 1.4: 0.047, 2.0: 0.084}
    trials = [
        Trial(setting="heard", value=value, errors=e, spread=0.012) for value, e in errors.items()
    ]
    assert best_of(trials).value == 1.0


def test_a_bias_is_what_the_engine_uses_and_what_the_file_keeps(loaded, tmp_path: Path):
    hidden = torch.randn(2, loaded.config.backbone.dim)
    before = loaded.model.text_logits(hidden)
    choose(loaded, "heard", 1.5)
    after = Engine(loaded, num_slots=1).model.text_logits(hidden.to(torch.float32))
    torch.testing.assert_close(after[:, 0, 0], before[:, 0, 0] + 1.5, atol=0.05, rtol=0.05)
    save_checkpoint(tmp_path / "t.safetensors", loaded.model, None, loaded.tokenizer, {})
    again = load_checkpoint(tmp_path / "t.safetensors")
    assert again.config.pad_bias == PadBias(heard=1.5)
    assert again.model.pad_bias.tolist() == [1.5, 0.0, 0.0]
    assert replace(again.config, pad_bias=PadBias()) == model_config(
        "tiny", vocab_size=loaded.tokenizer.vocab_size
    )
