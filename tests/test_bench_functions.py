"""Functions that items offer: declared to servers, called by them, answered and scored."""

import json

import numpy as np
import pytest
import soundfile
from bench_helpers import beep
from pretend_helpers import pretender
from websockets.asyncio.server import ServerConnection

from interplay.background.broker import Broker
from interplay.background.contract import FunctionCall, Result
from interplay.bench.clients.conversation import Ears, play_remote
from interplay.bench.clients.live import LIVE_WIRES, LiveWire
from interplay.bench.clients.realtime import REALTIME_WIRES, RealtimeWire
from interplay.bench.playing.functions import Functions, declared, read_functions, results
from interplay.bench.playing.stage import Stage
from interplay.bench.suites import fdb3
from interplay.data.item import Item
from interplay.errors import DeviceError, RecordError, UnsupportedError
from interplay.server.auth import Visitor
from interplay.server.live import LivePrimary
from tests.realtime_helpers import QUESTION, Client
from tests.responses_helpers import Backend
from tests.server_helpers import advanced, make_hub, obey, received

FLIGHT = "$RESULT_0.flights[1].flight_id"
CALLS = [
    {"function": "search_flights", "args": {"destination": "London", "max_price": 300}},
    {"function": "book_flight", "args": {"flight_id": FLIGHT, "passenger": "Ann"}},
]
RIGHT = [("search_flights", '{"destination": "london", "max_price": 300}'),
         ("book_flight", '{"flight_id": "flight_id-1", "passenger": "Ann"}')]  # fmt: skip
WRONG = [RIGHT[0], ("book_flight", '{"flight_id": "x", "passenger": "Bob"}')]


@pytest.fixture
def item(tmp_path) -> Item:
    """An official request that lasts a second, its answer two."""
    folder = tmp_path / "01_anna"
    folder.mkdir()
    soundfile.write(folder / "input.wav", np.full(9600, 0.25), 48_000)
    data = {"id": "01", "difficulty": "medium", "expected_tool_calls": CALLS}
    (folder / "metadata.json").write_text(json.dumps(data))
    [found] = fdb3.load(tmp_path, None)
    return Item(**{**vars(found), "length_s": 2.0})


def passed(trace) -> float | None:
    [outcome] = fdb3.SUITE.score([trace])["fdb3_pass1"]
    return outcome.value


# Declarations and results


def test_functions_are_declared_from_all_calls_that_the_data_expects():
    other = {"function": "search_flights", "args": {"destination": "Rome", "max_price": 99.5}}
    third = {"function": "search_flights", "args": {"destination": "Bonn", "direct": True}}
    book, search = declared([*CALLS, other, third])
    assert (search["type"], search["name"]) == ("function", "search_flights")
    assert search["parameters"] == {
        "type": "object",
        "properties": {
            "destination": {"type": "string"},
            "direct": {"type": "boolean"},
            "max_price": {"type": "number"},
        },
        "required": ["destination"],
    }
    assert book["parameters"]["properties"]["flight_id"] == {}, "a reference has no type"
    assert book["parameters"]["required"] == ["flight_id", "passenger"]


def test_a_result_holds_what_a_later_call_refers_to():
    given = results(CALLS)
    search = {"status": "success", "flights": [{}, {"flight_id": "flight_id-1"}]}
    assert given == {"search_flights": [search], "book_flight": [{"status": "success"}]}
    odd = [{"function": "a", "args": {"x": "$RESULT_9.y", "z": "$RESULT_0", "w": "$ 5"}}]
    assert results(odd) == {"a": [{"status": "success"}]}, "what refers to nothing asks for nothing"
    offered = Functions({"results": {"a": [1, 2]}})
    assert [offered.result(name) for name in "aaab"] == ["1", "2", "2", '{"status": "success"}']


def test_declarations_beside_the_data_are_taken_instead(tmp_path):
    nested = {"type": "function", "function": {"name": "a", "description": "does a"}}
    (tmp_path / "functions.json").write_text(json.dumps([nested, {"name": "b_c"}]))
    one, two = read_functions(tmp_path, CALLS)
    assert (one["name"], one["description"]) == ("a", "does a")
    assert (two["name"], two["description"]) == ("b_c", "b c.")
    for text in ("{}", "[]", "[1]", '[{"description": "x"}]', '[{"function": 3}]', "nothing"):
        (tmp_path / "functions.json").write_text(text)
        with pytest.raises(RecordError, match=r"functions\.json") as error:
            read_functions(tmp_path, CALLS)
        assert "\n" not in str(error.value)


# The two ends, without a socket: our own servers


def ears_of(wire, item: Item) -> Ears:
    return Ears(Stage(item, beep), wire)


def wish(backend: Backend, calls) -> None:
    made = [FunctionCall(id=name, name=name, arguments=args) for name, args in calls]
    backend.ready = [Result(delegation_id=0, status=None, urgency="silent", calls=made)]


@pytest.mark.parametrize(("calls", "value"), [(RIGHT, 1), (WRONG, 0), (RIGHT[:1], 0)])
@pytest.mark.parametrize("kind", ["live", "realtime"])
def test_calls_of_a_background_model_are_answered_and_scored(item, kind, calls, value):
    backend = Backend()
    hub = make_hub(delegations=lambda: Broker(backend))
    if kind == "live":
        wire, server = LiveWire(extensions=True), LivePrimary(hub, Visitor())

        def advance(act) -> None:
            assert server.session
            server.session.advance(advanced(server.session, act=tuple(act)), 1.0)
    else:
        wire, client = RealtimeWire(), Client(hub)
        server = client.adapter

        def advance(act) -> None:
            kept.extend(client.turn(act=act))

    ears, kept = ears_of(wire, item), []
    for message in wire.opening(item):
        obey(server, message)
    kept += received(server)
    assert any(wire.is_open(event) for event in kept)
    if kind == "realtime":
        kept += client.begin()
    names = [function["name"] for function in backend.settings.functions]
    assert names == ["book_flight", "search_flights"]
    for round_ in ([], *([call] for call in calls), []):
        if round_:
            wish(backend, round_)
        advance(() if backend.begun else QUESTION)
        for event in [*kept, *received(server)]:
            assert event["type"] != "error", event
            for message in wire.take(event, ears):
                obey(server, message)
        kept.clear()
    assert [name for _, given in backend.given for name in given] == [name for name, _ in calls]
    first = json.loads(backend.given[0][1]["search_flights"])
    assert first["flights"][1] == {"flight_id": "flight_id-1"}
    assert passed(ears.trace()) == value


# Servers that follow a script


def realtime_script(calls, told: list[dict]):
    """Calls one function after the other, each when the one before it has been answered and a
    response is wanted."""

    async def send(connection: ServerConnection, kind: str, **fields) -> None:
        await connection.send(json.dumps({"type": kind, **fields}))

    async def answer(connection: ServerConnection) -> None:
        told.append(json.loads(await connection.recv()))
        await send(connection, "session.updated")
        waiting = list(enumerate(calls))
        async for message in connection:
            event = json.loads(message)
            if event["type"] != "input_audio_buffer.append":
                told.append(event)
            if waiting and (len(told) == 1 or event["type"] == "response.create"):
                index, (name, arguments) = waiting.pop(0)
                call = {"type": "function_call", "call_id": f"c{index}", "name": name}
                await send(connection, "response.output_item.added", item=call)
                done = {"call_id": f"c{index}", "arguments": arguments}  # GA servers name it, too
                await send(connection, "response.function_call_arguments.done", **done)
                await send(connection, "response.done")
                told.append({"type": "called"})

    return answer


def test_a_realtime_server_calls_what_is_declared_and_goes_on_from_what_it_gets(item):
    told: list[dict] = []
    with pretender(realtime_script(RIGHT, told)) as address:
        [trace] = play_remote(address, REALTIME_WIRES, [item], beep)
    assert passed(trace) == 1 and trace.errors == ()
    tools = told[0]["session"]["tools"]
    assert [tool["name"] for tool in tools] == ["book_flight", "search_flights"]
    created = [event["item"] for event in told if event["type"] == "conversation.item.create"]
    assert [each["call_id"] for each in created] == ["c0", "c1"]
    assert json.loads(created[0]["output"])["flights"][1]["flight_id"] == "flight_id-1"
    assert [event["type"] for event in told].count("response.create") == 2
    [tool] = fdb3.SUITE.score([trace])["fdb3_tool_latency_s"]
    assert tool.value is not None and -0.8 < tool.value < 0.5, "it called at the first sound"


def test_wrong_arguments_and_arguments_that_are_no_json_do_not_pass(item):
    for calls in (WRONG, [RIGHT[0], ("book_flight", "oops")]):
        wire = RealtimeWire()
        wire.opening(item)
        ears = ears_of(wire, item)
        for name, arguments in calls:
            event = {"call_id": name, "name": name, "arguments": arguments}
            wire.take({"type": "response.function_call_arguments.done", **event}, ears)
        [outcome] = fdb3.SUITE.score([ears.trace()])["fdb3_pass1"]
        assert (outcome.value, outcome.notes) == (0, ("wrong_arguments",))


async def refuse(connection: ServerConnection) -> None:
    event = json.loads(await connection.recv())
    assert event["session"]["delegation"]["type"] == "responses"
    error = {"message": "there is no background model"}
    await connection.send(json.dumps({"type": "error", "error": error}))
    await connection.wait_closed()


def test_a_server_that_can_call_nothing_is_not_scored_in_silence(item):
    with (
        pretender(refuse) as address,
        pytest.raises(DeviceError, match="refused a session: there is no background model"),
    ):
        list(play_remote(address, LIVE_WIRES, [item], beep))
    with pytest.raises(UnsupportedError, match=r"refused session\.update"):
        RealtimeWire(tells=False).opening(item)
