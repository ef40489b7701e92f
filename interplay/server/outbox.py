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
    """A queue for one reader. Nothing is dropped from its middle: a reader who lets more than
    `max_items` wait loses the connection (`overflow` is set).

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

    def put(self, item: Item) -> None:
        for each in self._translated(item):
            self._add(each)

    def _translated(self, item: Item) -> Sequence[Item]:
        if self._translate is None or not isinstance(item, Turn | UserSound | Notice | Ended):
            return [item]
        try:
            return self._translate(item)
        except Exception:
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
        """The oldest item; sleeps while there is none."""
        while not self._items:
            self._has_news.clear()
            await self._has_news.wait()
        self._max_items = max(self._base_items, self._max_items - 1)
        return self._items.popleft()

    def take(self) -> list[Item]:
        """Everything that waits, maybe nothing."""
        items = list(self._items)
        self._items.clear()
        return items
