"""The Live protocol as a client of the bench speaks it. Knows nothing of items or of time.

Our server is asked for extensions: text, playback and the numbers of each micro-turn. A server
that does not know them is spoken to plainly, at 24 kHz. Functions that an item offers are those of
the server's background model (delegation of the type `responses`): its calls are noted, and
answered. A server that has none refuses the session, and says so.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from interplay.bench.clients.conversation import Ears, Wire
from interplay.bench.playing.functions import Functions
from interplay.clock import SAMPLE_RATE_HZ, TURN_MS
from interplay.data.item import Item
from interplay.errors import UnsupportedError

PLAIN_HZ = 24_000
EXTENSIONS = ("text", "playback", "turns")


class LiveWire:
    """extensions: whether those of our server are used."""

    cuts_silence = True  # sound comes at the pace of the clock

    def __init__(self, *, extensions: bool) -> None:
        self._extends = extensions
        self.rate_hz = SAMPLE_RATE_HZ if extensions else PLAIN_HZ
        self._delegation_id: str | None = None
        self._functions = Functions({})
        self._num_owed = 0  # results that its background model has, and is not told to go on from

    def opening(self, item: Item) -> list[str]:
        session: dict[str, Any] = {"model": "any"}
        self._functions = Functions(item.about)
        if self._functions.offered:
            responses = {"tools": self._functions.offered}
            session["delegation"] = {"type": "responses", "responses": responses}
        if self._extends:
            form = {"type": "audio/pcm", "rate": self.rate_hz}
            asks = [*EXTENSIONS, *(["video"] if _shows(item) else [])]
            session |= {"audio": {"format": form}, "interplay": {"extensions": asks}}
        return [_event("session.start", session=session)]

    def is_open(self, event: dict[str, Any]) -> bool:
        return event.get("type") == "session.started"

    def sound(self, pcm: bytes, ears: Ears) -> list[str]:
        audio = base64.b64encode(pcm).decode()
        messages = [_event("session.input_audio.append", audio=audio)]
        if self._extends:
            played_ms = int(1000 * ears.speaker.played_s(ears.now_s))
            messages.append(_event("interplay.playback.ack", played_ms=played_ms))
        return messages

    def typed(self, control: str, text: str) -> list[str]:
        if control == "<result>":
            about = {"delegation_id": self._delegation_id} if self._delegation_id else {}
            return [_event("session.commentary.append", content=text, **about)]
        if not control:  # the protocol has no turns of the model to be given: context
            return [_event("session.thinking.append", content=text)]
        if not self._extends:
            raise UnsupportedError(
                "the item types text, and this Live server takes none; leave its rows out, or "
                "measure over realtime:URL"
            )
        return [_event("interplay.input_text.append", text=text)]

    def picture(self, jpeg: bytes, turn: int) -> list[str]:
        if not self._extends:
            raise UnsupportedError("the item shows pictures, and this Live server takes none")
        return [_event("interplay.input_video.append", image=base64.b64encode(jpeg).decode())]

    def take(self, event: dict[str, Any], ears: Ears) -> list[str]:
        kind = event.get("type")
        if kind == "session.output_audio.delta":
            ears.sound(base64.b64decode(event["delta"]))
        elif kind == "session.output_transcript.delta":
            ears.say(event["delta"], event.get("start_ms", 0) % TURN_MS / 1000)
        elif kind == "session.input_transcript.delta":
            ears.heard(event["delta"])
        elif kind == "session.delegation.created":
            self._delegation_id = event["delegation"]["id"]
            if not self._extends:
                ears.act(["<delegate>", "<end>"])
        elif kind == "response.event":
            return self._backend(event["event"], ears)
        elif kind == "interplay.turn":
            ears.act(event["act"])
            if event["yields"]:
                return self._flush(ears)
        return []

    def _backend(self, event: dict[str, Any], ears: Ears) -> list[str]:
        """What the background model does: calls are answered at once, and when its response is
        complete it goes on from all of them."""
        kind, item = event.get("type"), event.get("item") or {}
        if kind == "response.output_item.done" and item.get("type") == "function_call":
            ears.call(item["name"], item["arguments"])
            self._num_owed += 1
            given = self._functions.result(item["name"])
            output = {"type": "function_call_output", "call_id": item["call_id"], "output": given}
            return [_event("response.item.create", item=output)]
        if kind == "response.completed" and self._num_owed:
            self._num_owed = 0
            return [_event("response.create")]
        return []

    @staticmethod
    def _flush(ears: Ears) -> list[str]:
        """The model yields: what waits is thrown away, and the server is told."""
        played_ms = int(1000 * ears.speaker.played_s(ears.now_s))
        flushed_ms = int(1000 * ears.speaker.received_s)
        ears.speaker.flush(ears.now_s)
        marks = {"played_ms": played_ms, "flushed_ms": flushed_ms}
        return [_event("interplay.playback.ack", **marks)]


LIVE_WIRES: tuple[Callable[[], Wire], ...] = (
    lambda: LiveWire(extensions=True),
    lambda: LiveWire(extensions=False),
)


def _shows(item: Item) -> bool:
    return any(hasattr(cue, "frames") for cue in item.cues)


def _event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind} | fields)
