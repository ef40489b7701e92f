"""What the openai SDK's types let clients send: every event and every field of it is known to the
server, which serves it or says by name that it cannot; and what the server sends fits its types.
"""

import json
from collections.abc import Iterator
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
import pytest
from openai.types.live.client_event_param import ClientEventParam
from openai.types.live.connect_server_event import ConnectServerEvent
from openai.types.live.function_tool_param import FunctionToolParam
from openai.types.live.server_event import ServerEvent
from openai.types.realtime.client_secret_create_params import ClientSecretCreateParams
from openai.types.realtime.realtime_client_event_param import RealtimeClientEventParam
from openai.types.responses.response_input_item_param import FunctionCallOutput
from pydantic import ConfigDict, TypeAdapter

from interplay.server import live_wire, realtime_secret, realtime_wire
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary, LiveSideband
from interplay.turns.tokens import DELEGATE, END
from tests.server_helpers import advanced, b64, client, kinds, loaded, make_hub, pcm, received, send

TOKENIZER = loaded().tokenizer
UNKNOWN_ITEMS = {"mcp_approval_request", "mcp_approval_response", "mcp_call", "mcp_list_tools"}


def bare(kind: Any) -> Any:
    return (
        bare(get_args(kind)[0]) if get_origin(kind) in (Required, NotRequired, Annotated) else kind
    )


def structures(kind: Any) -> list[Any]:
    """The TypedDicts or Structs that a type may be, in lists and unions, too."""
    kind = bare(kind)
    if hasattr(kind, "__total__") or hasattr(kind, "__struct_fields__"):
        return [kind]
    if get_origin(kind) is dict:
        return []
    return [found for inner in get_args(kind) for found in structures(inner)]


def tags(theirs: Any) -> tuple[str, ...]:
    """The values of its `type`."""
    kind = bare(get_type_hints(theirs, include_extras=True).get("type"))
    return get_args(kind) if get_origin(kind) is Literal else ()


def unknown(theirs: Any, ours: Any, place: str, seen: set) -> Iterator[str]:
    """Fields of a TypedDict that a Struct of ours would refuse without knowing them."""
    is_lenient = not ours.__struct_config__.forbid_unknown_fields
    if (theirs, ours) in seen or is_lenient:
        return
    seen.add((theirs, ours))
    known = {field.encode_name: field.type for field in msgspec.structs.fields(ours)}
    known[ours.__struct_config__.tag_field or "type"] = None
    for name, kind in get_type_hints(theirs, include_extras=True).items():
        if name not in known:
            yield f"{place}.{name}"
            continue
        mine = structures(known[name])
        for other in structures(kind) if mine else ():
            fitting = [one for one in mine if len(mine) == 1 or fits(one, other)]
            if not fitting:
                yield f"{place}.{name}: {' '.join(tags(other))}"
            for one in fitting:
                yield from unknown(other, one, f"{place}.{name}", seen)


def fits(ours: Any, theirs: Any) -> bool:
    return ours.__struct_config__.tag in tags(theirs)


@pytest.mark.parametrize(
    ("events", "reader", "excused"),
    [
        (RealtimeClientEventParam, realtime_wire.READER, UNKNOWN_ITEMS),
        (ClientEventParam, live_wire.READER, set()),
    ],
)
def test_every_event_of_the_sdk_and_every_field_of_it_is_known(events, reader, excused):
    wire = realtime_wire if reader is realtime_wire.READER else live_wire
    structs = {kind.__struct_config__.tag: kind for kind in structures(wire.ClientEvent)}
    theirs = {tag: kind for kind in structures(events) for tag in tags(kind)}
    assert len(theirs) > 10 and set(theirs) <= set(structs) | set(reader.unsupported)
    seen: set = set()
    for tag in set(theirs) & set(structs):
        for place in unknown(theirs[tag], structs[tag], tag, seen):
            assert place.rpartition(" ")[2] in excused, place
    assert len(seen) > 15, "the walk has found the structures inside"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (FunctionToolParam, live_wire.FunctionTool),
        (FunctionCallOutput, live_wire.CallOutput),
        (ClientSecretCreateParams, realtime_secret._Request),
    ],
)
def test_what_travels_inside_of_events_and_requests_is_known_too(theirs, ours):
    found = [*unknown(theirs, ours, "", set())]
    assert all(place.startswith(".output.") for place in found), "only text comes of a call"


LATER = ConfigDict(defer_build=True)  # with the first event, not while tests are collected
EVENT, SIDE_EVENT = (TypeAdapter(kind, config=LATER) for kind in (ServerEvent, ConnectServerEvent))


def check(messages: list[dict], types: TypeAdapter) -> list[str]:
    """Each is what the SDK knows, without a field more; what kinds there were."""
    for message in messages:
        parsed = types.validate_python(message, strict=True)
        extra = set(message) - set(type(parsed).model_fields)
        assert extra <= {"event_id"}, (message["type"], extra)
    return kinds(messages)


def turn(adapter: LivePrimary, **streams: Any) -> None:
    assert adapter.session
    adapter.session.advance(advanced(adapter.session, **streams), 1.0)


@pytest.mark.parametrize("name", ["audio/pcm", "audio/pcmu"])
def test_without_extensions_every_live_event_is_one_of_the_sdk(name):
    hub = make_hub(limits=Limits(outbox_items=400, close_s=0.0))
    adapter = client(hub, instructions="be kind", audio={"format": {"type": name}})
    assert adapter.session
    side = LiveSideband(hub, adapter.session)
    send(adapter, "session.input_audio.append", audio=b64(pcm(0.1)))
    words = {stream: tuple(TOKENIZER.encode("ten")) for stream in ("heard", "say")}
    turn(adapter, speaks=True, act=(DELEGATE, *TOKENIZER.encode("six"), END), **words)
    for _ in range(75):
        turn(adapter)
    for kind in ("mute", "unmute"):
        send(adapter, f"session.input_audio.{kind}", event_id="e")
    for kind in ("instructions", "thinking", "commentary"):
        send(adapter, f"session.{kind}.append", content="ten", delegation_id=None)
    send(adapter, "session.update", session={"delegation": {"type": "client"}})
    hub.drain()
    hub.close(adapter.session, "drained", "this server stops")
    told, reflected = check(received(adapter), EVENT), check(received(side), SIDE_EVENT)
    assert {"session.started", "session.usage.updated", "session.updated", "info"} <= set(told)
    assert told[-2:] == ["error", "session.closed"] == reflected[-2:]
    assert "session.input_audio.append" in reflected
    with pytest.raises(AssertionError, match="turn"):
        check([json.loads(adapter._event("session.input_audio.muted", {"turn": 1}))], EVENT)
