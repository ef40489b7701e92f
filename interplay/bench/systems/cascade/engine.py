"""The cascade behind the server's protocols, in place of the engine of a model.

It keeps the same beat: an input half in, an output half out, text as tokens. Hearing, thinking and
speaking take the time they take, on a thread of their own, and the beat waits for none of it.
A text without an opening token is taken for a reply of its own: so comes what a client says that
the assistant has said, and `read` does not tell it from other context that comes while a session
runs. Instructions at its beginning are read by nobody, and pictures by nobody. Knows nothing of
sockets or of items.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from interplay.bench.systems.cascade.language import forms, words_of
from interplay.bench.systems.cascade.system import Cascade, Talk, raise_failures
from interplay.bench.wording.written import speakable
from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.errors import SessionError
from interplay.turns.tokens import END, SPECIALS, Tokenizer
from interplay.turns.types import PAD, InputHalf, OutputHalf

VOCAB_SIZE = 4096  # every word of the cascade's language is one token; others are spelled


class CascadeSession:
    """One conversation. talk: what goes on in it."""

    def __init__(self, engine: "CascadeEngine", talk: Talk) -> None:
        self.num_turns = 0
        self._engine, self.talk, self._tokenizer = engine, talk, engine.tokenizer
        self._typed: list[int] = []
        self._wants_reply = False  # of the text that is under way: it began with an opening token
        self._heard: deque[int] = deque()
        self._say: deque[int] = deque()

    def close(self) -> None:
        """Give the slot back. Closing twice is allowed."""
        self._engine.release(self)
        self.talk.close()

    def push(self, half: InputHalf) -> OutputHalf:
        """Advance by one micro-turn. What the client has thrown away is not said to the end."""
        if half.num_played is not None and half.num_played < SAMPLES_PER_TURN:
            self.talk.hush()
            self._say.clear()
        emitted = self.talk.push(half.hear, self._messages(half.read))
        for pieces, waiting in ((emitted.heard, self._heard), (emitted.say, self._say)):
            waiting.extend(self._tokenizer.encode("".join(pieces)))
        self.num_turns += 1
        return OutputHalf(
            heard=_slots(self._heard),
            say=_slots(self._say),
            act=(PAD,) * NUM_SLOTS,
            voice_on=np.abs(emitted.voice).reshape(NUM_SLOTS, -1).max(1) > 0,
            voice=emitted.voice,
        )

    def _messages(self, read: tuple[int, ...]) -> list[str]:
        """Texts that are complete with these tokens, as the cascade reads them."""
        found: list[str] = []
        for token in read:
            if token == END and (text := speakable(self._tokenizer.decode(self._typed))):
                found += [*(["<text>"] if self._wants_reply else []), text, "<end>"]
            if token < len(SPECIALS):
                self._typed, self._wants_reply = [], token != END
            else:
                self._typed.append(token)
        return found


class CascadeEngine:
    """An engine for `interplay.server`. cascade: what every session talks to."""

    def __init__(self, cascade: Cascade, *, num_slots: int = 4) -> None:
        self.num_slots, self.has_eyes = num_slots, False
        self.facts = {"model": cascade.name}
        self.tokenizer = Tokenizer.train(words_of(forms()), VOCAB_SIZE)
        self._cascade = cascade
        self._sessions: set[CascadeSession] = set()

    def open(self, *, seed: int, prefix: str) -> CascadeSession:
        """A new session. Raises SessionError when every slot is taken."""
        if len(self._sessions) >= self.num_slots:
            raise SessionError(f"all {self.num_slots} session slots are taken; close a session")
        session = CascadeSession(self, self._cascade.talk())
        self._sessions.add(session)
        return session

    def release(self, session: CascadeSession) -> None:
        """The slot of this session is free."""
        self._sessions.discard(session)

    def tick(self, halves: Mapping[Any, InputHalf]) -> dict[Any, OutputHalf]:
        """Advance these sessions by one micro-turn; none of them when the work of one has failed
        before, which is raised."""
        raise_failures(session.talk for session in halves)
        return {session: session.push(half) for session, half in halves.items()}


def _slots(waiting: deque[int]) -> tuple[int, ...]:
    tokens = [waiting.popleft() for _ in range(min(NUM_SLOTS, len(waiting)))]
    return (*tokens, *(PAD,) * (NUM_SLOTS - len(tokens)))
