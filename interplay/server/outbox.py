"""What waits to be sent to one connection: bounded, so that a slow reader costs nobody else.

Knows nothing of protocols or sockets.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from interplay.server.events import Ended, Event, Notice, Turn, UserSound

log = logging.getLogger("interplay.server")

Item = Event | str | tuple[str, ...]  # not events: text messages that are ready to be sent
Translate = Callable[[Event], Sequence[Item]]


class Outbox:
    """A queue for one reader. Sound, words and answers are never dropped from its middle.

    Who lets more than half of `max_items` wait gets no charts, the only pictures that are sent,
    until nothing waits any more, and is told so once; who lets more than `max_items` wait loses
    the connection (`overflow` is set).

    translate: what becomes of an event as soon as it is put; for protocols in which the answer
    to a message depends on the events before it. None: events wait as they are. An end that cannot
    be translated stays one, so that the connection ends, too.
    """

    def __init__(self, max_items: int, translate: Translate | None = None) -> None:
        self.overflow = asyncio.Event()
        self._translate = translate
        self._base_items = self._max_items = max_items
        self._items: deque[Item] = deque()
        self._has_news = asyncio.Event()
        self._is_behind = False

    def put(self, item: Item) -> None:
        for each in self._translated(item):
            self._add(each)

    def _translated(self, item: Item) -> Sequence[Item]:
        if self._translate is None or not isinstance(item, Turn | UserSound | Notice | Ended):
            return [item]
        try:
            return self._translate(item)
        except Exception:  # a bug of a protocol; for the hub to handle, but an end has to arrive
            if not isinstance(item, Ended):
                raise
            log.exception("the end of a session could not be put into words")
            return [item]

    def _add(self, item: Item) -> None:
        if len(self._items) >= self._max_items:
            self.overflow.set()
        elif not self.overflow.is_set():
            self._items.append(item)
        self._has_news.set()

    def preload(self, items: list[Item]) -> None:
        """What was missed while away; it does not count against the bound."""
        self._items.extend(items)
        self._max_items += len(items)
        self._has_news.set()

    async def get(self) -> Item:
        """The oldest item, without its charts for a reader who is far behind; sleeps while there
        is none."""
        while not self._items:
            self._is_behind = False
            self._has_news.clear()
            await self._has_news.wait()
        if self._falls_behind():
            self._is_behind = True
            return self._warning()
        self._max_items = max(self._base_items, self._max_items - 1)
        item = self._items.popleft()
        return item.without_charts() if self._is_behind and isinstance(item, Turn) else item

    def _falls_behind(self) -> bool:
        """Only now. What was preloaded does not count, and where events are translated there are
        no charts."""
        if self._is_behind or self._translate is not None:
            return False
        return len(self._items) > self._max_items - self._base_items // 2

    def _warning(self) -> Notice:
        text = (
            f"{len(self._items)} messages wait to be read; charts are left out until none does, "
            f"and with more than {self._max_items} the connection is closed. Read faster"
        )
        return Notice(code="reading_slowly", message=text)

    def take(self) -> list[Item]:
        """Everything that waits, maybe nothing."""
        items = list(self._items)
        self._items.clear()
        return items
