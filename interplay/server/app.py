"""The ASGI application: which address leads to which adapter, and the pages for operators.

Knows nothing of how it is run.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from interplay.errors import RequestError
from interplay.server.auth import DEFAULT_SECRET_S, Auth, Visitor
from interplay.server.guard import Guard, error_response
from interplay.server.hub import Hub
from interplay.server.live import LivePrimary, LiveSideband
from interplay.server.page import SUBPROTOCOL, PageConnection
from interplay.server.places import placed
from interplay.server.realtime import BEGIN_S, RealtimeConnection
from interplay.server.realtime_secret import issue
from interplay.server.rtc import Calls
from interplay.server.rtc_live import LiveCall, read_create
from interplay.server.rtc_realtime import RealtimeCall, RealtimeSideband, read_call
from interplay.server.sockets import FINAL, serve_socket
from interplay.server.web_files import WebFiles

STATUS = {
    "unauthorized": 401,
    "forbidden": 403,
    "secret_used": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "unknown_session": 404,
    "body_too_big": 413,
    "sdp_too_big": 413,
    "unsupported_media_type": 415,
    "too_many_sidebands": 429,
    "webrtc_missing": 501,
    **dict.fromkeys(FINAL, 503),
}
SUBPROTOCOLS = (SUBPROTOCOL, "realtime")  # of those offered, the first of these is chosen


class _ExpiresAfter(msgspec.Struct, forbid_unknown_fields=True):
    seconds: int = DEFAULT_SECRET_S
    anchor: Literal["created_at"] = "created_at"


class _SecretRequest(msgspec.Struct, forbid_unknown_fields=True):
    expires_after: _ExpiresAfter = msgspec.field(default_factory=_ExpiresAfter)


class App:
    """The handlers of one server."""

    def __init__(self, hub: Hub, auth: Auth, calls: Calls) -> None:
        self.hub, self.auth, self.calls = hub, auth, calls

    def visit(self, connection: HTTPConnection) -> Visitor:
        """Raises RequestError for somebody unknown."""
        return self.auth.visit(
            connection.headers.get("authorization"), _offered(connection), self.hub.clock.now()
        )

    def trust(self, connection: HTTPConnection) -> Visitor:
        """Raises RequestError for all but holders of a key."""
        visitor = self.visit(connection)
        if not visitor.is_trusted:
            raise RequestError("forbidden", "a key is needed for this, a client secret will not do")
        return visitor

    async def health(self, _request: Request) -> Response:
        alive = self.hub.is_alive
        return JSONResponse({"status": "ok" if alive else "failed"}, 200 if alive else 503)

    async def ready(self, _request: Request) -> Response:
        hub = self.hub
        about = {
            "ready": hub.is_ready,
            "slots_free": hub.num_free,
            "sessions": len(hub.sessions),
            "draining": hub.is_draining,
            "records": hub.record_root is not None,
            "lag_s": round(hub.lag_s, 3),
        }
        return JSONResponse(about, 200 if hub.is_ready else 503)

    async def metrics(self, request: Request) -> Response:
        self.trust(request)
        return Response(self.hub.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def client_secret(self, request: Request) -> Response:
        """A secret for one session, to be handed to a browser."""
        visitor = self.trust(request)
        try:
            wanted = msgspec.json.decode(await request.body() or b"{}", type=_SecretRequest)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise RequestError("invalid_json", str(error)[:200]) from None
        value = self.auth.issue(wanted.expires_after.seconds, self.hub.clock.now(), issuer=visitor)
        expires_at = int(time.time()) + wanted.expires_after.seconds
        return JSONResponse({"value": value, "expires_at": expires_at}, 201)

    async def realtime_secret(self, request: Request) -> Response:
        """The same in the Realtime protocol, whose secrets may settle what the session is like."""
        visitor = self.trust(request)
        return JSONResponse(issue(self.hub, self.auth, await request.body(), visitor))

    async def realtime(self, websocket: WebSocket) -> None:
        visitor = self.visit(websocket)
        if websocket.query_params.get("intent") == "transcription":
            raise RequestError("unsupported_value", "only sessions that talk are served")
        if "call_id" in websocket.query_params:
            return await self._realtime_sideband(websocket, visitor)
        config = visitor.secret.config if visitor.secret else None
        model = websocket.query_params.get("model", "")[:256]
        adapter = RealtimeConnection(self.hub, visitor, config, model=model)
        begins = asyncio.get_running_loop().call_later(BEGIN_S, adapter.begin)
        try:
            await serve_socket(websocket, adapter, self.hub, _chosen(websocket))
        finally:
            begins.cancel()

    async def _realtime_sideband(self, websocket: WebSocket, visitor: Visitor) -> None:
        call = self._call(websocket.query_params["call_id"])
        self._check_observers(len(call.observers))
        adapter = RealtimeSideband(self.hub, visitor, call)
        try:
            await serve_socket(websocket, adapter, self.hub, _chosen(websocket))
        finally:
            adapter.leave()

    async def realtime_call(self, request: Request) -> Response:
        """A session of the Realtime protocol over WebRTC."""
        visitor = self.visit(request)
        visitor.check_may_open()
        wanted = await read_call(request)
        config = wanted.session or (visitor.secret.config if visitor.secret else None)
        call_id = placed("rtc", self.hub.place, secrets.token_hex(12))
        answer = await self.calls.answer(
            wanted.sdp,
            lambda track: RealtimeCall(self.hub, visitor, config, track),
            visitor=visitor,
            rate_hz=RealtimeCall.rate_hz,
            name=call_id,
        )
        place = {"Location": f"/v1/realtime/calls/{call_id}"}
        return Response(answer, 201, place, media_type="application/sdp")

    async def hang_up(self, request: Request) -> Response:
        """End a call, whoever made it."""
        self.trust(request)
        self._call(request.path_params["call_id"]).hang_up()
        return Response(status_code=200)

    def _call(self, call_id: str) -> RealtimeCall:
        """Raises RequestError when there is none that goes on."""
        call = self.calls.find(call_id)
        if not isinstance(call, RealtimeCall) or call.is_over:
            raise RequestError("unknown_session", "there is no such call; it may have ended")
        return call

    async def live(self, websocket: WebSocket) -> None:
        visitor = self.visit(websocket)
        adapter = LivePrimary(self.hub, visitor)
        await serve_socket(websocket, adapter, self.hub, _chosen(websocket))

    async def live_call(self, request: Request) -> Response:
        """A session over WebRTC: its configuration and the offer in, the answer out."""
        visitor = self.visit(request)
        visitor.check_may_open()
        wanted = read_create(await request.body())
        adapter = LiveCall(self.hub, visitor, wanted.session)
        answer = await self.calls.answer(
            wanted.transport.sdp,
            adapter.start,
            visitor=visitor,
            rate_hz=adapter.rate_hz,
            param="transport.sdp",
            has_eyes=adapter.has_eyes,
            permits=adapter.permits,
        )
        transport = {"type": "webrtc", "sdp": answer}
        return JSONResponse({"session": {"id": adapter.about["id"]}, "transport": transport}, 201)

    async def sideband(self, websocket: WebSocket) -> None:
        self.trust(websocket)
        session = self.hub.find(websocket.path_params["session_id"])
        if not session.about:
            raise RequestError("unknown_session", "this session does not speak the Live protocol")
        self._check_observers(len(session.observers))
        wanted = websocket.query_params.get("extensions", "")
        adapter = LiveSideband(self.hub, session, wanted.split(",") if wanted else ())
        await serve_socket(websocket, adapter, self.hub, _chosen(websocket))

    def _check_observers(self, count: int) -> None:
        """Raises RequestError where one more sideband would be too many."""
        if count >= self.hub.limits.sidebands:
            text = f"this session has {count} sidebands, as many as it may have; close one"
            raise RequestError("too_many_sidebands", text)

    async def page(self, websocket: WebSocket) -> None:
        adapter = PageConnection(self.hub, self.visit(websocket))
        await serve_socket(websocket, adapter, self.hub, _chosen(websocket))

    async def no_socket(self, websocket: WebSocket) -> None:
        raise _not_found("WebSocket", websocket.url.path)

    async def refuse(self, error: Exception) -> Response:
        """What becomes of a RequestError outside a conversation."""
        assert isinstance(error, RequestError)
        self.hub.metrics.rejects.labels(error.code).inc()
        return error_response(error, STATUS.get(error.code, 400))

    async def refuse_address(self, request: Request, error: Exception) -> Response:
        """What becomes of a request that leads nowhere."""
        assert isinstance(error, HTTPException)
        method, path = request.method, request.url.path
        if error.status_code != 405:
            return await self.refuse(_not_found(method, path))
        allowed = (error.headers or {}).get("Allow", "")
        text = f"{method} is not possible for {path[:80]!r}; use {allowed}"
        response = await self.refuse(RequestError("method_not_allowed", text))
        response.headers["Allow"] = allowed
        return response


def _not_found(method: str, path: str) -> RequestError:
    text = f"{method} {path[:80]!r} is not served here; docs/protocol.md lists what is"
    return RequestError("not_found", text)


def make_app(hub: Hub, auth: Auth, calls: Calls, names: Iterable[str] = ()) -> Starlette:
    """names: by which the server may be called, beside localhost and addresses."""
    app, web = App(hub, auth, calls), WebFiles()

    async def refuse(connection: HTTPConnection, error: Exception) -> Response | None:
        response = await app.refuse(error)
        if not isinstance(connection, WebSocket):
            return response
        await connection.send_denial_response(response)

    handlers: dict[Any, Any] = {RequestError: refuse, HTTPException: app.refuse_address}
    return Starlette(
        routes=[
            Route("/", web.index),
            Route("/web/{path:path}", web.file),
            Route("/healthz", app.health),
            Route("/readyz", app.ready),
            Route("/metrics", app.metrics),
            Route("/v1/client_secrets", app.client_secret, methods=["POST"]),
            Route("/v1/live/sessions", app.live_call, methods=["POST"]),
            WebSocketRoute("/v1/live/sessions", app.live),
            WebSocketRoute("/v1/live/sessions/{session_id}/attach", app.sideband),
            Route("/v1/realtime/client_secrets", app.realtime_secret, methods=["POST"]),
            Route("/v1/realtime/calls", app.realtime_call, methods=["POST"]),
            Route("/v1/realtime/calls/{call_id}/hangup", app.hang_up, methods=["POST"]),
            WebSocketRoute("/v1/realtime", app.realtime),
            WebSocketRoute("/v1/page", app.page),
            WebSocketRoute("/{path:path}", app.no_socket),
        ],
        middleware=[
            Middleware(Guard, names=[*names], metrics=hub.metrics),
            Middleware(CORSMiddleware, **_cross_origin(names)),
        ],
        exception_handlers=handlers,
    )


def _cross_origin(names: Iterable[str]) -> dict[str, Any]:
    """Pages under the names may POST, as they may open WebSockets; the guard refuses all others."""
    hosts = "|".join(re.escape(name.lower()) for name in names)
    return {
        "allow_origin_regex": rf"(?i)https?://({hosts})(:\d+)?" if hosts else None,
        "allow_methods": ["POST"],
        "allow_headers": ["*"],  # SDKs say in headers of their own who they are
        "expose_headers": ["Location", "Retry-After"],
    }


def _offered(connection: HTTPConnection) -> list[str]:
    offered = connection.headers.get("sec-websocket-protocol", "")
    return [protocol.strip() for protocol in offered.split(",")]


def _chosen(websocket: WebSocket) -> str | None:
    offered = _offered(websocket)
    return next((protocol for protocol in SUBPROTOCOLS if protocol in offered), None)
