"""Connections that are killed and taken up again, many times in one session, in real time: is the
session still there, is every micro-turn there once, is every word there once?

What is right is told by a sideband, a second connection that nobody kills. Knows nothing of how
the server was started.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int16
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from interplay.bench.scoring.score import Outcome
from interplay.bench.serve import live_client as live
from interplay.clock import TURN_MS, TURN_S
from interplay.errors import DeviceError

TALK_S = (0.1, 1.0)  # between a resumption and the next kill
AWAY_S = (0.0, 1.0)
EARLY_SHARE = 0.2  # of kills come before the answer to the resumption was read
TALK_TURNS = 1  # new ones, at least, before a kill
TAIL_TURNS = 5  # at the end without a kill, so that the last resumption has to show itself
GIVE_UP_S = 60.0  # for one answer, on a busy machine
WORDS = {"session.input_transcript.delta": "heard", "session.output_transcript.delta": "said"}
Word = tuple[str, str, int, int]  # stream, letters, start_ms, end_ms


@dataclass
class Received:
    """What a client has of a session: words, and sound by micro-turn."""

    words: list[Word] = field(default_factory=list)
    sound: dict[int, bytes] = field(default_factory=dict)
    num_doubled_turns: int = 0
    _waiting: list[Word] = field(default_factory=list)

    @property
    def last_turn(self) -> int:
        """The newest micro-turn that is here as a whole."""
        return max(self.sound, default=-1)

    def add(self, event: dict[str, Any], turn: int | None = None) -> None:
        """Words wait for the sound of their micro-turn, which is its last event."""
        if event["type"] in WORDS:
            name = WORDS[event["type"]]
            self._waiting.append((name, event["delta"], event["start_ms"], event["end_ms"]))
        elif event["type"] == live.AUDIO:
            index = event["turn"] if turn is None else turn
            self.num_doubled_turns += index in self.sound
            self.sound[index] = live.sound_of(event)
            self.words += self._waiting
            self._waiting = []

    def cut(self) -> None:
        """The connection is gone: words of an unfinished micro-turn are forgotten."""
        self._waiting = []


@dataclass(frozen=True, kw_only=True)
class Resumptions:
    """num_lost: sessions that were gone. num_missing_turns, num_doubled_turns, num_wrong_turns:
    micro-turns of sound against the sideband's. num_missing_words, num_doubled_words: against its
    words. num_words: there were."""

    num_kills: int
    num_lost: int
    num_missing_turns: int
    num_doubled_turns: int
    num_wrong_turns: int
    num_missing_words: int
    num_doubled_words: int
    num_words: int

    def outcomes(self) -> list[Outcome]:
        """Everything that went wrong, over the kills. Without a word in the session nothing is
        known about words, so there is no number."""
        if not self.num_words:
            return [Outcome(value=None, notes=("no_words",))] * max(1, self.num_kills)
        counts = {
            "lost_session": self.num_lost,
            "missing_turn": self.num_missing_turns,
            "doubled_turn": self.num_doubled_turns,
            "wrong_turn": self.num_wrong_turns,
            "missing_word": self.num_missing_words,
            "doubled_word": self.num_doubled_words,
        }
        wrong = [Outcome(value=float(n), notes=(name,)) for name, n in counts.items() if n]
        rest = max(0, self.num_kills - len(wrong))
        return [*wrong, *[Outcome(value=0.0)] * rest]


def compare(client: Received, truth: Received, *, num_kills: int, num_lost: int = 0) -> Resumptions:
    """What the client has against what the sideband saw, from its first micro-turn on."""
    first, last = min(truth.sound, default=0), max(truth.sound, default=-1)
    ours = Counter(_since(client.words, truth.words))
    theirs = Counter(truth.words)
    num_doubled, num_missing = (ours - theirs).total(), (theirs - ours).total()
    wanted = range(first, last + 1)
    return Resumptions(
        num_kills=num_kills,
        num_lost=num_lost,
        num_missing_turns=sum(turn not in client.sound for turn in wanted),
        num_doubled_turns=client.num_doubled_turns,
        num_wrong_turns=sum(
            client.sound.get(turn, truth.sound[turn]) != truth.sound[turn] for turn in truth.sound
        ),
        num_missing_words=num_missing,
        num_doubled_words=num_doubled,
        num_words=len(truth.words),
    )


def _since(words: list[Word], truth: list[Word]) -> list[Word]:
    """The client's words from the first that the sideband knows on."""
    start = words.index(truth[0]) if truth and truth[0] in words else 0
    return words[start:]


def kill_and_resume(
    port: int,
    user: Int16[np.ndarray, " T"],
    num_kills: int,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda kill: None,
) -> Resumptions:
    """user: what is said, 24 kHz, again and again.

    Raises DeviceError when the server refuses the first session.
    """
    return asyncio.run(_Killer(port, user, np.random.default_rng(seed)).run(num_kills, advance))


class _Killer:
    """One session whose connections are killed."""

    def __init__(self, port: int, user: np.ndarray, rng: np.random.Generator) -> None:
        size = round(live.RATE_HZ * TURN_S)
        self._pieces = [
            part.tobytes() for part in user[: len(user) // size * size].reshape(-1, size)
        ]
        self._port, self._rng = port, rng
        self._client, self._truth = Received(), Received()
        self._token = ""
        self._num_sent, self._due_s = 0, 0.0

    async def run(self, num_kills: int, advance: Callable[[int], None]) -> Resumptions:
        connection = await live.dial(self._port)
        about = await live.start(connection, "resume")
        self._keep_token(about)
        async with live.dial(self._port, f"/{about['id']}/attach") as side:
            watching = asyncio.create_task(self._watch(side))
            num_done = num_lost = 0
            try:
                for kill in range(num_kills):
                    num_done = kill + 1
                    await self._talk(connection, float(self._rng.uniform(*TALK_S)), TALK_TURNS)
                    await live.kill(connection)
                    self._client.cut()
                    await asyncio.sleep(float(self._rng.uniform(*AWAY_S)))
                    connection = await self._resume()
                    advance(num_done)
                await self._talk(connection, 0.0, TAIL_TURNS)
                await self._finish(connection)
                await asyncio.wait_for(watching, GIVE_UP_S)
            except (DeviceError, ConnectionClosed, TimeoutError):
                num_lost = 1  # and the kills that were left have nothing to take up
            finally:
                await live.kill(connection)
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        return compare(self._client, self._truth, num_kills=num_done, num_lost=num_lost)

    async def _talk(self, connection: ClientConnection, seconds: float, num_turns: int) -> None:
        """Sound out every 200 ms and whatever comes in, for so long and so many new micro-turns."""
        sending = asyncio.create_task(self._speak(connection))
        goal = self._client.last_turn + num_turns
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while True:
                        self._client.add(await live.receive(connection))
            async with asyncio.timeout(GIVE_UP_S):
                while self._client.last_turn < goal:
                    self._client.add(await live.receive(connection))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _speak(self, connection: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._due_s = max(self._due_s + TURN_S, loop.time())  # paced across connections
            await asyncio.sleep(self._due_s - loop.time())
            await live.send_sound(connection, self._pieces[self._num_sent % len(self._pieces)])
            self._num_sent += 1

    async def _resume(self) -> ClientConnection:
        """A new connection with the session; some are killed before the answer has been read."""
        while True:
            connection = await live.dial(self._port)
            fields = {"token": self._token, "last_turn": self._client.last_turn}
            await live.send(connection, "interplay.session.resume", **fields)
            if self._rng.random() < EARLY_SHARE:
                await asyncio.sleep(float(self._rng.uniform(0, 0.02)))
                await live.kill(connection)
                continue
            try:
                async with asyncio.timeout(GIVE_UP_S):
                    answer = await live.wait_for(connection, "interplay.session.resumed")
            except BaseException:
                await live.kill(connection)
                raise
            self._keep_token(answer["session"])
            return connection

    def _keep_token(self, about: dict[str, Any]) -> None:
        self._token = about["interplay"]["resume_token"]

    async def _finish(self, connection: ClientConnection) -> None:
        for _ in range(2):  # at the second nobody waits for the speech in flight
            await live.send(connection, "session.close")
        async with asyncio.timeout(GIVE_UP_S):
            while (event := await live.receive(connection))["type"] != "session.closed":
                self._client.add(event)
        await connection.close()

    async def _watch(self, side: ClientConnection) -> None:
        """The sideband stamps sound with the time at which it plays."""
        while (event := await live.receive(side))["type"] != "session.closed":
            turn = event["start_ms"] // TURN_MS - 1 if event["type"] == live.AUDIO else None
            self._truth.add(event, turn)
