"""Items that a Realtime client creates before its session's time begins: the conversation that the
session goes on from, as after a lost connection. Knows nothing of messages or sessions.
"""

from collections import deque

from interplay.server.history import Told


class History:
    """The newest `max_items`. is_open: time has not begun.

    In this protocol a text of the user is answered when the client asks for a response. So the
    last ones are typed text when that comes next, and else only what was said before.
    """

    def __init__(self, max_items: int) -> None:
        self.is_open = True
        self._told: deque[Told] = deque(maxlen=max_items)
        self._typed: list[str] = []

    def add(self, role: str, text: str, *, is_typed: bool = False) -> None:
        """One more. is_typed: the user may want it answered."""
        self._told.append(Told(role, text))
        self._typed = [*self._typed, text] if is_typed else []

    def told(self, *, is_asked: bool) -> list[Told]:
        """Oldest first. is_asked: a response was asked for, so the texts that it is to answer are
        left out."""
        num_typed = len(self._typed) if is_asked else 0
        return [*self._told][: max(0, len(self._told) - num_typed)]

    def take_typed(self) -> list[str]:
        """The texts to be answered, once; after another item there are none."""
        typed, self._typed = self._typed, []
        return typed
