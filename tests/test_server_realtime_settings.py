"""What a Realtime client may ask for: settings, items, responses, a beginning; bad messages."""

import json

import pytest

from interplay.server.auth import Auth
from interplay.server.events import Ended
from interplay.server.limits import Limits
from interplay.server.realtime import RealtimeConnection
from interplay.server.realtime_items import MAX_ITEMS
from interplay.server.realtime_secret import issue
from interplay.server.realtime_wire import SessionConfig
from tests.realtime_helpers import ASK, QUESTION, TEN, TOKENIZER, Client, talker
from tests.server_helpers import KEY, b64, beat, kinds, make_hub, only, picture, refused

MODEL = "untrained tiny"


def user(**part) -> dict:
    return {"type": "message", "role": "user", "content": [part]}


def text(words: str) -> dict:
    return user(type="input_text", text=words)


def image(data: bytes, kind: str = "jpeg") -> dict:
    return user(type="input_image", image_url=f"data:image/{kind};base64,{b64(data)}")


def test_what_is_in_effect_is_told_and_what_changes_nothing_is_remarked_on():
    client = Client(make_hub())
    (created,) = client.read()
    session = created["session"]
    assert (session["object"], session["model"]) == ("realtime.session", MODEL)
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert session["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    assert "interplay" not in session
    session = client.update(
        model="gpt-realtime",
        instructions="be kind",
        output_modalities=["audio"],
        audio={
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "turn_detection": {"type": "server_vad", "threshold": 0.5},
                "transcription": {"model": "whisper-1"},
                "noise_reduction": {"type": "near_field"},
            },
            "output": {"format": {"type": "audio/pcm"}, "voice": "marin", "speed": 1.2},
        },
        tools=[ASK],
        tool_choice="required",
        parallel_tool_calls=True,
        max_output_tokens=100,
        reasoning={"effort": "low"},
        truncation="disabled",
        tracing="auto",
        include=["item.input_audio_transcription.logprobs"],
    )
    assert {remark["code"] for remark in session["interplay"]["remarks"]} == {
        "model_substituted",
        "turn_detection_ignored",
        "transcription_by_model",
        "noise_reduction_ignored",
        "voice_substituted",
        "speed_ignored",
        "tool_choice_ignored",
        "parallel_tool_calls_ignored",
        "max_output_tokens_ignored",
        "reasoning_ignored",
        "truncation_ignored",
        "tracing_ignored",
        "include_ignored",
    }
    assert session["instructions"] == "be kind" and session["model"] == MODEL
    assert session["audio"]["input"]["transcription"] == {"model": MODEL}
    assert session["tools"] == [ASK] and session["tool_choice"] == "auto"
    session = client.update(audio={"input": {"turn_detection": None}})
    assert session["instructions"] == "be kind" and session["tools"] == [ASK], "sparse"
    assert [r["code"] for r in session["interplay"]["remarks"]] == ["turn_detection_ignored"]


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"type": "transcription"}, "unsupported_value", "type"),
        ({"output_modalities": ["text"]}, "unsupported_value", "output_modalities"),
        ({"audio": {"input": {"format": {"type": "audio/opus"}}}}, "unsupported_value", "type"),
        ({"audio": {"output": {"format": {"type": "pcm16"}}}}, "unsupported_value", "type"),
        (
            {"audio": {"input": {"format": {"rate": 16_000}}}},
            "unsupported_value",
            "input.format.rate",
        ),
        (
            {"audio": {"output": {"format": {"type": "audio/pcma", "rate": 16_000}}}},
            "unsupported_value",
            "output.format.rate",
        ),
        ({"prompt": {"id": "p"}}, "unsupported_value", "prompt"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "unsupported_value", "tools"),
        ({"tools": [ASK, ASK]}, "invalid_value", "tools"),
        ({"tool_choice": {"type": "function", "name": "no"}}, "invalid_value", "tool_choice"),
        ({"tool_choice": "sometimes"}, "unsupported_value", "tool_choice"),
        ({"instructions": "ten " * 3000}, "too_many_tokens", "instructions"),
        ({"modalities": ["audio"]}, "invalid_event", "session"),
        ({"audio": {"input": {"turn_detection": {"type": "x"}}}}, "invalid_event", "type"),
    ],
)
def test_settings_that_cannot_be_had_are_refused_and_change_nothing(session, code, param):
    client = Client(make_hub())
    (created,) = client.read()
    about = {"instructions": "new", "tools": [ASK | {"name": "new"}], **session}
    error = client.refused("session.update", session=about)
    assert (error["code"], error["event_id"]) == (code, "e") and param in error["param"]
    assert client.update() == created["session"]


@pytest.mark.parametrize(
    ("tools", "never"),
    [
        ([ASK], []),
        ([ASK, {"type": "function", "name": "end_call"}], ["end_call"]),
        ([ASK, ASK | {"name": "other"}], ["ask", "other"]),
        ([{"type": "function", "name": "end_call"}], ["end_call"]),
        ([ASK | {"parameters": {"properties": {"a": {"enum": ["b"]}}}}], ["ask"]),
        ([ASK | {"parameters": {"properties": {"a": {"type": ["string", "null"]}}}}], []),
        ([ASK | {"parameters": {"properties": 5, "required": [[]]}}], ["ask"]),
    ],
)
def test_functions_that_the_model_cannot_call_are_named(tools, never):
    session = Client(make_hub()).update(tools=tools)
    remarks = session.get("interplay", {}).get("remarks", [])
    assert [r["code"] for r in remarks] == ["tools_not_callable"] * bool(never)
    for remark in remarks:
        assert remark["message"].endswith(f"never called: {', '.join(never)}")


def test_instructions_before_the_first_message_are_the_pinned_beginning_later_ones_are_read():
    client = Client(make_hub())
    client.update(instructions="one")
    client.update(instructions="six")
    client.begin()
    assert client.session.seat.prefix == "six" and client.session.seat.num_waiting == 0
    client.update(instructions="six", audio={"output": {"voice": "marin"}})
    assert client.session.seat.num_waiting == 0, "nothing new"
    client.update(instructions="ten")
    assert client.session.seat.collect().half.read[: len(TEN)] == TEN
    error = client.refused("session.update", session={"instructions": "ten " * 600})
    assert error["param"] == "session.instructions"
    assert client.update()["instructions"] == "ten"


def test_time_begins_without_any_message_and_an_opening_may_be_agreed_before():
    hub = make_hub(1)
    client = Client(hub, config=SessionConfig(instructions="six", model="gpt-realtime"))
    (created,) = client.read()
    assert created["session"]["instructions"] == "six"
    assert created["session"]["interplay"]["remarks"][0]["code"] == "model_substituted"
    client.adapter.begin()
    client.adapter.begin()
    assert client.session.seat.prefix == "six" and hub.num_free == 0
    beat(hub, 3)
    client.read()
    late = RealtimeConnection(hub, Auth().visit(None, [], 0.0))
    message, ended = late.outbox.take()
    assert isinstance(message, str) and isinstance(ended, Ended)
    assert json.loads(message)["error"]["code"] == "no_free_slot" and ended.close_code == 1013


def test_the_end_of_a_session_ends_its_response():
    hub = make_hub(limits=Limits(session_s=1.0))
    client = talker(hub)
    client.turn(True, say=TEN)
    hub.close(client.session, "expired", "a session lasts 1 s at most")
    messages = client.read()
    assert kinds(messages)[-2:] == ["response.done", "error"]
    assert messages[-2]["response"]["status"] == "incomplete"
    assert messages[-1]["error"]["code"] == "expired"
    assert client.refused("input_audio_buffer.commit")["code"] == "session_ended"


class Background:
    """A background model that never answers."""

    def delegate(self, question, now_s, conversation):
        return 0

    def poll(self, now_s, *, user_speaks, model_speaks):
        return []

    def cancel(self, delegation_id, now_s):
        return False

    def interrupt(self):
        pass

    def close(self, now_s):
        pass


def test_the_servers_background_model_works_unless_the_client_has_a_function():
    client = talker(make_hub(delegations=Background))
    assert client.turn(act=QUESTION) == [] and client.session.seat.num_waiting == 0
    assert "interplay" not in client.update(tools=[ASK]), "tools may come after sound"
    assert only(client.turn(act=QUESTION), "response.function_call_arguments.done")
    client.update(tools=[])
    assert client.turn(act=QUESTION) == [] and client.session.seat.num_waiting == 0
    function = talker(make_hub(delegations=Background), tools=[ASK])
    assert only(function.turn(act=QUESTION), "response.function_call_arguments.done")


def test_items_may_be_put_between_others_under_their_own_names():
    client = talker(make_hub())
    for name, after, before in (("a", None, None), ("b", "a", "a"), ("c", "a", "a")):
        item = text("ten") | {"id": name}
        added, done = client.send("conversation.item.create", item=item, previous_item_id=after)
        assert added["previous_item_id"] == done["previous_item_id"] == before
        assert added["item"]["id"] == name and added["item"]["status"] == "completed"
    first, _ = client.send("conversation.item.create", item=text("ten"), previous_item_id="root")
    assert first["previous_item_id"] is None
    last, _ = client.send("conversation.item.create", item=text("ten"))
    assert last["previous_item_id"] == "b"
    for again, after, code in (
        (item, None, "item_create_duplicate_item_id"),
        (text("ten"), "d", "unknown_item"),
    ):
        error = client.refused("conversation.item.create", item=again, previous_item_id=after)
        assert error["code"] == code
    for _ in range(MAX_ITEMS):
        client.session.seat._tokens.clear()
        client.send("conversation.item.create", item=text("ten"))
    error = client.refused("conversation.item.retrieve", item_id="a")
    assert error["code"] == "item_retrieve_invalid_item_id", "only the newest are kept"


def test_a_picture_is_seen_and_its_bytes_are_not_kept():
    client = talker(make_hub(camera=True))
    item = image(picture())
    item["content"].append({"type": "input_text", "text": "ten"})
    added, _ = client.send("conversation.item.create", item=item)
    assert added["item"]["content"] == [
        {"type": "input_image"},
        {"type": "input_text", "text": "ten"},
    ]
    half = client.session.seat.collect().half
    assert half.see is not None and half.read[1 : 1 + len(TEN)] == TEN[:3]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (user(type="input_image", image_url="https://example.org/a.png"), "invalid_image"),
        (user(type="input_image"), "invalid_image"),
        (user(type="input_image", image_url="data:image/png;base64,!"), "invalid_image"),
        (image(b"GIF89a", "png"), "invalid_image"),
        (image(picture(2000, 1200, "PNG"), "png"), "image_too_big"),
        (user(type="input_audio", audio="AAAA"), "unsupported_value"),
        (user(type="output_text", text="ten"), "invalid_value"),
        (text(""), "empty_text"),
        (text("ten " * 501), "too_many_tokens"),
        (user(type="input_audio", audio="AAAA", transcript="ten"), "unsupported_value"),
        ({"type": "mcp_approval_response"}, "invalid_event"),
        (user(type="input_text", text="ten") | {"role": "developer"}, "invalid_event"),
    ],
)
def test_items_that_cannot_be_taken_are_refused(item, code):
    client = talker(make_hub(camera=True))
    assert client.refused("conversation.item.create", item=item)["code"] == code
    assert client.session.seat.num_waiting == 0


def test_a_model_without_eyes_says_so():
    client = talker(make_hub())
    error = client.refused("conversation.item.create", item=image(picture()))
    assert (error["code"], error["param"]) == ("unsupported_value", "item.content")


@pytest.mark.parametrize(
    "response",
    [
        {"output_modalities": ["text"]},
        {"conversation": "none"},
        {"input": []},
        {"tools": []},
        {"prompt": {"id": "p"}},
        {"tool_choice": "required"},
        {"audio": {"output": {"format": {"type": "audio/pcmu"}}}},
        {"audio": {"output": {"format": {"type": "audio/pcm", "rate": [1]}}}},
        {"audio": {"output": {"format": "pcm16"}}},
    ],
)
def test_what_one_response_cannot_have_is_refused(response):
    client = talker(make_hub())
    error = client.refused("response.create", response=response)
    assert error["code"] == "unsupported_value" and error["param"].startswith("response.")
    client.send("response.create", response={"instructions": "ten", "output_modalities": ["audio"]})
    assert client.session.seat.collect().half.read[: len(TEN)] == TEN


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[]", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        (b"\x00", "invalid_json"),
        ('{"type":"session.fly"}', "unknown_event"),
        ('{"type":"conversation.item.delete","item_id":"a"}', "unknown_item"),
        ('{"type":"output_audio_buffer.clear"}', "unsupported_event"),
        ('{"type":"input_audio_buffer.append","audio":"AA=="}', "invalid_audio"),
        ('{"type":"input_audio_buffer.append","audio":"%"}', "invalid_event"),
    ],
)
def test_bad_messages_are_answered_and_the_session_goes_on(message, code):
    client = talker(make_hub())
    assert client.refused_text(message)["code"] == code
    assert client.turn(True, say=TEN)


def test_a_secret_settles_what_its_session_is_like():
    hub, auth = make_hub(), Auth([KEY])
    wanted = {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "instructions": "be kind", "tools": [ASK]},
    }
    answer = issue(hub, auth, json.dumps(wanted).encode())
    assert answer["value"].startswith("ek_") and answer["session"]["instructions"] == "be kind"
    visitor = auth.visit(f"Bearer {answer['value']}", [], 0.0)
    assert visitor.secret
    client = Client(hub, visitor, config=visitor.secret.config)
    (created,) = client.read()
    assert created["session"]["tools"] == [ASK]
    client.begin()
    assert TOKENIZER.encode(client.session.seat.prefix)
    again = RealtimeConnection(hub, visitor)
    message, ended = again.outbox.take()
    assert isinstance(message, str) and isinstance(ended, Ended)
    assert json.loads(message)["error"]["code"] == "secret_used" and ended.close_code == 1008
    for body, code in (
        (b"{", "invalid_json"),
        (b'{"session": {"voice": "a"}}', "invalid_value"),
        (b'{"session": {"type": "transcription"}}', "unsupported_value"),
        (b'{"expires_after": {"seconds": 5}}', "invalid_value"),
    ):
        assert refused(issue, hub, auth, body).code == code
