"""One long session over the Live protocol at a server whose clock the client pushes: does the
server's memory grow, does sound get away from the clock?

Knows nothing of how the server was started (`lockstep`).
"""

import asyncio
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int16
from websockets.asyncio.client import ClientConnection

from interplay.bench.scoring.score import Outcome
from interplay.bench.serve import live_client as live
from interplay.bench.serve.program import Numbers, read_numbers
from interplay.clock import NUM_SLOTS, TURN_S, TURNS_PER_S

SETTLED_S = 300  # memory may grow until here
LOOK_TURNS = 50  # between two looks at the server's numbers
WINDOW_S = 300  # of sound that is laid over what the model says about its voice
MAX_LAG = 10 * NUM_SLOTS  # slots
SOUND = 100.0  # of 32767, root mean square: louder than this a slot sounds
TURN_BYTES = 2 * live.RATE_HZ // TURNS_PER_S
MEMORY = "process_resident_memory_bytes"


@dataclass(frozen=True, kw_only=True)
class LongSession:
    """What was seen of one session.

    clock_s, sent_s, memory: at every look, seconds of the server's clock and of sound received
    since the session began, and bytes resident. voiced: by slot of 50 ms, as the model says.
    sounding: the same of the sound received. num_filled: micro-turns of the user's sound that the
    server filled in or dropped.
    """

    clock_s: np.ndarray
    sent_s: np.ndarray
    memory: np.ndarray
    voiced: Bool[np.ndarray, " S"]
    sounding: Bool[np.ndarray, " S"]
    num_filled: int


def long_session(
    port: int,
    user: Int16[np.ndarray, " T"],
    num_turns: int,
    *,
    numbers: Callable[[int], Numbers] = read_numbers,
    advance: Callable[[int], None] = lambda turn: None,
) -> LongSession:
    """user: what is said, 24 kHz, again and again. numbers: how the server's are read."""
    return asyncio.run(_long_session(port, user, num_turns, numbers, advance))


async def _long_session(
    port: int,
    user: Int16[np.ndarray, " T"],
    num_turns: int,
    numbers: Callable[[int], Numbers],
    advance: Callable[[int], None],
) -> LongSession:
    pieces = _pieces(user)
    first = await asyncio.to_thread(numbers, port)
    looks: list[tuple[float, float, float]] = []
    voiced, sounding = np.zeros((2, num_turns, NUM_SLOTS), bool)
    num_bytes, last = 0, first
    async with live.dial(port) as connection:
        await live.start(connection, "turns")
        begin_s = await asyncio.to_thread(_clock, port)
        for turn in range(num_turns):
            await live.send_sound(connection, pieces[turn % len(pieces)])
            pcm, voiced[turn] = await _one_turn(connection)
            sounding[turn] = _loud(pcm)
            num_bytes += len(pcm)
            if turn % LOOK_TURNS == LOOK_TURNS - 1 or turn == num_turns - 1:
                last = await asyncio.to_thread(numbers, port)
                clock_s = await asyncio.to_thread(_clock, port)
                looks.append((clock_s - begin_s, num_bytes / TURN_BYTES * TURN_S, last[MEMORY]))
                advance(turn + 1)
        for _ in range(2):  # at the second nobody waits for the speech in flight
            await live.send(connection, "session.close")
        await live.wait_for(connection, "session.closed")
    names = ("im_input_gap_total", "im_input_dropped_total")
    clock_s, sent_s, memory = np.array(looks).T
    return LongSession(
        clock_s=clock_s,
        sent_s=sent_s,
        memory=memory,
        voiced=voiced.ravel(),
        sounding=sounding.ravel(),
        num_filled=round(sum(last[name] - first[name] for name in names)),
    )


def _pieces(user: Int16[np.ndarray, " T"]) -> list[bytes]:
    """Whole micro-turns."""
    size = TURN_BYTES // 2
    return [
        part.astype("<i2").tobytes() for part in user[: len(user) // size * size].reshape(-1, size)
    ]


async def _one_turn(connection: ClientConnection) -> tuple[bytes, list[bool]]:
    """Sound of the next micro-turn and which slots of it the model says are voiced."""
    about = await live.wait_for(connection, "interplay.turn")
    return live.sound_of(await live.wait_for(connection, live.AUDIO)), about["voice_on"]


def _loud(pcm: bytes) -> np.ndarray:
    """Which slots sound; a piece of another length than 200 ms counts as it is cut into four."""
    parts = np.array_split(np.frombuffer(pcm, "<i2").astype(np.float64), NUM_SLOTS)
    return np.array([len(part) > 0 and np.sqrt(np.square(part).mean()) > SOUND for part in parts])


def _clock(port: int) -> float:
    """Seconds of the server's pretended clock."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/clock", timeout=60) as answer:
        return float(answer.read())


def memory_outcomes(session: LongSession) -> list[Outcome]:
    """Growth after minute 5, at its highest; none if the session ended before."""
    settled = session.memory[session.clock_s >= SETTLED_S - 1e-6]
    if len(settled) < 2:
        return [Outcome(value=None, notes=("session_too_short",))]
    return [Outcome(value=float(settled.max() / settled[0] - 1))]


def drift_outcomes(session: LongSession) -> list[Outcome]:
    """The furthest of three, in micro-turns: sound received against the clock; where in it the
    voice lies, in the last minutes against the first; the user's sound filled in or dropped."""
    sent = float(np.abs(session.sent_s - session.clock_s).max() / TURN_S)
    window = round(WINDOW_S / TURN_S) * NUM_SLOTS
    window = min(window, len(session.voiced) // 2)
    parts = (slice(0, window), slice(len(session.voiced) - window, None))
    lags = [lag_slots(session.voiced[part], session.sounding[part]) for part in parts]
    moved = 0.0 if None in lags else abs(lags[1] - lags[0]) / NUM_SLOTS  # type: ignore[operator]
    notes = ("place_of_the_voice_unknown",) if None in lags else ()
    return [Outcome(value=max(sent, moved, float(session.num_filled)), notes=notes)]


def lag_slots(voiced: Bool[np.ndarray, " S"], sounding: Bool[np.ndarray, " S"]) -> int | None:
    """By how many slots `sounding` follows `voiced`; None where either is all alike."""
    if voiced.all() or not voiced.any() or sounding.all() or not sounding.any():
        return None
    said, heard = voiced - voiced.mean(), sounding - sounding.mean()
    lags = range(-MAX_LAG, MAX_LAG + 1)
    products = [float((said * np.roll(heard, -lag)).sum()) for lag in lags]
    return lags[int(np.argmax(products))]
