"""Stored voice runs of tau2-bench as items: who spoke when is known, nothing sounds.

The user's side of an item is that of the run; the agent's is given back by the endpoint `recorded`.
Trivial systems are played against the same user, who does not react to them. Knows nothing of
scores.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.playing.stage import SOUNDLESS
from interplay.bench.scoring.tick_panel import Segment, Tick, ticks_of_simulation, user_segments
from interplay.bench.systems.recorded import AGENT
from interplay.clock import SAMPLES_PER_TURN, TURN_S
from interplay.data.heldout import SEED_BASE
from interplay.data.item import Clip, Expect, Item, Say, StopBy, When
from interplay.errors import RecordError

TICKS = "ticks"  # of `Item.about`: the user's side of every tick
BEFORE = 1  # micro-turns ahead of the first tick: a system sounds from its second one on
REPLY = "yes"  # of the trivial systems that answer


def load(folder: Path, n: int | None) -> list[Item]:
    """The first n simulations of a run: FOLDER/simulations/*.json, or FOLDER/*.json, one or
    several (`simulations`) in each file. Raises RecordError where there is none or one has no
    ticks."""
    items = []
    for name, simulation in _simulations(folder):
        if n is not None and len(items) >= n:
            break
        items.append(_item(len(items), name, ticks_of_simulation(simulation)))
    return items


def _simulations(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    paths = sorted(folder.glob("simulations/*.json")) or sorted(folder.glob("*.json"))
    if not paths:
        raise RecordError(
            f"{folder} holds no simulations/*.json; give the folder of one run of tau2-bench "
            "(data/simulations/RUN)"
        )
    for path in paths:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecordError(f"cannot read {path}: {error}") from error
        several = found.get("simulations") if isinstance(found, dict) else found
        for number, one in enumerate(several if isinstance(several, list) else [found]):
            if not isinstance(one, dict):
                raise RecordError(f"{path} holds no simulation, which is an object with `ticks`")
            yield str(one.get("id") or f"{path.stem}-{number}"), one


def _item(number: int, name: str, ticks: Sequence[Tick]) -> Item:
    segments = list(user_segments(ticks))
    expect: list[Expect] = []
    for cue, segment in enumerate(segments):
        if not segment.kind:
            expect += [*([StopBy(after=cue)] if segment.met else []), Say(text=(REPLY,), after=cue)]
    before = [False] * BEFORE
    return Item(
        kind="tau",
        seed=SEED_BASE + number,
        length_s=(BEFORE + len(ticks)) * TURN_S,
        cues=tuple(_cue(segment) for segment in segments),
        expect=tuple(expect),
        subset="simulation",
        about={
            "id": name,
            SOUNDLESS: True,
            TICKS: [[t.user, t.backchannel, [list(e) for e in t.effects]] for t in ticks],
            AGENT: [*before, *(tick.agent for tick in ticks)],
        },
    )


def _cue(segment: Segment) -> Clip:
    """A stretch in which the user speaks, without a sound."""
    samples = np.zeros((segment.end - segment.start) * SAMPLES_PER_TURN, np.int16)
    at = When(seconds=(BEFORE + segment.start) * TURN_S)
    return Clip(samples=samples, word="speech", at=at)


def stored_ticks(sides: Sequence[Any], agent: Sequence[bool]) -> list[Tick]:
    """The ticks of an item (its `TICKS`), with an agent of one's own. agent: every micro-turn."""
    return [
        Tick(
            user=user,
            agent=bool(speaks),
            backchannel=backchannel,
            effects=tuple((kind, text) for kind, text in effects),
        )
        for (user, backchannel, effects), speaks in zip(sides, agent[BEFORE:], strict=True)
    ]
