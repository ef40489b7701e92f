"""A micro-turn in the words of the Live protocol and its extensions.

Knows nothing of connections.
"""

from typing import Any

from interplay.clock import TURN_MS, TURN_S
from interplay.server.events import Turn


def usage(num_turns: int) -> dict[str, float]:
    """Of a session of so many micro-turns."""
    return {"seconds": round(num_turns * TURN_S, 1)}


def shown(turn: Turn) -> list[dict[str, Any]]:
    """What is to be shown from the time on at which the turn's sound plays."""
    return [
        {
            "id": outcome.ui.id,
            "kind": outcome.ui.kind,
            "spec": outcome.ui.spec,
            "delegation_id": outcome.delegation_id,
            "start_ms": (turn.index + 1) * TURN_MS,
        }
        for outcome in turn.outcomes
        if outcome.ui
    ]


def ends(turn: Turn) -> list[dict[str, Any]]:
    """The delegations that have ended, but for those that a client has answered itself."""
    return [
        {"delegation_id": outcome.delegation_id, "status": outcome.status}
        for outcome in turn.outcomes
        if outcome.delegation_id and outcome.status
    ]


def numbers(turn: Turn) -> dict[str, Any]:
    """What a researcher wants to see of it."""
    return {
        "turn": turn.index,
        "start_ms": turn.index * TURN_MS,
        "is_gap": turn.is_gap,
        "compute_ms": turn.compute_ms,
        "voice_on": turn.voice_on,
        "yields": turn.yields,
        "act": turn.act,
    }
