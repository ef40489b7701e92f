"""FDB v3: function calls that a request asks for, and when they pass."""

import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bench_helpers import TYPED, Fixed, hand_made, numbers

from interplay.bench.scoring import calls
from interplay.bench.scoring.calls import FunctionCall, Phrase, passes, same_args
from interplay.bench.suites import fdb3
from interplay.errors import RecordError

# FDB v3


def call(name: str, **args) -> FunctionCall:
    return FunctionCall(name=name, args=args)


PASSES = [  # expected, actual, passed, why
    ([call("a", x="1")], [call("a", x="1", y="2")], True, ""),
    ([call("a", x="New_York ")], [call("a", x="new york")], True, ""),
    ([call("a", x="$RESULT_0.id")], [call("a", x="whatever")], True, ""),
    ([call("a", x="$RESULT_0.id")], [call("a")], False, "wrong_arguments"),
    ([call("a", x=1)], [call("a", x="1")], False, "wrong_arguments"),
    ([call("a"), call("a")], [call("a")], False, "missing_call"),
    ([call("a")], [call("a"), call("b")], False, "unexpected_call"),
    ([call("a"), call("b")], [call("b"), call("a")], True, ""),
    (
        [call("a", x="1"), call("a", x="2")],
        [call("a", x="2"), call("a", x="1")],
        False,
        "wrong_arguments",
    ),
    ([], [], True, ""),
]


@pytest.mark.parametrize(("expected", "actual", "passed", "why"), PASSES)
def test_pass_at_one(expected, actual, passed, why):
    assert passes(expected, actual) == (passed, why)


def test_calls_come_from_functions_and_from_delegations():
    pieces = [
        ("<call>", 1.0),
        (" get_rate", 1.0),
        (' {"from": "EUR",', 1.05),
        (' "to": "USD"}', 1.1),
    ]
    pieces += [("<end>", 1.2), ("<delegate>", 2.0), (" find", 2.0), (" a", 2.0), (" cat", 2.1)]
    pieces += [(" and track order six", 2.1), ("<end>", 2.2), ("<call>", 3.0), (" stop {x", 3.1)]
    trace = replace(hand_made(TYPED), act_pieces=(*pieces, ("<end>", 3.2)))
    phrases = [
        Phrase(function="track_order", words="track order {n}"),
        Phrase(function="search", words="find a {what}"),
    ]
    found = calls.calls_of(trace, phrases)
    assert [(c.name, dict(c.args)) for c in found] == [
        ("get_rate", {"from": "EUR", "to": "USD"}),
        ("search", {"what": "cat"}),
        ("track_order", {"n": "six"}),
    ]
    assert found[0].time_s == pytest.approx(1.25) and found[2].time_s == pytest.approx(2.25)
    assert [c.name for c in calls.calls_of(trace)] == ["get_rate"]


def test_fdb3_reads_the_released_folders(tmp_path):
    with pytest.raises(RecordError, match="fdb_v3_data_released"):
        fdb3.load(tmp_path, None)
    folder = tmp_path / "01_anna"
    folder.mkdir()
    soundfile.write(folder / "input.wav", np.full(48_000, 0.25), 48_000)
    wanted = [{"function": "track_order", "args": {"order_id": "A7"}}]
    data = {"id": "01", "domain": "shop", "difficulty": "easy", "expected_tool_calls": wanted}
    (folder / "metadata.json").write_text(json.dumps(data))
    [what] = fdb3.load(tmp_path, None)
    assert {k: what.about[k] for k in ("id", "domain", "calls")} == {
        **{"id": "01_anna", "domain": "shop", "calls": wanted}
    }
    assert [tool["name"] for tool in what.about["functions"]] == ["track_order"]
    pieces = (("<call>", 2.0), (' track_order {"order_id": "a7"}', 2.0), ("<end>", 2.1))
    trace = replace(hand_made(what, voice=[(2.5, 3.0)]), act_pieces=pieces)
    found = numbers(fdb3.SUITE, [trace])
    assert (found["fdb3_pass1"], found["fdb3_turn_rate"]) == (1, 1)
    assert found["fdb3_latency_s"] == pytest.approx(1.0, abs=0.011)
    assert found["fdb3_tool_latency_s"] == pytest.approx(0.65)
    over = replace(hand_made(what, voice=[(1.0, 3.0)]))
    assert fdb3.SUITE.score([over])["fdb3_latency_s"][0].notes == ("premature",)
    other = (("<call>", 2.0), (' track_order {"order_id": "number A7"}', 2.0), ("<end>", 2.1))
    loose = replace(trace, act_pieces=other)
    judge = Fixed('{"correct": true}')
    found = numbers(fdb3.judged(judge), [trace, loose])
    assert (found["fdb3_pass1"], found["fdb3_pass1_judged"], len(judge.asked)) == (0.5, 1, 1)
    assert numbers(fdb3.judged(Fixed("?")), [loose])["fdb3_pass1_judged"] is None
    assert found["fdb3_reply_judged"] is None, "nobody knows what should have been said"
    (folder / "metadata.json").write_text("{}")
    with pytest.raises(RecordError, match="lacks expected_tool_calls"):
        fdb3.load(tmp_path, None)


def test_replies_are_judged_by_the_last_line_of_the_dialogue(tmp_path):
    folder = tmp_path / "01_anna"
    folder.mkdir()
    soundfile.write(folder / "input.wav", np.full(48_000, 0.25), 48_000)
    dialogue = [{"user": "Hi", "ai": "Hello!"}, {"user": "Track it", "ai": "It is on its way."}]
    data = {"expected_tool_calls": [], "dialogue": dialogue}
    (folder / "metadata.json").write_text(json.dumps(data))
    [what] = fdb3.load(tmp_path, None)
    judge = Fixed('{"correct": true}')
    suite = fdb3.judged(judge)
    spoken, silent = hand_made(what, say=[("coming", 3.0)]), hand_made(what)
    assert numbers(suite, [spoken, silent])["fdb3_reply_judged"] == 0.5
    assert judge.asked == ["Should have said: It is on its way.\nSaid: coming"]
    assert numbers(fdb3.judged(Fixed("?")), [spoken])["fdb3_reply_judged"] is None
    for odd in ([], ["x"], "x", None):
        (folder / "metadata.json").write_text(json.dumps(data | {"dialogue": odd}))
        assert fdb3.load(tmp_path, None)[0].about["reply"] == ""
    assert all(item.about["reply"] for item in fdb3.twin(1, 0))


CHECKOUT = os.environ.get("FDB_CHECKOUT")


@pytest.mark.skipif(CHECKOUT is None, reason="set FDB_CHECKOUT to a checkout of Full-Duplex-Bench")
def test_parity_with_the_published_pass_rate(monkeypatch):
    path = Path(str(CHECKOUT)) / "v3" / "evaluate_pass_rate.py"
    if not path.exists():
        pytest.skip(f"{path} is not there: this checkout is from before version 3")
    monkeypatch.syspath_prepend(str(path.parent))  # it imports its neighbours
    spec = importlib.util.spec_from_file_location("evaluate_pass_rate", path)
    assert spec and spec.loader
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)
    rng = np.random.default_rng(3)
    texts = ["a_b", "A b", "$R.x", " c", 1, 1.0, "1", None]
    results = set()
    for _ in range(3000):
        both = []
        for _ in range(2):
            some = [
                {
                    "function": str(rng.choice(["f", "g"])),
                    "args": {k: texts[int(rng.integers(8))] for k in "xy"[: rng.integers(3)]},
                }
                for _ in range(rng.integers(3))
            ]
            both.append(some)
        expected, actual = both
        theirs = official.evaluate_scenario_pass({"expected_tool_calls": expected}, actual)
        want, got = (
            [FunctionCall(name=c["function"], args=c["args"]) for c in some] for some in both
        )
        ours, _ = passes(want, got, same_args)
        assert ours == theirs["passed"], both
        results.add(ours)
    assert results == {True, False}
