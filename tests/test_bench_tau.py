"""The interaction panel of tau-Voice: hand-made ticks, trivial systems, official data."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from bench_helpers import beep

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Stage
from interplay.bench.running.endpoints import open_system, parse_endpoint
from interplay.bench.scoring.score import summarize
from interplay.bench.scoring.tick_panel import (
    BACKCHANNEL,
    NON_DIRECTED,
    VOCAL_TIC,
    Panel,
    Tick,
    panel,
    ticks_of_simulation,
    without_last_artefact,
)
from interplay.bench.suites.tau import SUITE, ticks_of
from interplay.bench.suites.tau_twin import FAMILIES
from interplay.bench.systems.oracle import Oracle
from interplay.bench.systems.recorded import Recorded
from interplay.data.item import Speak
from interplay.data.texts.questions import split_of
from interplay.errors import ConfigError, RecordError, UnsupportedError

U, A, BOTH, NONE = Tick(user=True), Tick(agent=True), Tick(user=True, agent=True), Tick()
NOD = Tick(user=True, agent=True, backchannel=True)
TIC = Tick(user=True, agent=True, effects=((VOCAL_TIC, "um"),))
OPENED: dict = {"seed": 0, "synthesize": beep, "own_voice": "own"}
ASIDE = Tick(effects=((NON_DIRECTED, "hold on"),))

# Ticks


def test_an_answer_takes_from_the_end_of_the_turn_to_its_first_tick():
    found = panel([U] * 5 + [NONE] * 5 + [A] * 5 + [NONE])
    assert found == Panel(responses=[5 * 0.2])


def test_a_turn_is_unanswered_only_if_the_user_speaks_again():
    assert panel([U] * 5 + [NONE] * 20).responses == []
    found = panel([U] * 5 + [NONE] * 10 + [U] * 5 + [NONE] * 2 + [A] * 3)
    assert found.responses == [None, pytest.approx(0.4)]
    at_once = panel([U] * 2 + [A] * 2 + [NONE])
    assert at_once.responses == [] and at_once.agent_interrupts == 0


def test_a_turn_that_ends_under_the_agent_asks_for_no_answer():
    found = panel([U, U, BOTH, A, A, NONE, U, U])
    assert found.responses == [] and found.agent_interrupts == 1


def test_an_interruption_is_yielded_to_within_ten_ticks():
    assert panel([A] * 4 + [BOTH] * 3 + [U] * 3 + [NONE] * 5).yields == [pytest.approx(0.6)]
    assert panel([A] * 2 + [BOTH] * 4 + [A] * 5 + [NONE]).yields == [pytest.approx(1.8)]
    assert panel([A] * 2 + [BOTH] * 4 + [A] * 6 + [NONE]).yields == [None]


@pytest.mark.parametrize(("mark", "kind"), [(NOD, BACKCHANNEL), (TIC, VOCAL_TIC)])
def test_a_stop_within_five_ticks_of_a_nod_or_a_tic_is_an_error(mark: Tick, kind: str):
    assert panel([A] * 3 + [mark] * 2 + [A] * 3 + [NONE]).ignored[kind] == [True]
    assert panel([A] * 3 + [mark] * 2 + [A] * 2 + [NONE]).ignored[kind] == [False]
    assert panel([A] * 3 + [mark] * 2 + [A] * 3 + [NONE]).yields == []


def test_an_aside_in_silence_must_not_be_answered_for_ten_ticks_after_its_end():
    for wait, ignored in ((10, False), (11, True)):
        found = panel([NONE] * 3 + [ASIDE] * 2 + [NONE] * wait + [A])
        assert found.ignored[NON_DIRECTED] == [ignored] and found.responses == []


def test_an_effect_beside_speech_counts_only_when_it_stopped_the_agent():
    marked = Tick(agent=True, effects=ASIDE.effects)
    assert panel([A, marked, A, A, A, A, NONE]).ignored[NON_DIRECTED] == [False]
    assert panel([A, marked, A, A, A, A, A, NONE]).ignored[NON_DIRECTED] == []


def test_the_hang_up_is_no_turn():
    ticks = [A, A, NONE, U]
    assert list(without_last_artefact(ticks)) == ticks[:3]
    assert list(without_last_artefact([A, U, U])) == [A, U, U]


def test_a_text_run_is_refused():
    with pytest.raises(RecordError, match="--audio-native"):
        ticks_of_simulation({"id": "x", "ticks": None})


# The suite

# R_R, R_Y, S_BC, S_VT, S_ND; None: nothing to count
EXPECTED = {
    "silent": (0, None, None, None, None),
    "always": (None, 0, 1, 1, 1),
    "always_yields": (1, 1, 0, 0, 0),
    "perfect": (1, 1, 1, 1, 1),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_trivial_systems_get_what_they_must(name: str):
    traces = list(play(SUITE.twin(1, 0), Oracle(name, beep, "own"), beep))
    outcomes = SUITE.score(traces)
    assert set(outcomes) == {row.name for row in SUITE.rows}
    scores = {row.name: summarize(outcomes[row.name], row.statistic, 0) for row in SUITE.rows}
    names = ("response_rate", "yield_rate", "selectivity_bc", "selectivity_vt", "selectivity_nd")
    assert tuple(scores[f"tau_{short}"].value for short in names) == EXPECTED[name]
    if name == "perfect":
        assert scores["tau_response_latency_s"].value == pytest.approx(0.4, abs=0.2)
        assert scores["tau_yield_latency_s"].value == pytest.approx(0.4, abs=0.2)
        assert scores["tau_agent_interrupts"].value == 0


def test_the_twin_is_held_out_and_repeats_itself():
    items = SUITE.twin(2, 3)
    assert [item.subset for item in items] == [f for f in FAMILIES for _ in range(2)]
    assert items == SUITE.twin(2, 3) and items != SUITE.twin(2, 4)
    turns = [c.text for item in items[:2] for c in item.cues if isinstance(c, Speak)]
    assert all(split_of(text) == "test" for text in turns)


def test_ticks_follow_sound_and_cues():
    [item] = [item for item in SUITE.twin(1, 0) if item.subset == "backchannel"]
    [played] = play([item], Oracle("perfect", beep, "own"), beep)
    ticks = ticks_of(played)
    assert len(ticks) == round(item.length_s / 0.2)
    nod = played.cues[1]
    assert nod and [i for i, tick in enumerate(ticks) if tick.backchannel] == list(
        range(int(nod[0] / 0.2), int((nod[1] - 0.011) / 0.2) + 1)
    )


# Stored runs


def chunk(tick: Tick) -> dict:
    """A tick as tau2-bench stores it."""
    user: dict = {"contains_speech": tick.user}
    if tick.backchannel:
        user["turn_taking_action"] = {"action": "backchannel"}
    for kind, text in tick.effects:
        name = "speech_effects" if kind == VOCAL_TIC else "source_effects"
        user[name] = {"speech_insert": {"type": kind, "text": text}}
    return {"user_chunk": user, "agent_chunk": {"contains_speech": tick.agent}}


RUN = [
    *[A, NONE, A],  # gaps of one tick are gaps
    *[U, U, NONE, NONE, A, A, A],
    *[NOD, A, A, A, A, A, NONE, U, U, NONE, NONE, A, A, A],
    *[BOTH, BOTH, U, NONE, A, A, TIC, A, A, NONE, ASIDE, ASIDE],
    *[NONE] * 12,
    *[U, NONE, A],
]


@pytest.fixture
def stored(tmp_path) -> Path:
    folder = tmp_path / "simulations"
    folder.mkdir()
    for name in ("a", "b"):
        run = {"id": name, "ticks": [chunk(tick) for tick in RUN]}
        (folder / f"{name}.json").write_text(json.dumps(run))
    return tmp_path


def test_a_stored_run_is_scored_tick_by_tick(stored: Path):
    assert SUITE.load is not None
    items = SUITE.load(stored, None)
    assert [item.about["id"] for item in items] == ["a", "b"]
    assert len(SUITE.load(stored, 1)) == 1
    json.dumps(items[0].about)
    traces = list(play(items, Recorded(), beep))
    for trace in traces:
        assert ticks_of(trace) == RUN
    wanted, found = panel(RUN), SUITE.score(traces[:1])
    answered = [value for value in wanted.responses if value is not None]
    assert [o.value for o in found["tau_response_latency_s"]] == answered != []
    assert [o.value for o in found["tau_yield_latency_s"]] == wanted.yields != []
    assert [o.value for o in found["tau_selectivity_bc"]] == [1]
    assert found["tau_no_response"][0].value == 0


def test_trivial_systems_meet_the_user_of_a_stored_run(stored: Path):
    assert SUITE.load is not None
    items = SUITE.load(stored, 1)
    for name, rate in (("silent", 0), ("half_duplex", 1)):
        found = SUITE.score(list(play(items, Oracle(name, beep, "own"), beep)))
        assert found["tau_no_response"][0].value == (name == "silent")
        assert found["tau_response_rate"][0].value == rate, name
        assert [tick.user for tick in ticks_of(next(play(items, Recorded(), beep)))] == [
            tick.user for tick in RUN
        ]


def test_nobody_can_listen_to_a_stored_run_and_nothing_else_is_recorded(stored: Path):
    assert SUITE.load is not None
    [item] = SUITE.load(stored, 1)
    with pytest.raises(UnsupportedError, match="--endpoint recorded"):
        _ = Stage(item, beep).hear
    with pytest.raises(ConfigError, match="tau --data FOLDER"):
        list(play(SUITE.twin(1, 0)[:1], Recorded(), beep))
    assert isinstance(open_system(parse_endpoint("recorded"), **OPENED), Recorded)


def test_folders_without_runs_are_one_clear_line(tmp_path: Path):
    assert SUITE.load is not None
    with pytest.raises(RecordError, match=r"simulations/\*\.json"):
        SUITE.load(tmp_path, None)
    (tmp_path / "x.json").write_text('{"id": "x"}')
    with pytest.raises(RecordError, match="x has no ticks"):
        SUITE.load(tmp_path, None)
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(RecordError, match="holds no simulation"):
        SUITE.load(tmp_path, None)


# Parity with the official code

CHECKOUT = os.environ.get("TAU2_CHECKOUT")
needs_checkout = pytest.mark.skipif(
    not CHECKOUT, reason="set TAU2_CHECKOUT to a checkout of sierra-research/tau2-bench"
)


@needs_checkout
def test_golden_data_of_tau2_bench():
    folder = Path(str(CHECKOUT)) / "tests/test_voice/test_interaction_metrics/testdata"
    expected = json.loads((folder / "expected_metrics.json").read_text())
    panels = [
        panel(ticks_of_simulation(json.loads(path.read_text())))
        for path in sorted((folder / "experiment/simulations").glob("*.json"))
    ]
    responses = [value for one in panels for value in one.responses]
    yields = [value for one in panels for value in one.yields]
    answered = [value for value in responses if value is not None]
    stopped = [value for value in yields if value is not None]
    interrupts = sum(one.agent_interrupts for one in panels)
    counts = {"response": len(responses), "yield": len(yields)}
    found = {
        "response_latency_mean": np.mean(answered),
        "yield_latency_mean": np.mean(stopped),
        "response_rate": len(answered) / len(responses),
        "yield_rate": len(stopped) / len(yields),
        "agent_interruption_rate": interrupts / len(responses),
    }
    for kind in (BACKCHANNEL, VOCAL_TIC, NON_DIRECTED):
        ignored = [value for one in panels for value in one.ignored[kind]]
        found[f"selectivity_{kind}"] = np.mean(ignored)
        counts[kind] = len(ignored)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], abs=1e-9), name
    for name, count in counts.items():
        assert count == expected["counts"][f"{name}_total"], name
    assert interrupts == expected["counts"]["agent_interrupts_count"]


@needs_checkout
def test_random_ticks_count_as_the_official_code_counts_them(monkeypatch):
    official = _official(monkeypatch)
    rng = np.random.default_rng(0)
    for _ in range(300):
        ticks = _random_ticks(rng)
        theirs = official.extract_voice_quality_events_from_simulation(
            [_as_official(tick) for tick in ticks]
        )
        ours = panel(ticks)
        assert sorted(v for v in ours.responses if v is not None) == pytest.approx(
            sorted(e.latency_sec for e in theirs if e.event_type == "response")
        )
        assert sorted(v for v in ours.yields if v is not None) == pytest.approx(
            sorted(e.latency_sec for e in theirs if e.event_type == "yield")
        )
        assert ours.responses.count(None) == _count(theirs, "no_response")
        assert ours.yields.count(None) == _count(theirs, "no_yield")
        for kind, values in ours.ignored.items():
            assert values.count(True) == _count(theirs, f"{kind}_correct")
            assert values.count(False) == _count(theirs, f"{kind}_error")


def _count(events, event_type: str) -> int:
    return sum(event.event_type == event_type for event in events)


def _official(monkeypatch) -> ModuleType:
    """The official module, without its package around it."""
    pytest.importorskip("pydantic")
    log = ModuleType("loguru")
    log.logger = SimpleNamespace(debug=lambda *_: None)  # type: ignore[attr-defined]
    message = ModuleType("tau2.data_model.message")
    message.Tick = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "loguru", log)
    for name in ("tau2", "tau2.data_model"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "tau2.data_model.message", message)
    path = Path(str(CHECKOUT)) / "src/tau2/metrics/voice_interaction_metrics.py"
    spec = importlib.util.spec_from_file_location("official_tau_metrics", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def _random_ticks(rng: np.random.Generator) -> list[Tick]:
    """Stretches of up to 14 ticks in a random state."""
    ticks: list[Tick] = []
    while len(ticks) < 120:
        effect = rng.choice([VOCAL_TIC, NON_DIRECTED, ""], p=[0.15, 0.15, 0.7])
        tick = Tick(
            user=bool(rng.random() < 0.4),
            agent=bool(rng.random() < 0.5),
            backchannel=bool(rng.random() < 0.2),
            effects=((str(effect), "um"),) if effect else (),
        )
        ticks += [tick] * int(rng.integers(1, 15))
    return ticks


def _as_official(tick: Tick) -> SimpleNamespace:
    inserts = [
        SimpleNamespace(type="vocal_tic" if kind == VOCAL_TIC else "non_directed_phrase", text=text)
        for kind, text in tick.effects
    ]
    user = SimpleNamespace(
        contains_speech=tick.user,
        turn_taking_action=SimpleNamespace(
            action="backchannel" if tick.backchannel else "keep_talking", info=""
        ),
        speech_effects=SimpleNamespace(speech_insert=inserts[0]) if inserts else None,
        source_effects=None,
        content="",
        utterance_ids=[],
    )
    agent = SimpleNamespace(
        contains_speech=tick.agent, raw_data=None, content="", utterance_ids=[],
        speech_effects=None, source_effects=None,
    )  # fmt: skip
    return SimpleNamespace(user_chunk=user, agent_chunk=agent)
