"""Functions of a Realtime client: called by a background model that can, answered, deleted."""

from interplay.background.broker import Broker
from interplay.background.contract import TOO_LATE, FunctionCall, Result
from interplay.server.limits import Limits
from interplay.turns.tokens import END, RESULT
from tests.realtime_helpers import ASK, QUESTION, TOKENIZER, Client, talker
from tests.responses_helpers import Backend
from tests.server_helpers import kinds, make_hub, only

BOOK = {
    "type": "function",
    "name": "book",
    "parameters": {
        "type": "object",
        "properties": {"day": {"type": "string"}, "guests": {"type": "integer"}},
        "required": ["day", "guests"],
    },
}
CALL = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def with_backend(**session) -> tuple[Client, Backend]:
    backend = Backend()
    return talker(make_hub(delegations=lambda: Broker(backend)), **session), backend


def wants(backend: Backend, *names: str, number: int = 0) -> None:
    calls = [FunctionCall(id=f"c{name}", name=name, arguments='{"a":1}') for name in names]
    backend.ready = [Result(delegation_id=number, status=None, urgency="silent", calls=calls)]


def calls_in(messages: list[dict]) -> list[dict]:
    done = only(messages, "response.output_item.done")
    return [m["item"] for m in done if m["item"]["type"] == "function_call"]


def output(client: Client, call_id: str, text: str) -> list[dict]:
    item = {"type": "function_call_output", "call_id": call_id, "output": text}
    return client.send("conversation.item.create", item=item)


def read_tokens(client: Client) -> list[int]:
    tokens: list[int] = []
    while client.session.seat.num_waiting:
        tokens += client.session.seat.collect().half.read
    return tokens


def test_a_background_model_calls_any_function_and_its_answer_is_the_result():
    client, backend = with_backend(instructions="be short", tools=[ASK, BOOK])
    settings = backend.settings
    assert [function["name"] for function in settings.functions] == ["ask", "book"]
    assert settings.functions[1]["parameters"] == BOOK["parameters"]
    assert (settings.instructions, settings.function_choice) == ("be short", None)
    assert client.turn(act=QUESTION) == [], "the work is the backend's"
    assert backend.begun == [(0, "six")]
    wants(backend, "book", "ask")
    messages = client.turn()
    assert kinds(messages) == [*CALL, *CALL]
    one, two = calls_in(messages)
    assert (one["name"], one["arguments"], one["status"]) == ("book", '{"a":1}', "completed")
    assert len({one["call_id"], two["call_id"], "cbook", "cask"}) == 4
    output(client, one["call_id"], '"done"')
    assert backend.given == [], "another call is still open"
    output(client, two["call_id"], "")
    client.send("response.create")
    assert backend.given == [(0, {"cbook": '"done"', "cask": ""})], "as the client wrote it"
    assert read_tokens(client) == [], "not for the model that talks"
    backend.ready = [Result(delegation_id=0, content="ten")]
    client.turn()
    assert read_tokens(client) == [RESULT, *TOKENIZER.encode("ten"), END]
    late = output(client, one["call_id"], "again")
    assert kinds(late) == ["conversation.item.added", "conversation.item.done"], "no error"
    unknown = {"type": "function_call_output", "call_id": "call_x", "output": "ten"}
    assert client.refused("conversation.item.create", item=unknown)["code"] == "unknown_call"


def test_the_choice_of_functions_is_the_clients_and_nothing_is_remarked_on():
    client, backend = with_backend()
    session = client.update(tools=[ASK, BOOK], tool_choice="required")
    assert session["tool_choice"] == "required" and "interplay" not in session
    assert backend.settings.function_choice == "required"
    client.update(tool_choice={"type": "function", "name": "book"})
    assert backend.settings.function_choice == "book"
    client.update(tool_choice="none")
    assert (backend.settings.functions, backend.settings.function_choice) == ([], None)
    client.update(tool_choice="auto", tools=[])
    assert backend.settings.functions == []


def test_cancelling_a_response_keeps_the_work_and_deleting_its_call_ends_it():
    client, backend = with_backend(tools=[BOOK])
    client.turn(act=QUESTION)
    wants(backend, "book")
    (call,) = calls_in(client.turn())
    client.send("response.create")
    client.send("response.cancel")
    assert backend.cancelled == []
    (deleted,) = client.send("conversation.item.delete", item_id=call["id"])
    assert deleted["type"] == "conversation.item.deleted"
    assert backend.cancelled == [0]
    client.turn()
    count = client.hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "cancelled"}) == 1
    assert client.refused("conversation.item.delete", item_id=call["id"])["code"] == "unknown_item"


def test_deleting_a_call_that_the_client_does_ends_it_and_a_late_output_is_context():
    client = talker(make_hub(), tools=[ASK])
    (call,) = calls_in(client.turn(act=QUESTION))
    client.send("response.create")
    client.send("response.cancel")
    count = client.hub.metrics.registry.get_sample_value
    assert count("im_delegations_inflight") == 1
    client.send("conversation.item.delete", item_id=call["id"])
    assert count("im_delegations_inflight") == 0
    output(client, call["call_id"], "ten")
    assert read_tokens(client) == [*TOKENIZER.encode("ten"), END]


def test_a_call_without_an_output_fails_in_time_and_both_sides_are_told():
    client = talker(make_hub(limits=Limits(answer_s=1.0)), tools=[ASK])
    (call,) = calls_in(client.turn(act=QUESTION))
    (updated,) = only(client.quiet(5), "session.updated")
    (remark,) = updated["session"]["interplay"]["remarks"]
    assert remark["code"] == "delegation_expired" and call["call_id"] in remark["message"]
    assert read_tokens(client) == [RESULT, *TOKENIZER.encode(TOO_LATE), END]
    late = output(client, call["call_id"], "ten")
    assert kinds(late) == ["conversation.item.added", "conversation.item.done"]
    assert read_tokens(client) == [*TOKENIZER.encode("ten"), END]
