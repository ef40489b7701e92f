"""What of a client's message is too slow for the event loop: decoding a picture.

Knows nothing of pictures or protocols.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Later:
    """The rest of a message, which is obeyed once that is done; until then the messages behind it
    on the same connection wait.

    work(): runs on another thread. then(result): takes what it returned, on the event loop. What
    either of them raises as RequestError is the answer to the message.
    """

    work: Callable[[], Any]
    then: Callable[[Any], object]

    def finish(self) -> None:
        """Both at once, for those who can wait."""
        self.then(self.work())
