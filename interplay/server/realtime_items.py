"""The conversation of a Realtime session as a list of items, the newest ones. Knows nothing of
messages to clients, models or time: positions in sound are milliseconds that others count.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from interplay.errors import RequestError
from interplay.server.transcript import Fragment

MAX_ITEMS = 256  # of a session without end; older ones are forgotten
DUPLICATE = "item_create_duplicate_item_id"  # as clients know it: LiveKit takes it for success


@dataclass(kw_only=True)
class Item:
    """One item. words: with their times on the session timeline. fields: beside id, type and
    status, what its kind has. sound: an assistant's own sound: from `begin_ms` of the session's
    output on, `num_ms` long."""

    id: str
    kind: Literal["message", "function_call", "function_call_output"] = "message"
    status: Literal["in_progress", "completed", "incomplete"] = "in_progress"
    fields: dict[str, Any] = field(default_factory=dict)
    previous_id: str | None = None
    words: list[Fragment] = field(default_factory=list)
    begin_ms: int | None = None
    num_ms: int = 0

    @property
    def text(self) -> str:
        """The words so far; a fragment that opens a word begins with a space."""
        return "".join(piece.text for piece in self.words).strip()

    def add(self, piece: Fragment) -> str:
        """One more fragment; what it adds to `text`."""
        self.words.append(piece)
        return piece.text if len(self.words) > 1 else piece.text.lstrip()

    def body(self) -> dict[str, Any]:
        """As clients see it."""
        about = {"id": self.id, "object": "realtime.item", "type": self.kind, "status": self.status}
        return about | self.fields


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


class Conversation:
    """Items in order, by id."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self._items: dict[str, Item] = {}

    def check_new(self, item_id: str, after: str | None) -> None:
        """Raises RequestError for an id that is taken, and for a place that is not there."""
        if item_id in self._items:
            text = f"there is an item {item_id!r} already; use a new id"
            raise RequestError(DUPLICATE, text, param="item.id")
        if after not in (None, "root"):
            self.find(after, param="previous_item_id")

    def add(self, item: Item, after: str | None = None) -> None:
        """Put an item at the end, or after another one (`root`: at the beginning)."""
        ids = [*self._items]
        place = len(ids) if after is None else 0 if after == "root" else ids.index(after) + 1
        item.previous_id = ids[place - 1] if place else None
        self._items[item.id] = item
        if place < len(ids):
            order = [*ids[:place], item.id, *ids[place:]]
            self._items = {item_id: self._items[item_id] for item_id in order}
        if len(self._items) > MAX_ITEMS:
            del self._items[next(iter(self._items))]

    def find(self, item_id: str, *, code: str = "unknown_item", param: str = "item_id") -> Item:
        """Raises RequestError when there is no such item."""
        if item_id not in self._items:
            text = f"there is no item {item_id[:64]!r}; the newest {MAX_ITEMS} are kept"
            raise RequestError(code, text, param=param)
        return self._items[item_id]

    def has_call(self, call_id: str) -> bool:
        """Whether a function was called under this id."""
        return any(
            item.kind == "function_call" and item.fields["call_id"] == call_id
            for item in self._items.values()
        )

    def remove(self, item: Item) -> None:
        """Forget an item that is there."""
        del self._items[item.id]

    @property
    def last_id(self) -> str | None:
        return next(reversed(self._items), None)
