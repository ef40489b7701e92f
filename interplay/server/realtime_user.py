"""What the user says, as the Realtime protocol tells it: one item for every stretch of words, with
its transcript as it forms. Knows nothing of the model's speech, of sound or of sessions.
"""

from typing import Any

from interplay.clock import TURN_MS
from interplay.server.events import Turn
from interplay.server.realtime_items import Conversation, Item, new_id
from interplay.server.realtime_replies import Emit

END_TURNS = 5  # without a word end the user's item
DOUBT_TURNS = 10  # without a word after the model has yielded: there were none


class UserSpeech:
    """The user's items, one at a time.

    emit(kind, fields): sends a server event. transcribes: whether the words are told.
    """

    def __init__(self, conversation: Conversation, emit: Emit) -> None:
        self.transcribes = True
        self._conversation, self._emit = conversation, emit
        self._item: Item | None = None
        self._next_id = new_id("item")
        self._is_committed = False
        self._has_interrupted = False
        self._num_quiet = 0

    def hear(self, turn: Turn) -> None:
        """One micro-turn: words of the user, or none."""
        if turn.heard:
            self._num_quiet = 0
            item = self._opened()
            for piece in turn.heard:
                delta = item.add(piece)
                if self.transcribes:
                    about = {"item_id": item.id, "content_index": 0, "delta": delta}
                    self._emit("conversation.item.input_audio_transcription.delta", about)
            return
        self._num_quiet += 1
        if self._item and self._num_quiet >= END_TURNS:
            self._close(self._item, turn.index)
        elif self._has_interrupted and self._num_quiet >= DOUBT_TURNS:
            self._stopped(self._next_id, (turn.index + 1) * TURN_MS)
            self._next_id = new_id("item")

    def interrupt(self, turn: Turn) -> None:
        """The model has yielded: this, not sound, is what the clients must know."""
        if self._has_interrupted:
            self._stopped(self._next_id, turn.index * TURN_MS)
        words = self._item.words if self._item else []
        start_ms = words[0].start_ms if words else turn.index * TURN_MS
        about = {"audio_start_ms": max(0, start_ms), "item_id": self._next_id}
        self._emit("input_audio_buffer.speech_started", about)
        self._has_interrupted, self._num_quiet = True, 0

    def commit(self) -> None:
        """The client says that the user has finished. The model has heard it already; words that
        it still writes belong to the same item."""
        last_id = self._item.previous_id if self._item else self._conversation.last_id
        self._commit(last_id)
        self._num_quiet = 0
        self._opened()

    def _commit(self, previous_id: str | None) -> None:
        self._is_committed = True
        about = {"item_id": self._next_id, "previous_item_id": previous_id}
        self._emit("input_audio_buffer.committed", about)

    def _opened(self) -> Item:
        if self._item is None:
            content: list[dict[str, Any]] = [{"type": "input_audio", "transcript": None}]
            fields = {"role": "user", "content": content}
            self._item = item = Item(id=self._next_id, fields=fields)
            self._conversation.add(item)
            added = {"previous_item_id": item.previous_id, "item": item.body()}
            self._emit("conversation.item.added", added)
        return self._item

    def _close(self, item: Item, index: int) -> None:
        end_ms = item.words[-1].end_ms if item.words else index * TURN_MS
        if self._has_interrupted:
            self._stopped(item.id, end_ms)
        if not self._is_committed:
            self._commit(item.previous_id)
        if self.transcribes:
            seconds = (end_ms - item.words[0].start_ms) / 1000 if item.words else 0.0
            about = {
                "item_id": item.id,
                "content_index": 0,
                "transcript": item.text,
                "usage": {"type": "duration", "seconds": seconds},
            }
            self._emit("conversation.item.input_audio_transcription.completed", about)
            item.fields["content"] = [{"type": "input_audio", "transcript": item.text}]
        item.status = "completed"
        done = {"previous_item_id": item.previous_id, "item": item.body()}
        self._emit("conversation.item.done", done)
        self._item, self._next_id, self._is_committed = None, new_id("item"), False

    def _stopped(self, item_id: str, end_ms: int) -> None:
        self._has_interrupted = False
        about = {"audio_end_ms": max(0, end_ms), "item_id": item_id}
        self._emit("input_audio_buffer.speech_stopped", about)
