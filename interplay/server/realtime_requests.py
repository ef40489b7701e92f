"""What Realtime clients do with items of the conversation: create, retrieve, truncate, delete.
Knows nothing of connections or of settings.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from interplay.errors import RequestError
from interplay.server import realtime_wire as wire
from interplay.server.camera import Camera
from interplay.server.hub import Hub
from interplay.server.later import Later
from interplay.server.realtime_content import call_text, picture_of, text_of
from interplay.server.realtime_history import History
from interplay.server.realtime_items import Conversation, Item, new_id
from interplay.server.realtime_replies import Emit, Replies, truncate
from interplay.server.served import LETTERS_PER_TOKEN, ServedSession


def call_of(delegation_id: str) -> str:
    """How a delegation that the client does is called as a function call."""
    return delegation_id.replace("dlg_", "call_", 1)


def delegation_of(call_id: str) -> str:
    """The other way round."""
    return call_id.replace("call_", "dlg_", 1)


def is_history(event: Any) -> bool:
    """Whether this is an item of words: before time begins it can be told without beginning it."""
    item = event.item if isinstance(event, wire.CreateItem) else None
    if isinstance(item, wire.Message):
        return all(part.type != "input_image" for part in item.content)
    return item is not None


class ItemRequests:
    """Obeys them. running: the session, or RequestError. history: what is told before there is
    one. emit(kind, fields): answers."""

    def __init__(
        self,
        hub: Hub,
        running: Callable[[], ServedSession],
        conversation: Conversation,
        history: History,
        replies: Replies,
        emit: Emit,
    ) -> None:
        self.hub = hub
        self._running, self._emit = running, emit
        self._conversation, self._history, self._replies = conversation, history, replies
        self._camera = Camera(hub.clock)

    def create(self, event: wire.CreateItem) -> Later | None:
        if not self._history.is_open:
            self._running()
            self._history.take_typed()  # something else has come between
        wanted, item_id = event.item, event.item.id or new_id("item")
        self._conversation.check_new(item_id, event.previous_item_id)
        item = Item(id=item_id, status="completed")
        if isinstance(wanted, wire.Message):
            return self._create_message(wanted, item, event.previous_item_id)
        if isinstance(wanted, wire.FunctionCallOutput):
            item.kind = "function_call_output"
            item.fields = {"call_id": wanted.call_id, "output": wanted.output}
            self._answer(wanted)
        else:  # of a conversation from before: its output is what the model has to know
            item.kind, call_id = "function_call", wanted.call_id or new_id("call")
            item.fields = {"name": wanted.name, "call_id": call_id, "arguments": wanted.arguments}
        self._add(item, event.previous_item_id)
        return None

    def _add(self, item: Item, previous_id: str | None) -> None:
        self._conversation.add(item, previous_id)
        about = {"previous_item_id": item.previous_id, "item": item.body()}
        self._emit("conversation.item.added", about)
        self._emit("conversation.item.done", about)

    def _create_message(
        self, message: wire.Message, item: Item, previous_id: str | None
    ) -> Later | None:
        """At once, or once its pictures are decoded."""
        text = text_of(message)
        pictures = [data for part in message.content if (data := picture_of(part, message.role))]
        if pictures and not self.hub.has_eyes:
            raise RequestError("unsupported_value", "this model has no eyes", param="item.content")

        def take(tiles: list[np.ndarray]) -> None:
            self._conversation.check_new(item.id, previous_id)  # others may have come or gone
            item.fields = self._read(message, text, tiles)
            self._add(item, previous_id)

        for _ in pictures:
            self._camera.admit()
        if pictures:
            return Later(work=lambda: [self._camera.tiles(data) for data in pictures], then=take)
        take([])
        return None

    def _read(self, message: wire.Message, text: str, tiles: list[np.ndarray]) -> dict[str, Any]:
        """Give a message to the model; how it is remembered: without its pictures' bytes."""
        if self._history.is_open:
            self._remember(message.role, text)
        else:
            session = self._running()
            if message.role == "user" and (text or not tiles):
                session.type(text, "item.content")
            elif text or not tiles:
                session.tell("context", text, "item.content")
            for seen in tiles:
                session.seat.see(seen)
        content = [_remembered(part) for part in message.content]
        return {"role": message.role, "content": content}

    def _remember(self, role: str, text: str) -> None:
        """Before time begins. What is too long to be read aloud nobody has typed."""
        if not text.strip():
            raise RequestError("empty_text", "item.content holds no words", param="item.content")
        most = self.hub.limits.append_tokens
        is_short = len(text) <= LETTERS_PER_TOKEN * most and (
            len(self.hub.tokenizer.encode(text)) <= most
        )
        self._history.add(role, text, is_typed=role == "user" and is_short)

    def _answer(self, output: wire.FunctionCallOutput) -> None:
        """What came of a call: for the background model where that has asked, else for the model
        that talks. An empty output ends the work without a word to it. Of a long one the beginning
        is read: frameworks send whatever a tool gave, and Pipecat hangs up at any error. So an
        output that comes when its work has ended is no error either: it is context, like that of
        a call from before."""
        words = call_text(output.output) if output.output.strip() else ""
        if self._history.is_open:
            if words:
                self._history.add("tool", words)
            return
        session, call_id = self._running(), output.call_id
        backing = session.backing
        if backing and backing.owner(call_id):
            session.give_output(call_id, output.output)
            return
        delegation_id = delegation_of(call_id)
        try:
            if words:
                session.answer(delegation_id, words, "item.output", is_cut=True)
            else:
                session.end_delegation(delegation_id)
        except RequestError as error:
            if error.code != "unknown_delegation":
                raise
            if self._conversation.has_call(call_id):
                if words:
                    session.tell("context", words, "item.output", is_cut=True)
                return
            text = f"there is no call {call_id[:40]!r}; use a call_id that was announced"
            raise RequestError("unknown_call", text, param="item.call_id") from None

    def retrieve(self, event: wire.RetrieveItem) -> None:
        item = self._conversation.find(event.item_id, code="item_retrieve_invalid_item_id")
        self._emit("conversation.item.retrieved", {"item": item.body()})

    def truncate(self, event: wire.TruncateItem) -> None:
        """The client has played so much of an item, and thrown the rest away."""
        self._running()
        item = self._conversation.find(event.item_id)
        if item.begin_ms is None or event.content_index != 0:
            text = "only content 0 of an assistant's item with sound can be truncated"
            raise RequestError("invalid_value", text, param="item_id")
        if event.audio_end_ms > item.num_ms:
            text = f"audio_end_ms is {event.audio_end_ms}; the item has {item.num_ms} ms of sound"
            raise RequestError("invalid_value", text, param="audio_end_ms")
        truncate(item, event.audio_end_ms)
        self._flush(item, event.audio_end_ms)
        about = {"item_id": item.id, "content_index": 0, "audio_end_ms": event.audio_end_ms}
        self._emit("conversation.item.truncated", about)

    def delete(self, event: wire.DeleteItem) -> None:
        """Of the model's newest speech the client has played nothing: LiveKit says it this way.
        Nobody wants the work of a call any more."""
        self._running()
        item = self._conversation.find(event.item_id)
        if item.kind == "function_call":
            self._cancel(item.fields["call_id"])
        elif item is not self._replies.newest or item.status == "in_progress":
            text = (
                "what the model has heard, read or said cannot be taken back; only its newest "
                "speech can be deleted, once its response is done, and counts as not played"
            )
            raise RequestError("unsupported_value", text, param="item_id")
        else:
            self._flush(item, 0)
        self._conversation.remove(item)
        self._emit("conversation.item.deleted", {"item_id": item.id})

    def _cancel(self, call_id: str) -> None:
        """End the work of a call, unless it has ended."""
        session = self._running()
        owner = session.backing.owner(call_id) if session.backing else None
        try:
            session.cancel_delegation(owner or delegation_of(call_id))
        except RequestError as error:
            if error.code not in ("delegation_ended", "unknown_delegation"):
                raise

    def _flush(self, item: Item, played_ms: int) -> None:
        """Of an item's sound only so much was played."""
        if item is self._replies.newest:  # what came after it was never sent
            assert item.begin_ms is not None, "it has sound"
            session = self._running()
            session.played(item.begin_ms + played_ms, session.now_ms)


def _remembered(part: wire.Part) -> dict[str, Any]:
    words = {"text": part.text, "transcript": part.transcript}
    return {"type": part.type} | {name: text for name, text in words.items() if text is not None}
