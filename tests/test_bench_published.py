"""Numbers of others, as they stand in the sources: each is typed here a second time."""

from interplay.bench.suites import ALONE, NAMES, load_suite
from interplay.bench.suites.post import SOURCE, SYSTEMS

NONE = None
JUDGED = "_judged"

# Thinking Machines Lab, DOI 10.64434/tml.20260511, as revised: their model, GPT-Realtime-2.0
# minimal, 1.5, Gemini 3.1 minimal, Qwen3.5-Omni-plus, GPT-Realtime-2.0 xhigh, Gemini 3.1 high
POST = {
    "fdb1_latency_s": (0.40, 1.18, 0.59, 0.57, 2.14, 1.63, 0.94),
    "fdb15_average_judged": (77.8, 46.8, 48.3, 54.3, 39.0, 47.8, 45.5),
    "fdb3_pass1": (0.680, 0.520, 0.550, 0.480, 0.500, 0.580, 0.480),
    "fdb3_reply_judged": (0.828, 0.800, 0.779, 0.685, 0.600, 0.810, 0.714),
    "audiomc_apr_judged": (0.434, 0.376, 0.347, 0.268, NONE, 0.485, 0.361),
    "voice_ifeval": (82.1, 81.7, 68.1, 67.6, 80.3, 83.2, 82.8),
    "ifeval": (89.7, 89.6, 87.5, 85.8, 83.4, 95.2, 90.0),
    "harmbench_refusal_judged": (0.990, 0.995, 1.0, 0.990, 0.995, 1.0, 0.980),
    "timespeak_probe_judged": (64.7, 4.3),
    "cuespeak_judged": (81.7, 2.9),
    "repcount_obo": (35.4, 1.3),
    "pvqa_pauc_judged": (33.5, 25.0),
    "charades_miou": (32.4, 0.0),
}


# what our own items should give: points are of 100, shares of 1
GOALS = {
    "timespeak_probe": 80,
    "timespeak_strict": 50,
    "cuespeak": 80,
    "repcount_obo": 85,
    "charades_miou": 70,
    "pvqa_pauc": 60,
    "fdb1_latency_s": 0.45,
    "fdb1_takeover": 0.97,
    "fdb1_pause_takeover": 0.08,
    "fdb15_average": 85,
    "fdb15_balanced": 85,
    "delegate_recall": 0.95,
    "delegate_bridge_s": 0.6,
    "delegate_early_facts": 0,
    "translate_acc": 0.8,
    "translate_lag_s": 2,
    "long_timer_hit": 0.8,
    "unseen_engine_answer_kept": 0.7,
    "unseen_engine_cue_kept": 0.7,
    "human_answer_kept": 0.7,
    "human_cue_kept": 0.7,
    "human_stop_kept": 0.7,
}


def everything() -> list:
    return [each for name in NAMES for each in load_suite(name, judge=Nobody()).published]


class Nobody:
    """A judge that is never asked."""

    name = "nobody"

    def judge(self, system: str, user: str) -> str:
        raise AssertionError("nothing is scored here")


def test_the_post_is_quoted_whole():
    found: dict[str, dict[str, float]] = {}
    for each in everything():
        if each.source.startswith(SOURCE):
            assert each.date == "2026-05"
            found.setdefault(each.row, {})[each.system] = each.value
    assert found == {
        row: {s: v for s, v in zip(SYSTEMS, values, strict=False) if v is not None}
        for row, values in POST.items()
    }


def test_every_number_has_a_source_and_a_date_and_stands_once():
    numbers = everything()
    assert all(each.source and each.date.startswith("202") for each in numbers)
    places = [(each.row, each.system, each.source) for each in numbers]
    assert len(places) == len(set(places))


def test_one_system_has_one_name():
    """Columns are found by the name: spellings that differ in marks or capitals would part them."""
    names = {each.system for each in everything()}
    plain = ["".join(c for c in name.lower() if c.isalnum()) for name in sorted(names)]
    assert len(set(plain)) == len(plain)


def test_averages_of_full_duplex_bench_are_those_of_their_rates():
    by_system: dict[str, dict[str, float]] = {}
    for each in load_suite("fdb15").published:
        by_system.setdefault(each.system, {})[each.row] = each.value
    rates = ("interrupt_respond", "backchannel_resume", "other_resume", "background_resume")
    checked = 0
    for values in by_system.values():
        parts = [values.get(f"fdb15_{rate}{JUDGED}") for rate in rates]
        if None not in parts:
            mean = 25 * sum(part for part in parts if part is not None)
            assert abs(values[f"fdb15_average{JUDGED}"] - mean) <= 0.051
            checked += 1
    assert checked == 7


def test_goals_of_what_our_own_items_measure():
    suites = [load_suite(name, judge=Nobody()) for name in (*NAMES, *ALONE)]
    rows = [row for suite in suites for row in suite.rows]
    assert {row.name: row.reach for row in rows if row.reach is not None} == GOALS
    lower = {row.name for row in rows if row.reach is not None and row.lower_is_better}
    assert lower == {name for name in GOALS if name.endswith(("_s", "_facts", "_pause_takeover"))}
