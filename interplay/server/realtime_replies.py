"""What the model says, as the Realtime protocol tells it: one response for every burst of speech,
one item in it for the sound and one for every function call.

Knows nothing of clients' messages, of the user's speech or of sessions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from interplay.clock import NUM_SLOTS, TURN_MS
from interplay.server.events import Turn
from interplay.server.formats import SoundFormat
from interplay.server.realtime_items import Conversation, Item, new_id
from interplay.server.realtime_settings import VOICE, written

END_TURNS = 2  # of silence end a burst
WAIT_TURNS = 25  # that a response which was asked for waits for the model's first word
Emit = Callable[[str, dict[str, Any]], None]
Status = Literal["completed", "cancelled", "incomplete"]


@dataclass(kw_only=True)
class Response:
    """One response. may_call: functions, for what the model hands over meanwhile. item: its speech,
    None until there is any. output: all of its items."""

    id: str
    metadata: dict[str, str] | None = None
    may_call: bool = True
    item: Item | None = None
    output: list[Item] = field(default_factory=list)
    num_turns: int = 0


class Replies:
    """The responses of one session, one at a time.

    emit(kind, fields): sends a server event. sends_sound: whether sound goes into events.
    sound: how it is written there.
    """

    def __init__(self, conversation: Conversation, emit: Emit, *, sends_sound: bool) -> None:
        self.current: Response | None = None
        self.cut_ms: int | None = None  # the client threw the rest of this burst away, from here on
        self._conversation, self._emit = conversation, emit
        self.newest: Item | None = None  # of the items with sound
        self.sound = SoundFormat()
        self._sends_sound = sends_sound
        self._num_quiet = 0
        self._newest_id = ""  # of the responses

    @property
    def speaks(self) -> bool:
        """Whether there is a response with speech in it, still going on."""
        return self.current is not None and self.current.item is not None

    @property
    def may_call(self) -> bool:
        """Whether what the model hands over now may become a function call."""
        return self.current is None or self.current.may_call

    def hear(self, turn: Turn) -> None:
        """One micro-turn of the model."""
        speaks = any(turn.voice_on) or bool(turn.said)
        self._num_quiet = 0 if speaks else self._num_quiet + 1
        if self.cut_ms is not None:
            if self._num_quiet < END_TURNS:
                return
            self.cut_ms = None
        if self.current is None and speaks:
            self._open(None)
        response = self.current
        if response is None:
            return
        response.num_turns += 1
        if response.item is None and speaks:
            response.item = self._speech(response, turn.index)
        if response.item is not None:
            self._say(response, response.item, turn)
            if self._num_quiet >= END_TURNS:
                self.finish("completed")
        elif response.num_turns >= WAIT_TURNS:
            self.finish("completed")

    def ask(self, metadata: dict[str, str] | None, *, may_call: bool = True) -> None:
        """The client asks for a response: what comes next belongs to it."""
        if self.current is not None:
            self.finish("completed")
        self._open(metadata, may_call=may_call)

    def call(self, name: str, arguments: str, call_id: str) -> None:
        """The model hands work over. The call is complete at once; speech goes on beside it."""
        if self.current is None:
            self._open(None)
        response = self.current
        assert response is not None
        fields = {"name": name, "call_id": call_id, "arguments": ""}
        item = Item(id=new_id("item"), kind="function_call", fields=fields)
        self._add(response, item)
        place = self._place(response, item) | {"call_id": call_id}
        self._emit("response.function_call_arguments.delta", place | {"delta": arguments})
        done = {"name": name, "arguments": arguments}
        self._emit("response.function_call_arguments.done", place | done)
        item.fields["arguments"], item.status = arguments, "completed"
        self._finish_item(response, item)
        if response.item is None:
            self.finish("completed")

    def cancel(self, now_ms: int) -> None:
        """The client wants to hear no more of the current response: what follows until the model
        is silent counts as not played. now_ms: length of the output so far."""
        if self.speaks:
            self.cut_ms = now_ms
        self.finish("cancelled", "client_cancelled")

    def finish(self, status: Status, reason: str | None = None) -> None:
        """End the current response, if there is one."""
        response, self.current = self.current, None
        if response is None:
            return
        if response.item is not None:
            self._finish_speech(response, response.item, status)
        details = None if status == "completed" else {"type": status, "reason": reason}
        body = self._body(response, status, details)
        self._emit("response.done", {"response": body | {"usage": _usage(response)}})
        if response.item is not None and not self._sends_sound:
            if status == "completed":
                self._emit("output_audio_buffer.stopped", {"response_id": response.id})
            else:
                self.cleared()

    def cleared(self) -> None:
        """Tell that what waited to be played was dropped; for transports that play it."""
        self._emit("output_audio_buffer.cleared", {"response_id": self._newest_id})

    def _open(self, metadata: dict[str, str] | None, *, may_call: bool = True) -> None:
        response = Response(id=new_id("resp"), metadata=metadata, may_call=may_call)
        self.current = response
        self._newest_id = response.id
        self._emit("response.created", {"response": self._body(response, "in_progress", None)})

    def _body(
        self, response: Response, status: str, details: dict[str, Any] | None
    ) -> dict[str, Any]:
        return {
            "id": response.id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": [item.body() for item in response.output],
            "conversation_id": self._conversation.id,
            "output_modalities": ["audio"],
            "audio": {"output": {"format": written(self.sound), "voice": VOICE}},
            "max_output_tokens": "inf",
            "metadata": response.metadata,
            "usage": None,
        }

    def _add(self, response: Response, item: Item) -> None:
        response.output.append(item)
        self._conversation.add(item)
        about = {"response_id": response.id, "output_index": response.output.index(item)}
        self._emit("response.output_item.added", about | {"item": item.body()})
        added = {"previous_item_id": item.previous_id, "item": item.body()}
        self._emit("conversation.item.added", added)

    @staticmethod
    def _place(response: Response, item: Item) -> dict[str, Any]:
        index = response.output.index(item)
        return {"response_id": response.id, "item_id": item.id, "output_index": index}

    def _speech(self, response: Response, index: int) -> Item:
        """Begin the item of the speech that starts in micro-turn `index`."""
        item = Item(
            id=new_id("item"),
            fields={"role": "assistant", "content": []},
            begin_ms=index * TURN_MS,
        )
        self.newest = item
        self._add(response, item)
        part = {"type": "audio", "transcript": ""}
        place = self._place(response, item) | {"content_index": 0}
        self._emit("response.content_part.added", place | {"part": part})
        if not self._sends_sound:
            self._emit("output_audio_buffer.started", {"response_id": response.id})
        return item

    def _say(self, response: Response, item: Item, turn: Turn) -> None:
        place = self._place(response, item) | {"content_index": 0}
        for piece in turn.said:
            delta = {"delta": item.add(piece)}
            self._emit("response.output_audio_transcript.delta", place | delta)
        item.num_ms += TURN_MS
        if self._sends_sound:
            delta = {"delta": self.sound.from_pcm(turn.pcm)}
            self._emit("response.output_audio.delta", place | delta)

    def _finish_speech(self, response: Response, item: Item, status: Status) -> None:
        place, text = self._place(response, item) | {"content_index": 0}, item.text
        self._emit("response.output_audio.done", place)
        self._emit("response.output_audio_transcript.done", place | {"transcript": text})
        part = {"type": "audio", "transcript": text}
        self._emit("response.content_part.done", place | {"part": part})
        item.fields["content"] = [{"type": "output_audio", "transcript": text}]
        item.status = "completed" if status == "completed" else "incomplete"
        self._finish_item(response, item)

    def _finish_item(self, response: Response, item: Item) -> None:
        done = {"previous_item_id": item.previous_id, "item": item.body()}
        self._emit("conversation.item.done", done)
        about = {"response_id": response.id, "output_index": response.output.index(item)}
        self._emit("response.output_item.done", about | {"item": item.body()})


def truncate(item: Item, audio_end_ms: int) -> None:
    """Keep the words that had sounded by then, in milliseconds of the item's own sound."""
    assert item.begin_ms is not None
    end_ms = item.begin_ms + TURN_MS + audio_end_ms  # it plays one micro-turn later
    item.words = [piece for piece in item.words if piece.end_ms <= end_ms]
    if item.status != "in_progress":
        item.fields["content"] = [{"type": "output_audio", "transcript": item.text}]


def _usage(response: Response) -> dict[str, Any]:
    """In positions of the model, of which a micro-turn has four for what it hears and four for
    what it emits."""
    count = NUM_SLOTS * response.num_turns
    return {
        "total_tokens": 2 * count,
        "input_tokens": count,
        "output_tokens": count,
        "input_token_details": {"audio_tokens": count, "text_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"audio_tokens": count, "text_tokens": 0},
    }
