"""Which of several servers somebody means: ids, tokens and client secrets begin with the place of
the server that gave them out.

Knows nothing of how servers are found or of what the ids stand for.
"""

import re
from urllib.parse import parse_qs

KINDS = ("live", "rt", "rtc", "ek")
FREE = "slots_free"  # what a server says of itself to whoever places new sessions
PLACED = re.compile(rf"\b(?:{'|'.join(KINDS)})_([a-z0-9]{{1,32}})\.")
PLACE = re.compile("[a-z0-9]{1,32}")


def placed(kind: str, place: str, rest: str) -> str:
    """An id or secret. place: "" for a server that is alone."""
    return f"{kind}_{place}.{rest}" if place else f"{kind}_{rest}"


def place_of(path: str, query: str, headers: dict[str, str]) -> str:
    """The place that a request means, "" when any will do: by `?replica=`, by a session in its
    path, a call in `?call_id=`, or a client secret in its headers, whose names are lower case."""
    asked = parse_qs(query[:1000])
    named, call = (asked.get(name, [""])[0] for name in ("replica", "call_id"))
    if PLACE.fullmatch(named):
        return named
    secrets = (headers.get("authorization", ""), headers.get("sec-websocket-protocol", ""))
    return next(filter(None, map(place_in, (path, call, *secrets))), "")


def place_in(text: str) -> str:
    """The place that an id, a token or a secret in the text names, "" for none."""
    found = PLACED.search(text)
    return found.group(1) if found else ""
