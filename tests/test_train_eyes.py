"""Eyes that are trained alone: what they are shown, what they learn, and that nothing is lost."""

import signal

import numpy as np
import pytest
import torch

from interplay.data.scenes.canvas import PARTS
from interplay.data.scenes.glimpses import NUM_FRAMES, Glimpse, Glimpses, draw_stretch
from interplay.data.scenes.sights import HAPPENS, QUESTIONS
from interplay.errors import ConfigError
from interplay.media.video import cut_tiles
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.see import See, SeeConfig, fold
from interplay.train.eyes import EyesTrainer, EyesTraining, in_tiles, train_eyes, whiten
from interplay.train.optim import OptimConfig
from interplay.train.snapshots import snapshots

FEW = Glimpses(num=4, num_frames=3, num_kept=12, num_new=1, num_first=6)


class Interrupting(Glimpses):
    """Ctrl-C while the third step is computed."""

    def __call__(self, step: int, progress: float) -> list[Glimpse]:
        if step == 2:
            signal.raise_signal(signal.SIGINT)
        return super().__call__(step, progress)


def few_steps(num_steps: int, glimpses: Glimpses = FEW) -> EyesTraining:
    return EyesTraining(
        num_steps=num_steps,
        glimpses=glimpses,
        num_workers=0,
        num_checked=8,
        dtype=torch.float32,
        optim=OptimConfig(muon_lr=0.02, warmup_steps=1),
    )


def tower() -> See:
    torch.manual_seed(1)
    return See(SeeConfig(dim=64))


def test_a_stretch_tells_what_its_frames_show():
    stretch = draw_stretch(np.random.default_rng(3))
    assert stretch.frames.shape == (NUM_FRAMES, 120, 160, 3)
    assert stretch.parts.shape == (NUM_FRAMES, 24, 32) and stretch.parts.max() < len(PARTS)
    assert stretch.sights.shape == (NUM_FRAMES, len(QUESTIONS))
    cut = stretch.cut(2, 3)
    assert np.array_equal(cut.frames, stretch.frames[2:5]) and len(cut.sights) == 3


def test_most_stretches_show_something_happen():
    rng = np.random.default_rng(0)
    happens = [(draw_stretch(rng).sights[1:, HAPPENS] > 0).any() for _ in range(40)]
    assert 0.5 < np.mean(happens) < 1.0


def test_batches_are_a_pure_function_of_the_step():
    gone_through = Glimpses(num=3, num_kept=8, num_new=2, num_first=4)
    for step in range(6):
        seen = gone_through(step, 0.0)
    at_once = Glimpses(num=3, num_kept=8, num_new=2, num_first=4)(5, 0.5)
    for a, b in zip(seen, at_once, strict=True):
        assert np.array_equal(a.frames, b.frames) and np.array_equal(a.sights, b.sights)
    other = Glimpses(seed=1, num=3, num_kept=8, num_new=2, num_first=4)(5, 0.5)
    assert not np.array_equal(other[0].frames, at_once[0].frames)


def test_tiles_are_those_of_a_camera():
    frames = np.random.default_rng(1).integers(0, 256, (1, 2, 120, 160, 3), np.uint8)
    tiles = in_tiles(torch.from_numpy(frames), 40)
    for moment in range(2):
        assert np.array_equal(tiles[0, moment].numpy(), cut_tiles(frames[0, moment]))
    cells = torch.arange(24 * 32).view(1, 1, 24, 32)
    assert in_tiles(cells, 8)[0, 0, 5, 0, 0] == 8 * 32 + 8, "the second tile of the second row"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_film_gives_the_bits_of_its_pairs(dtype):
    see = tower()
    frames = torch.randint(0, 256, (2, 4, 12, 40, 40, 3), dtype=torch.uint8)
    pairs = torch.stack([frames[:, :-1], frames[:, 1:]], dim=3)
    with torch.no_grad():
        assert torch.equal(see.film(frames, dtype), see(pairs, dtype))


def test_rows_that_follow_each_other_give_the_same_bits_and_gradients():
    see = tower()
    frames = torch.randint(0, 256, (7, 12, 40, 40, 3), dtype=torch.uint8)
    before, now = [0, 0, 1, 2, 5, 0, 3], [0, 1, 2, 3, 6, 4, 5]
    pairs = torch.stack([frames[before], frames[now]], dim=2)
    seen = see.in_a_row(pairs, torch.float32)
    plain = see(pairs, torch.float32)
    assert torch.equal(seen, plain)
    weights = list(see.parameters())
    found = torch.autograd.grad(seen.square().mul(seen).sum(), weights)
    expected = torch.autograd.grad(plain.square().mul(plain).sum(), weights)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_white_patches_come_out_of_the_first_layer():
    see = tower()
    frames = torch.from_numpy(np.stack([glimpse.frames for glimpse in FEW(0, 0.0)]))
    whiten(see, frames)
    pixels = see.pixels(in_tiles(frames, 40).flatten(0, 2), torch.float32)
    out = fold(pixels.unsqueeze(1), 1, 5).flatten(0, -2) @ see.layers[0].weight.T  # type: ignore
    second = out.T @ out / len(out)
    strong = second.diagonal() > 0.1 * second.diagonal().max()
    beside = second - torch.diag(second.diagonal())
    assert strong.sum() > 10 and beside.abs().max() < 1e-2 * second.diagonal().max()


def test_eyes_learn_and_go_on_where_they_were(tmp_path):
    whole = train_eyes(tower(), few_steps(6), tmp_path / "whole")
    trainer = EyesTrainer(tower(), few_steps(6))
    losses = [float(trainer.advance(FEW(step, 0.0)).total) for step in range(6)]
    assert losses[-1] < 0.9 * losses[0]
    stopped = few_steps(
        6, glimpses=Interrupting(num=4, num_frames=3, num_kept=12, num_new=1, num_first=6)
    )
    with pytest.raises(KeyboardInterrupt):
        train_eyes(tower(), stopped, tmp_path / "half")
    assert [path.stem for path in snapshots(tmp_path / "half")] == ["step_00000003"]
    again = train_eyes(tower(), few_steps(6), tmp_path / "half")
    for name, weight in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    finished = train_eyes(tower(), few_steps(6), tmp_path / "half")
    assert torch.equal(finished.places, whole.places), "a run that is over is not run again"


def test_held_out_films_are_told_with_the_average(tmp_path):
    trainer = EyesTrainer(tower(), few_steps(2))
    trainer.advance(FEW(0, 0.0))
    before = trainer.eyes.places.detach().clone()
    found = trainer.check()
    assert {"seen_people", "seen_happens", "seen_parts"} <= set(found)
    assert all(0 <= value <= 1 for value in found.values())
    assert torch.equal(trainer.eyes.places, before), "and training goes on with its own weights"


def test_a_model_gets_the_eyes():
    model = InteractionModel(model_config("tiny", vocab_size=300, eyes=True))
    assert model.embed.see is not None
    trainer = EyesTrainer(See(model.embed.see.config), few_steps(1))
    eyes = trainer.finish()
    eyes.give_to(model)
    tiles = torch.randint(0, 256, (1, 12, 2, 40, 40, 3), dtype=torch.uint8)
    with torch.no_grad():
        seen = eyes.see(tiles) + eyes.places
        assert torch.equal(model.embed.tiles(tiles, torch.float32), seen)


def test_a_plan_has_steps_or_seconds():
    with pytest.raises(ConfigError, match="give exactly one"):
        EyesTraining()
