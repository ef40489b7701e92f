"""The Realtime protocol (GA) as a client of the bench speaks it. Knows nothing of items or time.

Sound comes in bursts, at any pace. When the server says that the user began to speak, what waits
to be played is thrown away and the conversation truncated there, as its clients do. Functions that
an item offers are declared as tools; calls of them are noted, and answered.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from interplay.bench.clients.conversation import Ears, Wire
from interplay.bench.playing.functions import Functions
from interplay.clock import TURNS_PER_S
from interplay.data.item import Delegate, Item, Type
from interplay.errors import UnsupportedError

RATE_HZ = 24_000
TOOL = {
    "type": "function",
    "name": "delegate",
    "description": "Hand over a question that needs facts, thought or tools; the answer comes.",
    "parameters": {
        "type": "object",
        "properties": {"question": {"type": "string", "description": "the user's words"}},
        "required": ["question"],
    },
}


class RealtimeWire:
    """tells: whether the session is set up (transcripts of the user); else taken as it is."""

    cuts_silence = False
    rate_hz = RATE_HZ

    def __init__(self, *, tells: bool = True) -> None:
        self._tells = tells
        self._part = ""  # the item that sounds
        self._begun: set[str] = set()  # items that have a word
        self._dropped: set[str] = set()
        self._call_id: str | None = None
        self._functions = Functions({})
        self._names: dict[str, str] = {}  # of functions, by the ids of their calls
        self._num_owed = 0  # results that are in the conversation, and not asked to be answered

    def opening(self, item: Item) -> list[str]:
        self._functions = Functions(item.about)
        if not self._tells and self._functions.offered:
            raise UnsupportedError(
                "the item offers functions, and this Realtime server refused session.update, which "
                "declares them; see its log, or leave the suite out"
            )
        if not self._tells:
            return []
        session: dict[str, Any] = {
            "type": "realtime",
            "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}},
        }
        tools = [*self._functions.offered, *([TOOL] if _delegates(item) else [])]
        if tools:
            session["tools"] = tools
        return [_event("session.update", session=session)]

    def is_open(self, event: dict[str, Any]) -> bool:
        return event.get("type") == ("session.updated" if self._tells else "session.created")

    def sound(self, pcm: bytes, ears: Ears) -> list[str]:
        audio = base64.b64encode(pcm).decode()
        return [_event("input_audio_buffer.append", audio=audio)]

    def typed(self, control: str, text: str) -> list[str]:
        if not control:  # said by the assistant before: no response is wanted
            said = [{"type": "output_text", "text": text}]
            item = {"type": "message", "role": "assistant", "content": said}
            return [_event("conversation.item.create", item=item)]
        item: dict[str, Any] = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
        }
        if control == "<result>" and self._call_id:
            item = {"type": "function_call_output", "call_id": self._call_id, "output": text}
        return [_event("conversation.item.create", item=item), _event("response.create")]

    def picture(self, jpeg: bytes, turn: int) -> list[str]:
        """One a second, as part of the conversation: the protocol has no camera."""
        if turn % TURNS_PER_S:
            return []
        address = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
        content = [{"type": "input_image", "image_url": address}]
        item = {"type": "message", "role": "user", "content": content}
        return [_event("conversation.item.create", item=item)]

    def take(self, event: dict[str, Any], ears: Ears) -> list[str]:
        kind, item_id = event.get("type"), event.get("item_id") or ""
        if item_id in self._dropped:
            return []
        if kind == "response.output_audio.delta":
            self._part = item_id
            ears.sound(base64.b64decode(event["delta"]), item_id)
        elif kind == "response.output_audio_transcript.delta":
            ears.say(self._opened(item_id, event["delta"]))
        elif kind == "conversation.item.input_audio_transcription.delta":
            ears.heard(self._opened(item_id, event["delta"]))
        elif kind == "conversation.item.input_audio_transcription.completed":
            if item_id not in self._begun:  # some servers send no deltas
                ears.heard(self._opened(item_id, event.get("transcript") or ""))
        elif kind == "response.output_item.added":
            item = event.get("item") or {}
            self._names[item.get("call_id") or ""] = item.get("name") or ""
        elif kind == "response.function_call_arguments.done":
            return self._called(event, ears)
        elif kind == "response.done" and self._num_owed:
            self._num_owed = 0
            return [_event("response.create")]
        elif kind == "input_audio_buffer.speech_started":
            return self._flush(ears)
        return []

    def _called(self, event: dict[str, Any], ears: Ears) -> list[str]:
        """A function that the item offers is answered; words that are handed over are not, the item
        has their result."""
        call_id = event["call_id"]
        name = event.get("name") or self._names.get(call_id) or TOOL["name"]
        if name == TOOL["name"] or not self._functions.offered:
            self._call_id = call_id
            ears.act(["<delegate>", *(f" {word}" for word in _words(event)), "<end>"])
            return []
        ears.call(name, event["arguments"])
        self._num_owed += 1
        given = self._functions.result(name)
        output = {"type": "function_call_output", "call_id": call_id, "output": given}
        return [_event("conversation.item.create", item=output)]

    def _opened(self, item_id: str, text: str) -> str:
        """The first word of an item opens a word: it carries no space of its own."""
        is_first = item_id not in self._begun
        self._begun.add(item_id)
        return f" {text}" if is_first and text and not text.startswith(" ") else text

    def _flush(self, ears: Ears) -> list[str]:
        if not self._part or ears.speaker.end_s <= ears.now_s:
            return []
        played_ms = int(1000 * ears.speaker.played_of(self._part, ears.now_s))
        ears.speaker.flush(ears.now_s)
        self._dropped.add(self._part)
        about = {"item_id": self._part, "content_index": 0, "audio_end_ms": played_ms}
        return [_event("conversation.item.truncate", **about)]


REALTIME_WIRES: tuple[Callable[[], Wire], ...] = (
    RealtimeWire,
    lambda: RealtimeWire(tells=False),
)


def _delegates(item: Item) -> bool:
    return any(isinstance(expect, Delegate) for expect in item.expect) or any(
        isinstance(cue, Type) and cue.control == "<result>" for cue in item.cues
    )


def _words(event: dict[str, Any]) -> list[str]:
    """Of the arguments of a call: all its texts, in order."""
    try:
        given = json.loads(event["arguments"])
    except ValueError:
        return event["arguments"].split()
    texts = given.values() if isinstance(given, dict) else [given]
    return " ".join(str(text) for text in texts).split()


def _event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind} | fields)
