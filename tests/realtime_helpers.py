"""What the tests of the Realtime protocol share: a client without a socket, every event of which
is checked against the SDK's own types, and a model that does what a script says.
"""

import json
from collections.abc import Mapping
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import ConfigDict, TypeAdapter

from interplay.engine.engine import Engine
from interplay.engine.session import Session
from interplay.server.auth import Visitor
from interplay.server.hub import Hub
from interplay.server.realtime import RealtimeConnection
from interplay.server.served import ServedSession
from interplay.turns.tokens import DELEGATE, END, RESULT, STOP
from interplay.turns.types import InputHalf, OutputHalf
from tests.server_helpers import advanced, b64, emitted, loaded, obey, pcm, received, refused

TOKENIZER = loaded().tokenizer
TEN, SIX, ONE = ((*TOKENIZER.encode(word),) for word in ("ten", "six", "one"))
QUESTION = (DELEGATE, *SIX, END)
LATER = ConfigDict(defer_build=True)  # with the first event, not while tests are collected
EVENTS: TypeAdapter = TypeAdapter(RealtimeServerEvent, config=LATER)
ASK = {
    "type": "function",
    "name": "ask",
    "description": "answers questions",
    "parameters": {
        "type": "object",
        "properties": {"question": {"type": "string"}},
        "required": ["question"],
    },
}


class Client:
    """A Realtime client over pretended time."""

    def __init__(self, hub: Hub, visitor: Visitor | None = None, **kwargs) -> None:
        self.hub = hub
        self.adapter = RealtimeConnection(hub, visitor or Visitor(), **kwargs)

    @property
    def session(self) -> ServedSession:
        assert self.adapter.session
        return self.adapter.session

    def send(self, kind: str, **fields) -> list[dict]:
        """Send a message; everything that waits to be read then."""
        obey(self.adapter, json.dumps({"type": kind, **fields}))
        return self.read()

    def update(self, **session) -> dict:
        *_, updated = self.send("session.update", session={"type": "realtime", **session})
        assert updated["type"] == "session.updated"
        return updated["session"]

    def begin(self) -> list[dict]:
        return self.send("input_audio_buffer.append", audio=b64(pcm(0.2)))

    def read(self) -> list[dict]:
        messages = received(self.adapter)
        for message in messages:
            EVENTS.validate_python(message)
        return messages

    def turn(self, speaks: bool = False, **streams) -> list[dict]:
        """The model emits a micro-turn."""
        self.session.advance(advanced(self.session, speaks, **streams), 1.0)
        return self.read()

    def quiet(self, count: int) -> list[dict]:
        return [message for _ in range(count) for message in self.turn()]

    def refused(self, kind: str, **fields) -> dict:
        """The error that answers a message."""
        return self.refused_text(json.dumps({"type": kind, "event_id": "e", **fields}))

    def refused_text(self, message: str | bytes) -> dict:
        error = refused(obey, self.adapter, message)
        answer = json.loads(self.adapter.refusal(error, message))
        EVENTS.validate_python(answer)
        return answer["error"]


def talker(hub: Hub, **session) -> Client:
    """A client whose session has begun, with all of that read."""
    client = Client(hub)
    client.read()
    if session:
        client.update(**session)
    client.begin()
    return client


def texts(messages: list[dict], kind: str) -> str:
    return "".join(message["delta"] for message in messages if message["type"] == kind)


class ScriptedEngine(Engine):
    """The engine, whose model is made to hear `ten`, say `ten`, hand over `six` while it speaks,
    say `one` once it has read a result, and yield after that."""

    SCRIPT = (
        *({},) * 2,
        {"heard": TEN},
        *({},) * 6,
        {"speaks": True, "say": TEN},
        {"speaks": True, "act": QUESTION},
        {"speaks": True},
        *({},) * 3,
    )
    ANSWER = (
        *({},) * 4,
        {"speaks": True, "say": ONE},
        *({"speaks": True},) * 2,
        {"say": (STOP,)},
        *({},) * 12,
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.plans: dict[Session, list[dict[str, Any]]] = {}

    def tick(self, halves: Mapping[Session, InputHalf]) -> dict[Session, OutputHalf]:
        super().tick(halves)
        return {session: self._said(session, half) for session, half in halves.items()}

    def _said(self, session: Session, half: InputHalf) -> OutputHalf:
        plan = self.plans.setdefault(session, [*self.SCRIPT])
        if RESULT in half.read:
            plan[:] = [*self.ANSWER]
        return emitted(**(plan.pop(0) if plan else {}))
