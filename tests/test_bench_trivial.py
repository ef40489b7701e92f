"""What trivial systems get in every suite: the table that a metric's traps are read from.

Each line is one cell: a score that a silent, deaf, turn-taking or perfect system must have, because
of how the metric is defined. A change of a definition shows here.

Where the reference assumes continuous time, our clock of 200 ms gives another value, and the cell
holds that. The perfect system answers after 0.4 s and not 0.2: what ends in a micro-turn is known
when that is over, and an answer in the very next tick makes a turn of tau-Voice one that wants no
answer. It says what a film shows 0.2 s later, so its PAUC at half weight is at most 98.1.
"""

from functools import cache

import pytest
from bench_helpers import beep, value_in

from interplay.bench.playing.logical_clock import play
from interplay.bench.results.report import read_json
from interplay.bench.scoring.score import summarize
from interplay.bench.suites import NAMES, fdb_twin, load_suite
from interplay.bench.systems import oracle
from interplay.bench.systems.oracle import Oracle
from interplay.bench.systems.policies import POLICIES, Policy
from interplay.cli import main
from interplay.data.item import Item
from interplay.data.texts import questions
from interplay.data.voices import OWN_VOICE

NONE = None  # nothing that could be measured
PATIENT = Policy(endpoint_s=1.1, reaction_s=0.2, yields="never", keeps_time=False)
PLAYED_THERE = {  # by the tests of the suite itself, rows compared
    *(("timespeak", policy) for policy in ("echo", "immediate")),
    ("cuespeak", "metronome"),
}
SLOW = {"stress", "long-timer"}  # ten minutes long; they have tests of their own
FOUR = ("silent", "always", "half_duplex", "perfect")
# who stands for the turn-taker where the definitions need one that hears barge-in, or waits longer
TURN_TAKER = {"fdb1": "patient", "fdb15": "always_yields", "tau": "always_yields"}


@pytest.fixture(scope="module", autouse=True)
def _patient():
    """A turn-taker that waits longer than any pause of the twin of fdb1 lasts."""
    oracle.POLICIES["patient"] = PATIENT
    yield
    del oracle.POLICIES["patient"]


@cache
def items(name: str) -> list[Item]:
    """One per part or family."""
    return load_suite(name).twin(1, 0)


@cache
def scores(name: str, policy: str) -> dict[str, float | None]:
    """Row name -> value."""
    suite = load_suite(name)
    # words of a real length where a turn is told from a nod by it; elsewhere tones do
    say, voice = (fdb_twin.spoken, OWN_VOICE) if name.startswith("fdb") else (beep, "own")
    found = suite.score(list(play(items(name), Oracle(policy, say, voice), say)))
    return {row.name: value_in(row, found[row.name]) for row in suite.rows if row.name in found}


# suite, row, then silent, always talking, half-duplex, perfect
TABLE = [
    ("fdb1", "fdb1_pause_takeover", 0, 1, 0, 0),
    ("fdb1", "fdb1_takeover", 0, 1, 1, 1),
    ("fdb1", "fdb1_latency_s", NONE, 0.0, 1.3, 0.4),  # clamped where it never listened
    ("fdb1", "fdb1_backchannel_takeover", 0, 1, 0, 0),
    ("fdb1", "fdb1_backchannel_jsd", 1, 1, 1, "<0.8"),
    ("fdb1", "fdb1_backchannel_freq", 0, 0, 0, ">0"),
    ("fdb1", "fdb1_interrupt_takeover", 0, 1, 1, 1),
    ("fdb15", "fdb15_average", 0, 75, 25, 100),
    ("fdb15", "fdb15_balanced", 0, 50, 50, 100),
    ("tau", "tau_response_rate", 0, NONE, 1, 1),
    ("tau", "tau_yield_rate", NONE, 0, 1, 1),
    ("tau", "tau_selectivity_bc", NONE, 1, 0, 1),
    ("tau", "tau_selectivity_vt", NONE, 1, 0, 1),
    ("tau", "tau_selectivity_nd", NONE, 1, 0, 1),
    ("tau", "tau_no_response", 1, 0, 0, 0),
    ("timespeak", "timespeak_probe", 0, 0, "<12", 100),
    ("timespeak", "timespeak_strict", 0, 0, "<12", 100),
    ("cuespeak", "cuespeak", 0, 0, 0, 100),
    ("cuespeak", "cuespeak_strict", 0, 0, 0, 100),
    ("cuespeak", "cuespeak_post_turn", 0, 0, 1, 0),
    ("cuespeak", "cuespeak_story", 0, 0, 0, 100),
    ("cuespeak", "cuespeak_category", 0, 0, 0, 100),
    ("cuespeak", "cuespeak_quiet", 0, 0, 100, 100),  # a question, which a turn-taker answers
    ("timespeak", "timespeak_longer", 0, 0, 0, 100),
    ("translate", "translate_acc", 0, 0, "<0.3", 1),
    ("translate", "translate_lag_s", NONE, NONE, ">1", "<0.7"),
    ("translate", "translate_overlap", NONE, NONE, 0, ">0.8"),
    ("repcount", "repcount_obo", 0, 0, 0, 100),
    ("repcount", "repcount_no_response", 1, 0, 0, 0),
    ("pvqa", "pvqa_pauc", 25, "<25", "25-62.5", "97.5-98.2"),
    ("pvqa", "pvqa_pauc_w1", 25, 0, "25-62.5", 100),
    ("charades", "charades_miou", 0, 0, 0, "99.5-100"),  # onsets are known to 10 ms
    ("ifeval", "ifeval", 0, 0, 100, 100),
    ("voice-ifeval", "voice_ifeval", 0, 0, 100, 100),
    ("harmbench", "harmbench_refusal", 1, 0, 1, 1),  # an empty reply passes for a refusal
    ("harmbench", "harmbench_empty", 1, 0, 0, 0),
    ("audiomc", "audiomc_apr", 0, 0, 1, 1),
    ("audiomc", "audiomc_no_response", 1, 0, 0, 0),
    ("fdb3", "fdb3_pass1", 0, 0, 1, 1),
    ("delegate", "delegate_recall", 0, 0, 1, 1),
    ("delegate", "delegate_bridge_s", NONE, NONE, 0.9, 0.4),
    ("delegate", "delegate_early_facts", 0, 0, 0, 0),  # who never asks tells nothing either
    ("delegate", "delegate_said", 0, 0, 1, 1),
    ("voices", "unseen_engine_answer", 0, 0, 1, 1),
    ("voices", "unseen_engine_cue", 0, 0, 0, 1),
    ("voices", "unseen_engine_cue_kept", NONE, NONE, NONE, 1),
]
# suite, row, who, value
OTHERS = [
    ("fdb1", "fdb1_pause_takeover", "half_duplex", 1),  # pauses are longer than its 0.7 s
    ("fdb1", "fdb1_latency_s", "half_duplex", 0.9),
    ("fdb15", "fdb15_average", "half_duplex", 100),  # talks on, and answers when it has finished
    ("fdb15", "fdb15_average", "deaf", 75),
    ("fdb15", "fdb15_balanced", "deaf", 50),
    ("tau", "tau_selectivity_bc", "half_duplex", 1),
    ("timespeak", "timespeak_probe", "deaf", "<12"),  # F8, the one family of questions
    ("cuespeak", "cuespeak_strict", "metronome", 0),
    ("translate", "translate_acc", "echo", 0),
]
CELLS = [
    *(
        (suite, row, TURN_TAKER.get(suite, who) if who == "half_duplex" else who, value)
        for suite, row, *values in TABLE
        for who, value in zip(FOUR, values, strict=True)
    ),
    *OTHERS,
]


@pytest.mark.parametrize(("suite", "row", "who", "wanted"), CELLS)
def test_cell(suite: str, row: str, who: str, wanted):
    value = scores(suite, who)[row]
    if wanted is NONE:
        assert value is None
        return
    assert value is not None
    if isinstance(wanted, str) and wanted[0] in "<>":
        limit = float(wanted[1:])
        assert value < limit if wanted[0] == "<" else value > limit
    elif isinstance(wanted, str):
        low, high = map(float, wanted.split("-"))
        assert low <= value <= high
    else:
        assert value == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize(
    ("suite", "endpoint", "wanted"),
    [
        ("fdb15", "baseline:deaf", {"fdb15_average": 75, "fdb15_balanced": 50}),
        ("pvqa", "baseline:silent", {"pvqa_pauc": 25}),
    ],
)
def test_the_command_says_the_same(suite, endpoint, wanted, tmp_path):
    file = tmp_path / "r.json"
    words = ["bench", suite, "--endpoint", endpoint, "--n", "1", "--rows", ",".join(wanted)]
    assert main([*words, "--json", str(file)]) == 0
    rows = read_json(file)["rows"]
    assert {name: row["value"] for name, row in rows.items()} == pytest.approx(wanted, abs=1e-9)


class Expert:
    """A judge that knows what each request of the twin wants to hear."""

    name = "expert"

    def judge(self, system: str, user: str) -> str:
        _, interruption, reply = (line.partition(": ")[2] for line in user.split("\n"))
        [answer] = [q.answer for q in questions.recitals() if q.text == interruption]
        return f'{{"rating": {5 if answer in reply else 0}}}'


@pytest.mark.parametrize(
    ("who", "wanted"), [("silent", None), ("always", 0), ("patient", 5), ("perfect", 5)]
)
def test_ratings_of_replies_to_an_interruption(who: str, wanted: float | None):
    asked = [what for what in items("fdb1") if what.about["part"] == "interrupt"]
    traces = list(play(asked, Oracle(who, fdb_twin.spoken, OWN_VOICE), fdb_twin.spoken))
    found = load_suite("fdb1", Expert()).score(traces)["fdb1_interrupt_rating_judged"]
    assert summarize(found, "ratio", 0).value == wanted


def test_trivial_baselines_stand_beside_every_suite():
    for name in NAMES:
        suite = load_suite(name)
        assert set(suite.baselines) <= set(POLICIES), name
        assert {"silent", "perfect"} <= set(suite.baselines), name


def test_every_policy_plays_every_suite_to_the_end():
    for name in set(NAMES) - SLOW:
        for policy in ("echo", "metronome", "immediate", "deaf"):
            if (name, policy) not in PLAYED_THERE:
                assert set(scores(name, policy)) == set(scores(name, "silent")), (name, policy)
