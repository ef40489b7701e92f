"""Training on several processes gives what one process gives, whoever goes on with it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sharded_program import INTERRUPT_AT, NUM_STEPS, Batches, a_model, a_run, meet

from interplay.errors import CheckpointError, ConfigError
from interplay.train.loop import Trainer, train
from interplay.train.sharded import ShardedTrainer
from interplay.train.snapshots import snapshots

PROGRAM = Path(__file__).with_name("sharded_program.py")
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With the same run twice: of one process in `one`, of two in `two`, which were stopped and
    went on; `copy` is as they were stopped."""
    folder = tmp_path_factory.mktemp("sharded")
    words = (sys.executable, str(PROGRAM))
    ranks = [
        subprocess.Popen([*words, str(rank), str(folder)], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    one = train(a_run(), Batches(), a_model(), folder / "one")
    torch.save(one.state_dict(), folder / "one.pt")
    for process in ranks:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    return folder


@pytest.fixture
def alone(tmp_path) -> Iterator[None]:
    """A group of one process, this one."""
    meet(tmp_path, 0, 1)
    yield
    torch.distributed.destroy_process_group()


def losses_of(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, NUM_STEPS + 1))
    return [line["loss"] for line in lines]


def test_two_processes_give_the_losses_and_weights_of_one(folder):
    one, two = losses_of(folder / "one"), losses_of(folder / "two")
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) <= TOLERANCE
    assert min(one) < 0.9 * one[0]
    wanted = torch.load(folder / "one.pt")
    for rank in range(2):
        got = torch.load(folder / f"rank{rank}.pt")
        for name, weight in wanted.items():
            torch.testing.assert_close(got[name], weight, rtol=0, atol=TOLERANCE)


def test_what_two_processes_saved_one_goes_on_with(folder, alone, capsys):
    assert [path.name for path in snapshots(folder / "copy")] == ["step_00000061.dcp"]
    assert INTERRUPT_AT < 61
    trained = train(
        a_run(), Batches(), a_model(7), folder / "copy", resume=True, kind=ShardedTrainer
    )
    one, again = losses_of(folder / "one"), losses_of(folder / "copy")
    assert max(abs(a - b) for a, b in zip(one, again, strict=True)) <= TOLERANCE
    wanted = torch.load(folder / "one.pt")
    for name, weight in trained.state_dict().items():
        torch.testing.assert_close(weight, wanted[name], rtol=0, atol=TOLERANCE)
    capsys.readouterr()


def test_snapshots_of_the_other_kind_say_how_to_go_on(folder, alone):
    sharded = ShardedTrainer(a_run(), a_model())
    with pytest.raises(CheckpointError, match="saved by one process; go on without torchrun"):
        sharded.restore(snapshots(folder / "one")[-1])
    with pytest.raises(CheckpointError, match="saved under torchrun; go on with `torchrun -m"):
        Trainer(a_run(), a_model()).restore(snapshots(folder / "two")[-1])
    damaged = folder / "copy" / "step_00000061.dcp"
    (damaged / ".metadata").write_bytes(b"")
    with pytest.raises(CheckpointError, match="delete it to go on from the snapshot before"):
        sharded.restore(damaged)


def test_threads_that_cannot_be_shared_are_refused(monkeypatch):
    monkeypatch.setattr("interplay.train.ranks.num_ranks", lambda: 3)
    with pytest.raises(ConfigError, match="3 processes cannot share 2 threads .* --threads 3"):
        ShardedTrainer(a_run(), a_model())
