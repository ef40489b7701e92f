"""Client secrets of the Realtime protocol: for one session, settled in advance. Knows nothing of
HTTP.
"""

import time
from typing import Any, Literal

import msgspec

from interplay.errors import RequestError
from interplay.server.auth import DEFAULT_SECRET_S, Auth, Visitor
from interplay.server.delegations import calls_functions
from interplay.server.hub import Hub
from interplay.server.json_events import invalid
from interplay.server.realtime_items import new_id
from interplay.server.realtime_settings import Settings, describe, updated
from interplay.server.realtime_wire import SessionConfig
from interplay.server.served import encode_text


class _ExpiresAfter(msgspec.Struct, forbid_unknown_fields=True):
    seconds: int = DEFAULT_SECRET_S
    anchor: Literal["created_at"] = "created_at"


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    expires_after: _ExpiresAfter = msgspec.field(default_factory=_ExpiresAfter)
    session: SessionConfig = msgspec.field(default_factory=SessionConfig)


def issue(hub: Hub, auth: Auth, body: bytes, issuer: Visitor | None = None) -> dict[str, Any]:
    """The answer to a request for a secret: `value`, `expires_at` and the session it will open.

    Raises RequestError for a lifetime or a session that cannot be had.
    """
    try:
        wanted = msgspec.json.decode(body or b"{}", type=_Request)
    except msgspec.ValidationError as error:
        raise invalid("invalid_value", str(error)) from None
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise RequestError("invalid_json", str(error)[:200]) from None
    model: str = hub.engine.facts["model"]
    before = Settings(has_caller=calls_functions(hub.delegations))
    settings, remarks = updated(before, wanted.session, model)
    text, param = settings.instructions, "session.instructions"
    encode_text(hub.tokenizer, text, hub.limits.waiting_tokens, param)
    seconds = wanted.expires_after.seconds
    value = auth.issue(seconds, hub.clock.now(), wanted.session, issuer)
    session = describe(
        settings,
        session_id=new_id("sess"),
        model=model,
        expires_at=int(time.time() + hub.limits.session_s),
        remarks=remarks,
    )
    return {"value": value, "expires_at": int(time.time()) + seconds, "session": session}
