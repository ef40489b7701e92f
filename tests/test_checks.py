"""Sessions that a run is checked on: what is counted, and that the run itself stays what it was."""

import json
from pathlib import Path

import pytest
import torch
from test_train import a_model
from train_helpers import VOCAB, Batches, an_example

from interplay.model.interaction import InteractionModel
from interplay.train import checks
from interplay.train.batch import assemble
from interplay.train.checks import DECISIONS, check
from interplay.train.loop import TrainConfig, train
from interplay.turns import tokens
from interplay.turns.layout import TEXT_OUT
from interplay.turns.types import PAD

ACT, SAY = TEXT_OUT.index("act"), TEXT_OUT.index("say")


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch):
    """A function that makes every model write what it gives for what should be written."""

    def make(written) -> None:
        batches = []

        def kept(*args, **kwargs):
            batches.append(assemble(*args, **kwargs))
            return batches[-1]

        def text_logits(self, hidden):
            wanted = batches[-1].tokens[batches[-1].scored]
            return torch.nn.functional.one_hot(written(wanted.clone()), VOCAB).float()

        monkeypatch.setattr(checks, "assemble", kept)
        monkeypatch.setattr(InteractionModel, "text_logits", text_logits)

    return make


def groups() -> dict:
    seen = an_example(9)
    seen.streams.act[2, 1] = tokens.DUE
    return {"cues": [an_example(seed) for seed in range(6)], "eyes": [seen]}


def test_who_writes_what_should_be_written_is_right(writes):
    writes(lambda wanted: wanted)
    found = check(a_model(), groups(), torch.float32)
    right = {f"{group}_{what}" for group in ("cues", "eyes") for what in (*TEXT_OUT, "decided")}
    assert {name: found[name] for name in right} == dict.fromkeys(right, 1.0)
    assert found["cues_undue"] == found["eyes_undue"] == 0.0


def test_who_writes_nothing_decides_nothing(writes):
    writes(torch.zeros_like)
    found = check(a_model(), groups(), torch.float32)
    assert set(found.values()) == {0.0}


def test_first_words_count_for_themselves(writes):
    """The word in slot 17 follows on eight silent slots, that in slot 25 on seven."""
    example = an_example(0, num_turns=9)
    example.streams.say[:] = PAD
    example.streams.say.reshape(-1)[[5, 6, 8, 17, 25, 26, 27]] = 50

    def late(wanted):
        first = (wanted[..., SAY] == 50).flatten().nonzero()[0]
        wanted[..., SAY].view(-1)[first] = PAD
        return wanted

    writes(late)
    found = check(a_model(), {"time": [example]}, torch.float32)
    assert found["time_say"] == pytest.approx(6 / 7)
    assert found["time_begun"] == pytest.approx(1 / 2)


def test_decisions_where_none_is_due_are_counted_for_each_that_is(writes):
    def always(wanted):
        wanted[..., ACT] = tokens.DUE
        return wanted

    writes(always)
    examples = groups()["cues"]
    found = check(a_model(), {"cues": examples}, torch.float32)
    wanted = [int(t) for e in examples for t in e.streams.act[1:].reshape(-1)]
    num_due = sum(token in DECISIONS for token in wanted)
    assert found["cues_decided"] == pytest.approx(wanted.count(tokens.DUE) / num_due)
    assert found["cues_undue"] == pytest.approx((len(wanted) - num_due) / num_due)
    assert found["cues_say"] == 1.0


def test_a_group_that_asks_for_nothing_says_nothing(writes):
    writes(lambda wanted: wanted)
    quiet = an_example(1)
    quiet.streams.act[:] = PAD
    quiet.heard_known[:] = False
    found = check(a_model(), {"listening": [quiet]}, torch.float32)
    assert set(found) == {"listening_say"}


def test_a_run_tells_what_it_can_at_the_start_and_with_every_snapshot(
    tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr("interplay.train.loop.draw_curves", lambda log, picture: None)  # slow
    config = TrainConfig(num_steps=4, dtype=torch.float32, num_threads=1, num_workers=0)
    plain = train(config, Batches(), a_model(), tmp_path / "plain")
    told = train(config, Batches(), a_model(), tmp_path / "told", checked=groups())
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, told.state_dict()[name]), name
    lines = [json.loads(line) for line in (tmp_path / "told/log.jsonl").read_text().splitlines()]
    checked = [line for line in lines if "cues_decided" in line]
    assert [line["step"] for line in checked] == [0, 4]
    assert all(0 <= line["eyes_say"] <= 1 for line in checked)
    assert "step 4: cues heard" in capsys.readouterr().out
