"""A conversation that a Realtime client brings along: what is told before time begins is history,
and read aloud only when an answer to it is asked for.
"""

import pytest

from interplay.background.broker import Broker
from interplay.clock import TURNS_PER_S
from interplay.server.history import Told, beginning
from interplay.server.limits import Limits
from interplay.turns.tokens import END, TEXT, Tokenizer
from tests.realtime_helpers import ASK, ONE, QUESTION, SIX, TEN, TOKENIZER, Client, talker
from tests.responses_helpers import Backend
from tests.server_helpers import kinds, make_hub, only, refused

CREATED = ["conversation.item.added", "conversation.item.done"]


def message(role: str, text: str, **about) -> dict:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"type": "message", "role": role, "content": content, **about}


def connected(**kwargs) -> Client:
    client = Client(make_hub(**kwargs))
    client.read()
    return client


def tell(client: Client, *items: dict) -> None:
    """One item after the other, each behind the one before, as LiveKit does it."""
    before = "root"
    for item in items:
        added, done = client.send("conversation.item.create", item=item, previous_item_id=before)
        assert kinds([added, done]) == CREATED
        before = added["item"]["id"]


def read_tokens(client: Client) -> list[int]:
    tokens: list[int] = []
    while client.session.seat.num_waiting:
        tokens += client.session.seat.collect().half.read
    return tokens


CALL = {"type": "function_call", "name": "ask", "call_id": "call_9", "arguments": '{"a": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_9", "output": '"ten"'}
BEFORE = [message("user", "one"), CALL, OUTPUT, message("assistant", "six")]


def test_a_conversation_from_before_is_the_beginning_and_nothing_of_it_is_read_aloud():
    client = connected()
    client.update(instructions="be kind", tools=[ASK])
    tell(client, *BEFORE)
    assert client.adapter.session is None, "time has not begun"
    client.begin()
    assert client.session.seat.prefix == "be kind\nuser: one\ntool: ten\nassistant: six"
    assert read_tokens(client) == []
    (call,) = client.send("conversation.item.retrieve", item_id=last_call(client))
    assert {name: call["item"][name] for name in CALL} == CALL


def last_call(client: Client) -> str:
    items = client.adapter._conversation._items.values()
    return next(item.id for item in items if item.kind == "function_call")


def test_what_the_user_typed_last_is_answered_when_the_client_asks():
    client = connected()
    tell(client, *BEFORE, message("user", "ten"), message("user", "six"))
    (created,) = client.send("response.create")
    assert created["type"] == "response.created"
    assert client.session.seat.prefix.endswith("assistant: six"), "what is answered is no history"
    assert read_tokens(client) == [TEXT, *TEN, END, TEXT, *SIX, END]


def test_the_client_may_ask_after_time_has_begun_but_not_after_another_item():
    client = connected()
    tell(client, message("user", "ten"))
    client.begin()
    assert client.session.seat.prefix == "user: ten" and read_tokens(client) == []
    client.send("response.create")
    assert read_tokens(client) == [TEXT, *TEN, END]
    client.send("response.create")
    assert read_tokens(client) == [], "once"
    other = connected()
    tell(other, message("user", "ten"))
    other.begin()
    other.send("conversation.item.create", item=message("system", "six"))
    other.send("response.create")
    assert read_tokens(other) == [*SIX, END]


def test_of_a_long_conversation_the_newest_fits_and_the_client_is_told():
    client = connected(limits=Limits(waiting_tokens=20, append_tokens=8))
    client.update(instructions="be kind")
    tell(client, *(message("user", f"{word} ten ten ten") for word in ("one", "two", "six")))
    (updated, *_) = client.begin()
    (remark,) = updated["session"]["interplay"]["remarks"]
    assert (updated["type"], remark["code"]) == ("session.updated", "history_cut")
    lines = client.session.seat.prefix.split("\n")
    assert lines[0] == "be kind" and lines[-1] == "user: six ten ten ten"
    assert f"oldest {3 - (len(lines) - 1)} messages" in remark["message"]
    assert len(TOKENIZER.encode(client.session.seat.prefix)) <= 20


def test_a_text_that_is_too_long_to_be_read_aloud_is_history_even_when_an_answer_is_wanted():
    client = connected(limits=Limits(append_tokens=8))
    packed = "ten " * 9
    tell(client, message("user", packed))
    client.send("response.create")
    assert client.session.seat.prefix == f"user: {packed}".strip() and read_tokens(client) == []


def test_no_more_lines_are_kept_than_may_be_told():
    client = connected(limits=Limits(history_items=2))
    tell(client, *(message("user", word) for word in ("one", "six", "ten")))
    client.begin()
    assert client.session.seat.prefix == "user: six\nuser: ten"


def test_of_sound_that_was_the_transcript_is_history():
    client = connected()
    sounds = [
        {"type": "message", "role": role, "content": [{"type": kind, "transcript": word}]}
        for role, kind, word in (
            ("user", "input_audio", "ten"),
            ("assistant", "output_audio", "six"),
        )
    ]
    tell(client, *sounds)
    client.begin()
    assert client.session.seat.prefix == "user: ten\nassistant: six"
    (item, _) = client.send("conversation.item.create", item=sounds[0])
    assert item["item"]["content"] == sounds[0]["content"]


@pytest.mark.parametrize(("text", "code"), [(" ", "empty_text"), ("", "empty_text")])
def test_items_without_words_are_refused_before_time_begins_too(text, code):
    client = connected()
    assert client.refused("conversation.item.create", item=message("user", text))["code"] == code
    assert client.adapter.session is None
    same = [message("user", "ten", id="a")] * 2
    tell(client, same[0])
    error = client.refused("conversation.item.create", item=same[1])
    assert error["code"] == "item_create_duplicate_item_id"


def test_a_conversation_that_is_brought_along_later_is_context():
    client = talker(make_hub())
    tell(client, CALL, OUTPUT, {**OUTPUT, "output": " "}, message("assistant", "six"))
    assert read_tokens(client) == [*TEN, END, *SIX, END]
    assert client.refused("conversation.item.create", item={**OUTPUT, "call_id": "call_x"})


def test_a_response_without_functions_calls_none():
    client = talker(make_hub(), tools=[ASK])
    client.send("response.create", response={"tool_choice": "none"})
    assert not only(
        client.turn(True, say=TEN, act=QUESTION), "response.function_call_arguments.done"
    )
    client.quiet(TURNS_PER_S)
    assert only(client.turn(True, say=ONE, act=QUESTION), "response.function_call_arguments.done")


def test_the_background_model_knows_what_was_said_before_and_what_is_typed():
    backend = Backend()
    client = Client(make_hub(delegations=lambda: Broker(backend)))
    client.read()
    tell(client, *BEFORE)
    client.begin()
    client.turn(heard=SIX)
    client.send("conversation.item.create", item=message("user", "ten"))
    client.turn(heard=ONE)
    client.turn(act=QUESTION)
    lines = [(line.role, line.text, line.time_s) for line in backend.lines]
    assert lines[:2] == [("user", "one", 0.0), ("assistant", "six", 0.0)]
    assert [(role, text) for role, text, _ in lines[2:]] == [
        ("user", "six"),
        ("user", "ten"),
        ("user", "one"),
    ]
    assert lines[3][2] == pytest.approx(0.2)


def test_a_beginning_is_bounded_before_anything_is_encoded():
    class Counting(Tokenizer):
        """One token for each word; says how much it had to read."""

        num_letters = 0

        def encode(self, text: str) -> list[int]:
            self.num_letters += len(text)
            return [1] * len(text.split())

    tokenizer = Counting(TOKENIZER._inner)
    told = [Told("user", "x" * 10_000), Told("system", "ten"), Told("user", "six")]
    begun = beginning("be kind", told, tokenizer, 10)
    assert begun.text == "be kind\nsystem: ten\nuser: six" and tokenizer.num_letters < 100
    assert begun.num_left_out == 1
    assert [(line.role, line.text) for line in begun.history] == [("user", "six")]
    error = refused(beginning, "ten " * 11, [], tokenizer, 10)
    assert error.param == "session.instructions"
