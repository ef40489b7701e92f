"""What is refused before anybody looks at it: foreign hosts, foreign origins, large bodies.

WebSockets are not covered by the browsers' same-origin rule, and a name that an attacker owns can
be made to point to 127.0.0.1; so a page of somebody else is recognised by its `Origin`, and a
rebound name by `Host`. Knows nothing of sessions or keys.
"""

import ipaddress
import math
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interplay.errors import RequestError
from interplay.server.limits import MAX_BODY_BYTES
from interplay.server.metrics import Metrics

PUBLIC = "/web/"


def is_loopback(host: str) -> bool:
    """Whether a bind address is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware. names: by which this server may be called, beside localhost and bare
    addresses (which no name can be rebound to), and whose pages may use it."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str], metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self.names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            self.check(Headers(scope=scope), is_public=_is_public(scope))
        except RequestError as error:
            self.metrics.rejects.labels(error.code).inc()
            await error_response(error, 403)(scope, receive, send)
            return
        await self.app(scope, _Bounded(receive) if scope["type"] == "http" else receive, send)

    def check(self, headers: Headers, *, is_public: bool = False) -> None:
        """Raises RequestError for a foreign host or origin. is_public: a frame without an origin
        may have it, too."""
        host = headers.get("host", "")
        name, _ = _place(f"//{host}")
        if not (is_address(name) or name in {"localhost", *self.names}):
            raise RequestError(
                "foreign_host",
                f"this server is not known as {host[:80]!r}; name it with --allow",
            )
        origin = headers.get("origin")
        if origin is None or (is_public and origin == "null"):
            return
        page, place = _place(origin)
        if place == host.lower() or page in self.names:
            return
        raise RequestError(
            "foreign_origin",
            f"pages of {origin[:80]!r} may not use this server; name their host with --allow",
        )


def _is_public(scope: Scope) -> bool:
    """Files of the page, the same for everybody: charts are drawn in a frame without origin."""
    return scope["type"] == "http" and scope["path"].startswith(PUBLIC)


class _Bounded:
    """A request body that ends with an error when it is too long."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._num_bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._num_bytes += len(message.get("body", b""))
        if self._num_bytes > MAX_BODY_BYTES:
            raise RequestError("body_too_big", f"a body may have {MAX_BODY_BYTES} bytes at most")
        return message


def _place(url: str) -> tuple[str, str]:
    """Name alone and name with port of a URL, both "" when it is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.netloc.lower()
    except ValueError:
        return "", ""


def error_body(error: RequestError) -> dict:
    """The form in which every protocol here reports an error."""
    kinds = {"unauthorized": "authentication_error", "rate_limited": "rate_limit_error"}
    body = {
        "type": kinds.get(error.code, "invalid_request_error"),
        "code": error.code,
        "message": str(error),
        "param": error.param,
    }
    if error.retry_after_s is not None:
        body["retry_after_s"] = round(error.retry_after_s, 3)
    return body


def error_response(error: RequestError, status: int) -> JSONResponse:
    """For HTTP, and for a WebSocket that is not accepted."""
    wait_s = error.retry_after_s
    headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
    return JSONResponse({"error": error_body(error)}, status, headers)
