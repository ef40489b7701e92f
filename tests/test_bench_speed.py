"""The speed suite: every runtime computes the same, what is missing says so, times become rows."""

import dataclasses
import json
from html import escape

import pytest
import torch

from interplay.bench.results.report import command_of
from interplay.bench.scoring import bits
from interplay.bench.speed import hour, price, runtimes, timing, training
from interplay.bench.speed.gpt_fast import GptFast
from interplay.bench.speed.llama import write_gguf
from interplay.bench.speed.ours import Again, Gathered, Ours, PassWindow, Stock, Unpinned
from interplay.bench.speed.rows import ON_GPU, SPEED
from interplay.bench.speed.workload import (
    VOCAB_SIZE,
    random_workload,
    run_tick,
    workload,
)
from interplay.cli import main
from interplay.errors import ConfigError
from interplay.model.backbone import BackboneConfig
from interplay.model.checkpoint import DEFAULT_MODEL
from interplay.model.named import model_config
from interplay.model.untrained import untrained

DENSE = BackboneConfig(dim=128, num_layers=2, num_heads=4, num_kv_heads=2, ff_dim=192, window=512)
MOE = dataclasses.replace(DENSE, ff_dim=0, num_experts=4, expert_ff_dim=64)
SMALL = {"dense": DENSE, "moe": MOE}


@pytest.fixture(params=SMALL)
def work(request):
    return random_workload(request.param, SMALL[request.param])


def absent():
    raise ModuleNotFoundError("No module named 'xllamacpp'", name="xllamacpp")


def logits(runtime, work, num_ticks=3, num_past=0):
    """Behind every pass of some ticks; what was before them is taken in at once."""
    runtime.reset()
    if num_past:
        runtime.append(torch.cat([work.rows(tick) for tick in range(num_past)]))
    last = range(num_past, num_past + num_ticks)
    ticks = [run_tick(runtime, work.rows(tick)) for tick in last]
    return torch.stack([each for tick in ticks for each in tick])


def test_every_runtime_that_is_installed_computes_the_same(work):
    found = runtimes.find(work, 8)
    assert runtimes.OURS in found.ready
    assert any(name.startswith(runtimes.TRANSFORMERS) for name in found.ready)
    for name, why in found.missing.items():
        assert "is not installed" in why, f"{name}: {why}"
    for name, off in found.differences.items():
        assert (off > runtimes.TOLERANCE) == (name in runtimes.ROUNDED), f"{name}: {off}"
    for name, ways in found.ways.items():
        assert ways[found.kept[name]].endswith(" ms")
    assert found.differences[runtimes.STOCK] == 0, "the same bits"


def test_a_reset_session_begins_anew(work):
    ours = Ours(work)
    assert torch.equal(logits(ours, work), logits(ours, work))
    assert logits(ours, work).shape == (15, VOCAB_SIZE)


def test_ablations_leave_no_trace(work):
    before = logits(Ours(work), work)
    kinds = [Stock, Unpinned] + ([Gathered] if work.config.num_experts else [Again])
    for kind in kinds:
        torch.testing.assert_close(logits(kind(work), work), before, rtol=0, atol=1e-4)
        assert torch.equal(logits(Ours(work), work), before)


def test_plain_pytorch_with_a_static_cache_computes_the_same(work):
    theirs = GptFast(work, 8 * 70)
    # in the 65th tick the window is full
    one, other = (logits(each, work, num_ticks=10, num_past=60) for each in (theirs, Ours(work)))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_another_result_or_a_missing_package_is_told(monkeypatch):
    work = random_workload("dense", DENSE)

    class Wrong(Ours):
        def append(self, rows):
            return super().append(rows) + 1

    class Forgetful(Ours):
        """Wrong only behind a full window."""

        def append(self, rows):
            if self.cache.length[0] == DENSE.window:
                self.cache.k[:] = 0
            return super().append(rows)

    def broken():
        raise OSError("libfoo.so: no such symbol\nin line 3")

    makers = {
        "wrong": {"": lambda: Wrong(work)},
        "forgetful": {"": lambda: Forgetful(work)},
        "broken": {"": broken, "another way": lambda: Ours(work)},
        "absent": {"": absent},
        "dead": {"": broken},
    }
    monkeypatch.setattr(runtimes, "_makers", lambda *_: makers)
    found = runtimes.find(work, 8)
    assert list(found.ready) == [runtimes.OURS, "broken"]
    assert found.kept["broken"] == "another way"
    assert found.ways["broken"][""] == found.missing["dead"] == "OSError: libfoo.so: no such symbol"
    assert "gives other logits at the start" in found.missing["wrong"]
    assert "gives other logits with a full window" in found.missing["forgetful"]
    assert found.missing["absent"] == "xllamacpp is not installed: pip install 'interplay[speed]'"


def test_an_ablation_goes_on_from_where_ours_is(work):
    ours, stock = Ours(work), Stock(work)
    expected = logits(ours, work, num_ticks=2)
    ours.reset()
    run_tick(ours, work.rows(0))
    stock.follow(ours)
    assert torch.equal(torch.stack(run_tick(stock, work.rows(1))), expected[5:])


def test_a_wider_window_is_that_of_the_passs_first_row(work):
    """The fourth row of a pass sees what the first one sees: as a window so much longer."""
    past = torch.cat([work.rows(tick) for tick in range(DENSE.window // 8 + 2)])
    config = dataclasses.replace(work.config, num_layers=1)
    one = random_workload("one", config)
    plain, wider = Ours(one), PassWindow(one)
    for each in (plain, wider):
        each.append(past[:-4])
    assert not torch.equal(plain.append(past[-4:]), wider.append(past[-4:]))
    row = past[:1]
    for each in (plain, wider):
        each.reset()
        each.append(past)
    assert torch.equal(plain.append(row), wider.append(row)), "of one row they are the same"


@pytest.fixture
def fast(monkeypatch):
    """The suite on tiny models and without processes of its own."""
    from interplay.bench.speed import suite

    sizes = {DEFAULT_MODEL: DENSE, "s": DENSE, "s-moe": MOE}
    monkeypatch.setattr(suite, "workload", lambda name: random_workload(name, sizes[name]))
    monkeypatch.setattr(suite, "load_checkpoint", lambda name: untrained(speaks="always"))
    monkeypatch.setattr(suite, "random_model", lambda name: untrained(speaks="always"))
    monkeypatch.setattr(suite, "most_sessions", lambda *_: (4.0, {}))
    monkeypatch.setattr(suite, "HOUR_PER_SESSION", 2)
    monkeypatch.setattr(hour, "ROWS_PER_TICK", 512)  # the window is full at once
    monkeypatch.setattr(suite, "NUM_BIT_SESSIONS", 1)
    monkeypatch.setattr(bits, "TURNS", (3, 4))
    monkeypatch.setattr(bits, "SEEDS", 1)
    monkeypatch.setattr(bits, "_past_the_window", lambda loaded: 4)
    monkeypatch.setattr(suite, "FOUR_ROW_PASSES", 3)
    monkeypatch.setattr(suite, "MAX_TICKS_AGAIN", 1)
    monkeypatch.setattr(price, "NUM_TICKS", 5)
    monkeypatch.setattr(price, "NUM_STEPS", 1)
    monkeypatch.setattr(price, "TRAINING", {"dense": (DENSE, 32), "moe": (MOE, 32)})
    monkeypatch.setattr(training, "SHAPES", {"xs": (1, 4), "s": (1, 4)})
    monkeypatch.setattr(training, "MATMUL_DIM", 64)
    monkeypatch.setattr(training, "NUM_WARM_UP", 0)
    monkeypatch.setattr(training, "NUM_STEPS", 1)
    monkeypatch.setattr(training, "model_config", lambda size: model_config("tiny"))
    monkeypatch.setattr(timing, "BANDWIDTH_BYTES", 1 << 20)
    makers, kept = runtimes._makers, (runtimes.STOCK, runtimes.UNPINNED, runtimes.TRANSFORMERS)

    def some(work, num_ticks):
        return {
            name: ways if name.startswith(kept) else {"": absent}
            for name, ways in makers(work, num_ticks).items()
            if not name.endswith("grouped_mm")
        }

    monkeypatch.setattr(runtimes, "_makers", some)
    monkeypatch.setattr(runtimes, "YOUNG", kept)  # a full window is another test's


def test_the_command_writes_rows_and_a_page(fast, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    to = tmp_path / "r.json", tmp_path / "r.html"
    assert main(["bench", "speed", "--ticks", "8", "--json", str(to[0]), "--html", str(to[1])]) == 0
    report = json.loads(to[0].read_text())
    assert command_of(report, "r.json") == "interplay bench speed --ticks 8 --json r.json"
    assert list(report["rows"]) == [row.name for row in SPEED]
    rows = report["rows"]
    assert rows["bits_differing"]["value"] == 0 and rows["s_sessions"]["value"] == 4
    assert rows["vs_transformers"]["value"] > 0 and rows["tick_growth"]["value"] is None
    assert rows["memory_growth_hour"]["about"]["ticks"] == 16
    assert rows["memory_growth_hour"]["value"] > -1
    assert rows["train_mfu_xs"]["value"] > 0
    shares = list(rows["train_mfu_xs"]["about"]["profile"].values())
    assert len(shares) == training.NUM_LISTED and shares == sorted(shares, reverse=True)
    about = rows["mbu_cpu"]["about"]
    assert about["if_float32_were_read"] >= round(rows["mbu_cpu"]["value"], 3) > 0
    page = to[1].read_text()
    assert "s-moe" in page and runtimes.TRANSFORMERS in page and "<polyline" in page
    printed = " ".join(capsys.readouterr().out.split())
    for row in ON_GPU:
        found = rows[row.name]
        assert found["value"] is found["passes"] is None and found["about"] == {"why": "no GPU"}
    assert all("gpu_mfu_moe: not measured: no GPU" in text for text in (printed, page))
    assert set(rows["bits_price_train"]["about"]["prices"]) == {"dense", "moe"}
    assert rows["bits_price_tick"]["about"]["served"].startswith("native kernel")
    for name, measured in report["workloads"].items():
        for runtime, why in measured["missing"].items():
            assert f"{name}: {runtime} was not measured: {why}" in printed
            assert escape(why) in page


def test_an_interrupted_run_goes_on_and_rows_join_those_of_the_file(fast, tmp_path, monkeypatch):
    to, asked = tmp_path / "r.json", ["--rows", "s_sessions,xs_sessions,train_mfu_xs"]
    counted = []

    def sessions(model, *_):
        counted.append(model)
        if len(counted) == 2:
            raise KeyboardInterrupt
        return 4.0, {}

    monkeypatch.setattr("interplay.bench.speed.suite.most_sessions", sessions)
    words = ["bench", "speed", "--ticks", "8", "--json", str(to)]
    assert main([*words, *asked]) == 130 and not to.exists()
    assert main([*words, *asked]) == 0
    assert counted == ["s", DEFAULT_MODEL, DEFAULT_MODEL], "the first was kept"
    assert main([*words, "--rows", "s_tick_p99_ms"]) == 0
    rows = json.loads(to.read_text())["rows"]
    assert list(rows) == ["s_tick_p99_ms", "s_sessions", "xs_sessions", "train_mfu_xs"]
    assert (
        "commit" in rows["s_sessions"]["about"] and "commit" not in rows["s_tick_p99_ms"]["about"]
    )
    assert list(tmp_path.iterdir()) == [to], "nothing partial is left"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["speed", "--rows", "nope"], "no row nope in speed; rows: bits_differing"),
        (["speed", "--ticks", "3"], "--ticks is 3; at least 8"),
        (["core", "--ticks", "9"], "--ticks is for the suite speed"),
        (["speed", "--n", "9"], "only --ticks, --rows"),
        (["speed", "--json", "/nowhere/x.json"], "there is no folder"),
    ],
)
def test_what_does_not_fit_is_one_line(words, line, capsys):
    assert main(["bench", *words]) == 2
    assert line in capsys.readouterr().err


def test_an_unknown_workload_lists_the_known_ones():
    with pytest.raises(ConfigError, match=f"{DEFAULT_MODEL}, s, s-moe"):
        workload("m")


def test_the_list_names_every_row(capsys):
    assert main(["bench", "speed", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(row.name in printed for row in SPEED)


def test_the_gguf_file_holds_the_weights(work, tmp_path):
    gguf = pytest.importorskip("gguf")
    write_gguf(work, tmp_path / "model.gguf")
    reader = gguf.GGUFReader(tmp_path / "model.gguf")
    found = {tensor.name: torch.from_numpy(tensor.data.copy()) for tensor in reader.tensors}
    layer = work.backbone.layers[1]
    assert torch.equal(found["output.weight"], work.head)
    assert torch.equal(found["blk.1.attn_output.weight"], layer.attention.out)
    kind, down = ("_exps", layer.ff.down) if work.config.num_experts else ("", layer.ff.down)
    assert torch.equal(found[f"blk.1.ffn_down{kind}.weight"].view(down.shape), down)
    per_layer = 12 if work.config.num_experts else 11
    assert len(found) == 3 + per_layer * work.config.num_layers
