"""tau: the interaction panel of tau-Voice, on 200 ms ticks, over short sessions of our own.

Five families: plain turns, interruptions, backchannels, vocal tics, and speech that is meant for
somebody else; tics and asides come while the system speaks, and in silence after it has spoken.
Knows nothing of how ticks become numbers (bench.tick_panel), nor of tasks and tools: tau-Voice
plays the panel on top of phone calls, so numbers compare in kind and not in value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from interplay.bench.rows import Row, Unit
from interplay.bench.score import Outcome
from interplay.bench.suites.base import Published, Suite
from interplay.bench.tick_panel import (
    BACKCHANNEL,
    NON_DIRECTED,
    VOCAL_TIC,
    Effect,
    Panel,
    Tick,
    panel,
)
from interplay.bench.trace import Span, Trace
from interplay.clock import TURN_S
from interplay.data import questions, vocabulary
from interplay.data.heldout import duration_s
from interplay.data.item import Cue, Item, KeepTalking, Noise, Say, Silence, Speak, StopBy, When
from interplay.data.questions import Question
from interplay.data.voices import random_voice

SEED_BASE = 7_300_000
TURN, ASIDE_S = "turn", 2.4  # silence that is expected around an aside
MIN_IN_TICK_S = 0.01  # less sound than this does not make a tick one of speech
TICS = ("um", "uh", "er", "hm")
ASIDES = (
    "not now",
    "wait a minute",
    "go and watch the television",
    "close the door please",
    "dinner is in the kitchen",
    "i am on the telephone",
)
_FACTS = [q for q in questions.facts("test") if q.kind != "greeting"]
# long enough to go on for more than the window after a sound in its first second
_LONG = [q for q in questions.recitals() if len(q.answer.split()) >= 10]


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` sessions of each of the families."""
    items = []
    for place, (family, make) in enumerate(FAMILIES.items()):
        for number in range(num_items):
            rng = np.random.default_rng([SEED_BASE, seed, place, number])
            items.append(make(rng, family, SEED_BASE + 100_000 * place + number))
    return items


def _turns(rng: np.random.Generator, family: str, number: int) -> Item:
    """Three questions in a row, whether they are answered or not."""
    asked = [_pick(rng, _FACTS) for _ in range(3)]
    cues, at, length_s = [], When(seconds=0.6), 1.0
    for index, question in enumerate(asked):
        cues.append(_speak(rng, question.text, at))
        room_s = 2.2 + duration_s(question.answer)
        at = When(seconds=room_s, after="cue_end", cue=index)
        length_s += duration_s(question.text) + room_s
    says = [Say(text=(q.answer,), after=index) for index, q in enumerate(asked)]
    return _item(rng, family, number, length_s + 0.6, cues, says, (TURN,) * 3)


def _interruption(rng: np.random.Generator, family: str, number: int) -> Item:
    """A question put while the system recites."""
    long, asked = _pick(rng, _LONG), _pick(rng, _FACTS)
    at = When(seconds=float(rng.uniform(0.8, 1.4)), after="voice", cue=0)
    cues = [_speak(rng, long.text, When(seconds=0.6)), _speak(rng, asked.text, at)]
    expect = [StopBy(after=1), Say(text=(asked.answer,), after=1)]
    length_s = 1.2 + duration_s(long.text) + 3.2 + duration_s(asked.text + " " + asked.answer) + 2
    return _item(rng, family, number, length_s, cues, expect, (TURN, TURN))


def _beside(text: Callable[[np.random.Generator], str], role: str):
    """A sound that is no turn, early in a recital that it must not stop."""

    def make(rng: np.random.Generator, family: str, number: int) -> Item:
        long = _pick(rng, _LONG)
        at = When(seconds=float(rng.uniform(0.4, 0.8)), after="voice", cue=0)
        cues = [_speak(rng, long.text, When(seconds=0.6)), _speak(rng, text(rng), at)]
        length_s = 1.2 + duration_s(long.text) + 1.5 + duration_s(long.answer) + 1.5
        expect = [KeepTalking(through=1, text=(long.answer,))]
        return _item(rng, family, number, length_s, cues, expect, (TURN, role))

    return make


def _in_silence(text: Callable[[np.random.Generator], str], role: str):
    """The same sound after a short answer, when nobody speaks."""

    def make(rng: np.random.Generator, family: str, number: int) -> Item:
        asked = _pick(rng, _FACTS)
        wait_s = 1.4 * duration_s(asked.answer) + float(rng.uniform(1.2, 1.8))
        at = When(seconds=wait_s, after="voice", cue=0)
        cues = [_speak(rng, asked.text, When(seconds=0.6)), _speak(rng, text(rng), at)]
        quiet = Silence(
            start=When(seconds=0.0, after="cue_start", cue=1),
            end=When(seconds=ASIDE_S, after="cue_end", cue=1),
        )
        length_s = 1.2 + duration_s(asked.text) + 1.5 + wait_s + 1.5 + ASIDE_S
        expect = [Say(text=(asked.answer,), after=0), quiet]
        return _item(rng, family, number, length_s, cues, expect, (TURN, role))

    return make


def _nod(rng: np.random.Generator) -> str:
    return str(rng.choice(list(vocabulary.BACKCHANNELS)))


def _tic(rng: np.random.Generator) -> str:
    return str(rng.choice(list(TICS)))


def _aside(rng: np.random.Generator) -> str:
    return str(rng.choice(list(ASIDES)))


FAMILIES = {
    "turns": _turns,
    "interruption": _interruption,
    "backchannel": _beside(_nod, BACKCHANNEL),
    "vocal_tic": _beside(_tic, VOCAL_TIC),
    "vocal_tic_silence": _in_silence(_tic, VOCAL_TIC),
    "non_directed": _beside(_aside, NON_DIRECTED),
    "non_directed_silence": _in_silence(_aside, NON_DIRECTED),
}


def _pick(rng: np.random.Generator, values: list[Question]) -> Question:
    return values[int(rng.integers(len(values)))]


def _speak(rng: np.random.Generator, text: str, at: When) -> Speak:
    return Speak(text=text, voice=random_voice(rng, "test"), at=at, gain_db=0.0)


def _item(
    rng: np.random.Generator,
    family: str,
    number: int,
    length_s: float,
    cues: Sequence[Cue],
    expect: Sequence,
    roles: tuple[str, ...],
) -> Item:
    voice = next(cue.voice for cue in cues if isinstance(cue, Speak))
    cues = [  # one user, one voice
        Speak(text=c.text, voice=voice, at=c.at) if isinstance(c, Speak) else c for c in cues
    ]
    return Item(
        kind="tau",
        subset=family,
        seed=number,
        length_s=float(np.ceil(length_s * 5) / 5),
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
        about={"roles": list(roles)},
    )


def ticks_of(trace: Trace) -> list[Tick]:
    """Who speaks in each tick, by the cues (user) and by the audible sound (agent).

    A tic or an aside that begins while the agent sounds is marked as speech of the user, one in
    silence as an effect beside it: only so does the panel count those that were rightly ignored.
    """
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
    return outcomes


def _rows_of(found: Panel) -> dict[str, list[tuple[float, float, tuple[str, ...]]]]:
    """Row name -> (value, of, notes)."""

    def rate(values: Sequence[float | None], note: str) -> list:
        return [(float(v is not None), 1.0, () if v is not None else (note,)) for v in values]

    def times(values: Sequence[float | None]) -> list:
        return [(v, 1.0, ()) for v in values if v is not None]

    num_turns = len(found.responses)
    count: list = [(found.agent_interrupts, num_turns, ())] if num_turns else []
    if not num_turns and found.agent_interrupts:
        count = [(found.agent_interrupts, 0.0, ("no_turn_to_count_by",))]
    selective: dict[str, list] = {
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
)
# L_R, L_Y, R_R, R_Y, I_A, S_BC, S_VT, S_ND of the "Overall" view of the tau-Voice leaderboard:
# phone calls with tasks, so they compare with the twin in kind and not in value.
_PUBLISHED = """
gpt-realtime-1.5              2026-03-03 1.3888 0.4192 0.9993 0.9996 0.1354 0.0189 0.0528 0.0968
gpt-realtime-2-minimal        2026-07-01 1.4395 0.6204 0.9981 0.9989 0.1868 0.0192 0.0630 0.1678
gemini-3.1-flash-live-minimal 2026-04-13 1.6393 0.8222 0.9696 0.5224 0.0983 0.8972 0.5131 0.2696
grok-voice-think-fast-1.0     2026-04-21 1.2137 1.3736 0.9995 0.9382 0.1973 0.6618 0.6003 0.2843
qwen3.5-omni-plus-realtime    2026-08-06 1.6983 0.9325 0.9919 0.9019 0.3611 0.8400 0.3636 0.1451
livekit-cascade               2026-05-19 4.2369 0.8700 0.7907 0.9877 0.6442 0.6671 0.4890 0.5773
"""


def _published() -> Iterator[Published]:
    source = "tau-Voice leaderboard (sierra-research/tau2-bench, Aug 2026): calls with tasks"
    for line in _PUBLISHED.split("\n")[1:-1]:
        system, date, *values = line.split()
        for row, value in zip(ROWS, values, strict=True):
            yield Published(
                row=row.name, system=system, value=float(value), source=source, date=date
            )


SUITE = Suite(
    name="tau",
    what="who speaks when, in 200 ms ticks: the interaction panel of tau-Voice",
    rows=ROWS,
    twin=twin,
    score=score,
    published=tuple(_published()),
    how_to_get="The calls of tau-Voice need its simulator: https://github.com/sierra-research/"
    "tau2-bench (MIT), `tau2 run --audio-native`; its stored runs can be read by "
    "interplay.bench.tick_panel.ticks_of_simulation. The suite plays sessions of our own.",
    baselines=("silent", "always", "half_duplex", "always_yields", "perfect"),
)
