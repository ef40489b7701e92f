"""tau: the interaction panel of tau-Voice, on 200 ms ticks, over short sessions of our own.

Five families: plain turns, interruptions, backchannels, vocal tics, and speech that is meant for
somebody else; tics and asides come while the system speaks, and in silence after it has spoken.
Knows nothing of how ticks become numbers (bench.scoring.tick_panel), nor of tasks and tools:
tau-Voice plays the panel on top of phone calls, so numbers compare in kind and not in value. Its
stored runs can be scored instead (tau_folder).
"""

from collections.abc import Iterator, Mapping, Sequence

from interplay.bench.scoring.rows import Row, Unit
from interplay.bench.scoring.score import Outcome
from interplay.bench.scoring.tick_panel import (
    BACKCHANNEL,
    NON_DIRECTED,
    VOCAL_TIC,
    Effect,
    Panel,
    Tick,
    panel,
)
from interplay.bench.suites.base import Published, Suite, tabled
from interplay.bench.suites.tau_folder import TICKS, load, stored_ticks
from interplay.bench.suites.tau_twin import twin
from interplay.bench.traces.trace import Span, Trace, audible
from interplay.clock import TURN_S

MIN_IN_TICK_S = 0.01  # less sound than this does not make a tick one of speech


def ticks_of(trace: Trace) -> list[Tick]:
    """Who speaks in each tick, by the cues (user) and by the audible sound (agent).

    A tic or an aside that begins while the agent sounds is marked as speech of the user, one in
    silence as an effect beside it: only so does the panel count those that were rightly ignored.
    Of a stored run the user's ticks are as they were stored.
    """
    if TICKS in trace.item.about:
        frames = audible(trace.model).reshape(_num_ticks(trace), -1)
        return stored_ticks(trace.item.about[TICKS], [bool(tick.any()) for tick in frames])
    ticks = [Tick(agent=_sounds(trace.voice, index)) for index in range(_num_ticks(trace))]
    roles: Sequence[str] = trace.item.about["roles"]
    for cue, role in enumerate(roles):
        span = trace.cues[cue]
        if span is None:
            continue
        inside = [index for index in range(len(ticks)) if _sounds((span,), index)]
        effects: tuple[Effect, ...] = (
            ((role, str(cue)),) if role in (VOCAL_TIC, NON_DIRECTED) else ()
        )
        speech = not effects or (bool(inside) and ticks[inside[0]].agent)
        for index in inside:
            old = ticks[index]
            ticks[index] = Tick(
                user=old.user or speech,
                agent=old.agent,
                backchannel=role == BACKCHANNEL or old.backchannel,
                effects=(*old.effects, *effects),
            )
    return ticks


def _num_ticks(trace: Trace) -> int:
    return round(trace.length_s / TURN_S)


def _sounds(spans: Sequence[Span], tick: int) -> bool:
    begin_s, end_s = tick * TURN_S, (tick + 1) * TURN_S
    return any(min(e, end_s) - max(s, begin_s) > MIN_IN_TICK_S for s, e in spans)


def score(traces: Sequence[Trace]) -> Mapping[str, list[Outcome]]:
    """Outcomes of all rows."""
    outcomes: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        family = trace.item.subset
        for name, values in _rows_of(panel(ticks_of(trace))).items():
            outcomes[name] += [
                Outcome(value=value, of=of, notes=notes, group=family)
                for value, of, notes in values
            ]
        outcomes["tau_no_response"].append(Outcome(value=float(not trace.voice), group=family))
    return outcomes


def _rows_of(found: Panel) -> Mapping[str, Sequence[tuple[float, float, tuple[str, ...]]]]:
    """Row name -> (value, of, notes)."""

    def rate(values: Sequence[float | None], note: str) -> list:
        return [(float(v is not None), 1.0, () if v is not None else (note,)) for v in values]

    def times(values: Sequence[float | None]) -> list:
        return [(v, 1.0, ()) for v in values if v is not None]

    num_turns = len(found.responses)
    notes = () if num_turns else ("no_turn_to_count_by",)
    count = [(float(found.agent_interrupts), float(num_turns), notes)]
    selective = {
        f"tau_selectivity_{short}": [(float(ok), 1.0, ()) for ok in found.ignored[kind]]
        for short, kind in (("bc", BACKCHANNEL), ("vt", VOCAL_TIC), ("nd", NON_DIRECTED))
    }
    return selective | {
        "tau_response_latency_s": times(found.responses),
        "tau_yield_latency_s": times(found.yields),
        "tau_response_rate": rate(found.responses, "no_response"),
        "tau_yield_rate": rate(found.yields, "no_yield"),
        "tau_agent_interrupts": count,
    }


def _row(name: str, what: str, *, lower: bool = False, unit: Unit = "fraction") -> Row:
    return Row(
        name=f"tau_{name}", kind="tau", what=what, reach=None, lower_is_better=lower, unit=unit
    )


ROWS = (
    _row(
        "response_latency_s",
        "L_R: end of a user turn → start of the answer; mean, in whole ticks",
        lower=True,
        unit="s",
    ),
    _row(
        "yield_latency_s",
        "L_Y: start of an interruption → silence; mean, in whole ticks",
        lower=True,
        unit="s",
    ),
    _row("response_rate", "R_R: user turns answered before the user spoke again"),
    _row("yield_rate", "R_Y: interruptions that made it stop within 2.0 s"),
    _row(
        "agent_interrupts",
        "I_A: times it began while the user spoke, per user turn",
        lower=True,
        unit="number",
    ),
    _row("selectivity_bc", "S_BC: backchannels it talked through for 1.0 s"),
    _row(
        "selectivity_vt",
        "S_VT: vocal tics that neither stopped it within 1.0 s nor were answered within 2.0 s",
    ),
    _row("selectivity_nd", "S_ND: the same of speech to somebody else"),
    _row("no_response", "sessions in which it never sounded", lower=True),
)
# L_R, L_Y, R_R, R_Y, I_A, S_BC, S_VT, S_ND of the "Overall" view of the tau-Voice leaderboard:
# phone calls with tasks, so they compare with the twin in kind and not in value.
_PUBLISHED = """
GPT-Realtime-1.5              | 2026-03-03 | 1.3888 .4192 .9993 .9996 .1354 .0189 .0528 .0968
GPT-Realtime-2.0 minimal      | 2026-07-01 | 1.4395 .6204 .9981 .9989 .1868 .0192 .0630 .1678
Gemini 3.1 Flash Live minimal | 2026-04-13 | 1.6393 .8222 .9696 .5224 .0983 .8972 .5131 .2696
Grok Voice Think Fast 1.0     | 2026-04-21 | 1.2137 1.3736 .9995 .9382 .1973 .6618 .6003 .2843
Qwen3.5-Omni-plus Realtime    | 2026-08-06 | 1.6983 .9325 .9919 .9019 .3611 .8400 .3636 .1451
LiveKit cascade               | 2026-05-19 | 4.2369 .8700 .7907 .9877 .6442 .6671 .4890 .5773
"""


def _published() -> Iterator[Published]:
    source = "tau-Voice leaderboard (sierra-research/tau2-bench, Aug 2026): calls with tasks"
    rows = [row.name for row in ROWS[:-1]]
    for line in _PUBLISHED.strip().split("\n"):
        system, date, values = (part.strip() for part in line.split("|"))
        yield from tabled(rows, {system: [float(v) for v in values.split()]}, source, date)


SUITE = Suite(
    name="tau",
    what="who speaks when, in 200 ms ticks: the interaction panel of tau-Voice",
    rows=ROWS,
    twin=twin,
    score=score,
    load=load,
    published=tuple(_published()),
    how_to_get="The calls of tau-Voice need its simulator: https://github.com/sierra-research/"
    "tau2-bench (MIT), `tau2 run --audio-native`. FOLDER is one of its stored runs; with "
    "--endpoint recorded its agent is scored, beside trivial systems against the same user. "
    "Without --data the suite plays sessions of our own.",
    baselines=("silent", "always", "half_duplex", "always_yields", "perfect"),
)
