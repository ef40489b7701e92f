"""Training around a language model: new parts first, old ones slowly, its words measured."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_helpers import TEXT, a_tokenizer, publish
from sharded_program import an_example
from test_own_mixture import TOKENIZER, a_recording, stored

from interplay.errors import ConfigError
from interplay.model.checkpoint import load_checkpoint
from interplay.model.foreign import read_foreign
from interplay.model.interaction import InteractionModel
from interplay.model.warm import warm_config, warm_model
from interplay.recipes.batches import Own, check_own
from interplay.recipes.named import find_recipe
from interplay.recipes.run import fit_to_start, run_recipe
from interplay.train.loop import TrainConfig, Trainer, train
from interplay.train.losses import LossConfig
from interplay.train.optim import OptimConfig
from interplay.train.texts import HELD_OUT, TextConfig, Texts
from interplay.train.warm import WarmConfig, is_old
from interplay.turns.follow import FIRST_WORD
from interplay.turns.tokens import Tokenizer

NUM_STEPS, NUM_RESTING = 12, 4
SMALL = TextConfig(num_rows=1, num_tokens=15)


@pytest.fixture(scope="module")
def model_of(tmp_path_factory) -> Callable[[], InteractionModel]:
    folder = tmp_path_factory.mktemp("hub")
    publish(folder)
    foreign = read_foreign(folder, window=512)
    return lambda: warm_model(foreign, warm_config(foreign, heads="tiny", eyes=False), seed=0)


@pytest.fixture
def texts(tmp_path) -> Texts:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text(TEXT * 20)
    return Texts(tmp_path / "texts", Tokenizer.adopt(a_tokenizer().to_str()), SMALL)


def a_run() -> TrainConfig:
    return TrainConfig(
        num_steps=NUM_STEPS,
        dtype=torch.float32,
        num_threads=1,
        num_workers=0,
        log_every=1,
        losses=LossConfig(flow_from=2.0),
        optim=OptimConfig(warmup_steps=2, decay_share=0.1, average=0.5),
        warm=WarmConfig(new_until=NUM_RESTING / NUM_STEPS, rate=0.3),
    )


def batches(step: int, progress: float):
    return [an_example(0), an_example(2)]


def test_new_parts_learn_first_and_the_text_is_kept_and_measured(model_of, texts, tmp_path, capsys):
    train(a_run(), batches, model_of(), tmp_path / "run", texts=texts)
    before, *lines, after = [
        json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    ]
    assert (before["step"], after["step"]) == (0, NUM_STEPS)
    fresh = texts.perplexity(model_of(), torch.float32)
    assert before["text_perplexity"] == pytest.approx(fresh, rel=1e-4)
    assert 1 < after["text_perplexity"] < 0.95 * before["text_perplexity"]  # it was random before
    assert f"perplexity of held-out text {fresh:.2f}" in capsys.readouterr().out
    assert ["text" in line for line in lines] == [n > NUM_RESTING for n in range(1, NUM_STEPS + 1)]
    rested, last = lines[NUM_RESTING - 1], lines[-1]
    for name in ("say", "gate", "phones_user", "l1"):
        assert last[name] < rested[name] < lines[0][name], name


def test_old_weights_rest_and_then_move_slowly(model_of, texts):
    trainer = Trainer(a_run(), model_of(), texts)
    began = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}

    def moved() -> dict[str, float]:
        return {
            name: float((weight.detach() - began[name]).abs().max())
            for name, weight in trainer.model.named_parameters()
        }

    for step in range(NUM_RESTING):
        trainer.advance(batches(step, 0.0))
    resting = moved()
    old = {name for name in began if is_old(name)}
    assert {name for name in old if resting[name]} == {"embed.tokens", "words"}
    for table in ("embed.tokens", "words"):
        now = trainer.model.get_parameter(table)
        assert torch.equal(now[FIRST_WORD:], began[table][FIRST_WORD:])
        assert not torch.equal(now[:FIRST_WORD], began[table][:FIRST_WORD])
    assert resting["embed.mel_table"] > 0 and resting["gate"] > 0 and resting["word_streams"] > 0
    began.update({name: w.detach().clone() for name, w in trainer.model.named_parameters()})
    trainer.advance(batches(NUM_RESTING, 0.5))
    awake, rate = moved(), a_run().optim.adam_lr
    assert all(awake[name] > 0 for name in old)
    assert awake["gate"] > 0.5 * rate and awake["backbone.norm"] < 0.35 * 3 * rate


def test_held_out_rows_are_never_drawn(tmp_path):
    (tmp_path / "a.txt").write_text(" ".join(map(str, range(400))))
    texts = Texts(tmp_path / "a.txt", Tokenizer.adopt(a_tokenizer().to_str()), SMALL)
    drawn = {tuple(row) for step in range(200) for row in texts.draw((0, step, 0)).tolist()}
    assert len(drawn) > 10 and not drawn & {tuple(row) for row in texts.measured.tolist()}
    assert np.array_equal(texts.draw((0, 3, 1)), texts.draw((0, 3, 1)))
    assert not np.array_equal(texts.draw((0, 3, 1)), texts.draw((0, 3, 0)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"too short", f"at least {HELD_OUT * 16} are needed"),
        ("a.md", b"no text", r"has no \.txt files"),
        ("a.txt", b"\xff\xfe", r"a\.txt cannot be read as UTF-8"),
    ],
)
def test_texts_that_cannot_be_replayed_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        Texts(tmp_path, Tokenizer.adopt(a_tokenizer().to_str()), SMALL)
    with pytest.raises(ConfigError, match="is no folder with"):
        Texts(tmp_path / "nowhere", Tokenizer.adopt(a_tokenizer().to_str()), SMALL)


def test_eyes_and_what_they_are_shown_are_those_of_the_start(tmp_path):
    publish(tmp_path / "hub")
    foreign = read_foreign(tmp_path / "hub", window=512)
    recipe = find_recipe("m-smoke")
    blind, seeing = (
        replace(load_checkpoint("xs"), model=model, config=model.config)
        for eyes in (False, True)
        for model in [warm_model(foreign, warm_config(foreign, heads="tiny", eyes=eyes), seed=0)]
    )
    assert fit_to_start(recipe, blind) == recipe == fit_to_start(recipe, None)
    fitted = fit_to_start(recipe, seeing)
    assert fitted.eyes and fitted.corpus.eyes and fitted.compose.seen and fitted.compose.eyes
    assert fit_to_start(find_recipe("xs-drilled"), seeing) == find_recipe("xs-drilled")
    films = stored(tmp_path / "films", a_recording(film=True))
    own = Own(folder=films.folder, share=0.3)
    check_own(own, fitted, TOKENIZER)
    with pytest.raises(ConfigError, match=r"recipe m-smoke has no eyes; .* .`interplay init --eye"):
        check_own(own, recipe, TOKENIZER)


@pytest.mark.parametrize(
    ("name", "start", "text", "message"),
    [
        ("m", None, None, "begins with a language model; .* `interplay init --from FOLDER`"),
        ("m", "m.safetensors", None, "the recipe m replays texts, .* give --text"),
        ("xs", None, Path("texts"), "the recipe xs replays no texts; leave --text away"),
    ],
)
def test_recipes_say_what_they_need(tmp_path, name, start, text, message):
    recipe = replace(find_recipe(name), start=start)
    with pytest.raises(ConfigError, match=message):
        run_recipe(recipe, tmp_path / "out", text=text)
    assert not (tmp_path / "out").exists()
