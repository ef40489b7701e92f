"""The interaction panel of tau-Voice: who spoke in which 200 ms tick -> responses, yields, errors.

Definitions and windows of tau2-bench (arXiv 2603.13686), written anew and compared with its golden
data when a checkout is there (tests/test_bench_tau.py). Knows nothing of items, sound or rows.

What those definitions imply, kept as it is: the last turn of a session counts as unanswered only if
the user speaks again; an answer in the very next tick makes the turn one that ended under the
agent, which asks for no answer; a cough beside the agent's speech counts as ignored only where it
is marked as speech of the user; latencies are whole ticks, from the end of the tick in which the
user fell silent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interplay.clock import TURN_S
from interplay.errors import RecordError

NO_YIELD_TICKS = 10  # 2.0 s to yield to an interruption
DISTRACTED_TICKS = 5  # 1.0 s: a stop so soon after a nod or a cough is an error
RESPONSE_TICKS = 10  # 2.0 s: a reply so soon after a cough in silence is an error
VOCAL_TIC, NON_DIRECTED, BACKCHANNEL = "vocal_tic", "non_directed", "backchannel"
Effect = tuple[str, str]  # which of the two kinds, and its words


@dataclass(frozen=True, kw_only=True)
class Tick:
    """user, agent: whether they speak. backchannel: the user's speech that begins here is one.
    effects: vocal tics and speech to others that sound here, as speech of the user or beside it."""

    user: bool = False
    agent: bool = False
    backchannel: bool = False
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Events of one session.

    responses: latency [s] of every answered user turn, None for one that was not. yields: time
    to stop [s] of every interruption, None where the agent went on. ignored: by kind, whether
    each signal that is no turn was treated as none. agent_interrupts: how often the agent began
    while the user spoke.
    """

    responses: list[float | None] = field(default_factory=list)
    yields: list[float | None] = field(default_factory=list)
    ignored: dict[str, list[bool]] = field(
        default_factory=lambda: {BACKCHANNEL: [], VOCAL_TIC: [], NON_DIRECTED: []}
    )
    agent_interrupts: int = 0


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Ticks [start, end) of one party, and whether the other one speaks at either edge."""

    start: int
    end: int
    met: bool
    left: bool
    kind: str = ""  # of the user's: "" for a turn
    effect: str = ""  # of the user's: a vocal tic, else an aside within it


def panel(ticks: Sequence[Tick]) -> Panel:
    """Every event of a session."""
    ticks = without_last_artefact(ticks)
    users = list(user_segments(ticks))
    agents = [
        Segment(start=s, end=e, met=ticks[s].user, left=False)
        for s, e in _runs([tick.agent for tick in ticks])
    ]
    found = Panel(
        responses=_responses(users, agents), agent_interrupts=sum(agent.met for agent in agents)
    )
    for user in users:
        if user.met:
            _judge_overlap(found, user, ticks)
        elif user.effect:
            found.ignored[user.effect].append(not _answered(user.start, user.end, agents))
    for kind, start, end in _effects_beside_speech(ticks):
        covering = next((agent for agent in agents if agent.start <= start < agent.end), None)
        if covering is None:
            found.ignored[kind].append(not _answered(start, end, agents))
        elif covering.end - start <= DISTRACTED_TICKS:
            found.ignored[kind].append(False)
    return found


def without_last_artefact(ticks: Sequence[Tick]) -> Sequence[Tick]:
    """Without a user turn of one tick at the very end: the hang-up of a simulated caller."""
    hangs_up = len(ticks) > 1 and ticks[-1].user and not ticks[-2].user
    return ticks[:-1] if hangs_up else ticks


def ticks_of_simulation(simulation: Mapping[str, Any]) -> list[Tick]:
    """Ticks of one stored simulation of tau2-bench (simulations/ID.json).

    Raises RecordError where it is not one of a voice run.
    """
    raw = simulation.get("ticks")
    if not isinstance(raw, list) or not raw:
        raise RecordError(
            f"simulation {simulation.get('id', '?')} has no ticks; only voice runs of tau2-bench "
            "have them (simulations/*.json of a run with `--audio-native`)"
        )
    return [_tick(one) for one in raw]


def _tick(raw: Mapping[str, Any]) -> Tick:
    user, agent = raw.get("user_chunk") or {}, raw.get("agent_chunk") or {}
    effects = []
    for source in ("source_effects", "speech_effects"):
        insert = (user.get(source) or {}).get("speech_insert")
        if insert:
            kind = VOCAL_TIC if insert.get("type") == VOCAL_TIC else NON_DIRECTED
            effects.append((kind, insert.get("text") or ""))
    action = (user.get("turn_taking_action") or {}).get("action")
    return Tick(
        user=bool(user.get("contains_speech")),
        agent=bool(agent.get("contains_speech")),
        backchannel=action == "backchannel",
        effects=tuple(effects),
    )


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """[start, end) of every stretch of True."""
    start = None
    for index, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = index
        elif not flag and start is not None:
            yield start, index
            start = None


def user_segments(ticks: Sequence[Tick]) -> Iterator[Segment]:
    """Every stretch in which the user speaks."""
    for start, end in _runs([tick.user for tick in ticks]):
        effects = {kind for tick in ticks[start:end] for kind, _ in tick.effects}
        effect = next((kind for kind in (VOCAL_TIC, NON_DIRECTED) if kind in effects), "")
        yield Segment(
            start=start,
            end=end,
            met=ticks[start].agent,
            left=end < len(ticks) and ticks[end].agent,
            kind=BACKCHANNEL if ticks[start].backchannel else effect,
            effect=effect,
        )


def _responses(users: Sequence[Segment], agents: Sequence[Segment]) -> list[float | None]:
    """A turn counts if the agent was silent when it ended and it was no backchannel."""
    turns = [user for user in users if user.kind != BACKCHANNEL and not user.left]
    found: list[float | None] = []
    for index, turn in enumerate(turns):
        again = turns[index + 1].start if index + 1 < len(turns) else None
        reply = next((agent.start for agent in agents if agent.start >= turn.end), None)
        if reply is not None and (again is None or reply <= again):
            found.append((reply - turn.end) * TURN_S)
        elif again is not None:
            found.append(None)
    return found


def _judge_overlap(found: Panel, user: Segment, ticks: Sequence[Tick]) -> None:
    """The user began while the agent spoke: did the agent stop in time?"""
    window = DISTRACTED_TICKS if user.kind else NO_YIELD_TICKS
    upto = min(user.start + window, len(ticks))
    stop = next((i for i in range(user.start, upto) if not ticks[i].agent), None)
    if user.kind:
        found.ignored[user.kind].append(stop is None)
    else:
        found.yields.append(None if stop is None else (stop - user.start) * TURN_S)


def _answered(start: int, end: int, agents: Sequence[Segment]) -> bool:
    return any(start <= agent.start <= end + RESPONSE_TICKS for agent in agents)


def _effects_beside_speech(ticks: Sequence[Tick]) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of effects in ticks that are not marked as speech of the user."""
    keys = sorted({effect for tick in ticks if not tick.user for effect in tick.effects})
    for key in keys:
        for start, end in _runs([not tick.user and key in tick.effects for tick in ticks]):
            yield key[0], start, end
