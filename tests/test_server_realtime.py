"""The Realtime protocol, event by event, without sockets: bursts, words, yielding, calls."""

import base64
import json

import pytest

from interplay.background.contract import UNREACHABLE
from interplay.server.limits import Limits
from interplay.server.realtime_replies import END_TURNS, WAIT_TURNS
from interplay.server.realtime_user import DOUBT_TURNS
from interplay.server.realtime_user import END_TURNS as USER_TURNS
from interplay.turns.tokens import RESULT, STOP, TEXT
from tests.realtime_helpers import ASK, ONE, QUESTION, SIX, TEN, TOKENIZER, Client, talker, texts
from tests.server_helpers import b64, kinds, make_hub, only, pcm

BURST = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
]
BURST_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def test_a_burst_of_speech_is_a_response_in_the_order_that_clients_need():
    client = talker(make_hub())
    assert kinds(client.quiet(5)) == [], "silence is not sent"
    messages = client.turn(True, say=TEN)
    assert kinds(messages) == BURST
    messages += client.turn(True) + client.turn(True, say=SIX)
    messages += client.quiet(END_TURNS)
    assert kinds(messages)[-6:] == BURST_END
    assert kinds(client.quiet(5)) == []
    sound = [base64.b64decode(m["delta"]) for m in only(messages, "response.output_audio.delta")]
    assert [len(piece) for piece in sound] == [9600] * (3 + END_TURNS)
    words = texts(messages, "response.output_audio_transcript.delta")
    (transcript,) = only(messages, "response.output_audio_transcript.done")
    assert words == transcript["transcript"] == "ten six"
    (done,) = only(messages, "response.done")
    response = done["response"]
    assert response["status"] == "completed" and response["usage"]["total_tokens"] == 8 * 5
    (item,) = response["output"]
    assert item["status"] == "completed" and item["content"] == [
        {"type": "output_audio", "transcript": "ten six"}
    ]
    ids = {(m["response_id"], m["item_id"]) for m in messages if "content_index" in m}
    assert ids == {(response["id"], item["id"])}


def test_items_follow_each_other():
    client = talker(make_hub())
    messages = client.turn(heard=TEN) + client.turn(True, say=TEN) + client.quiet(USER_TURNS)
    messages += client.turn(True, say=SIX)
    user, first, second = (m for m in only(messages, "conversation.item.added"))
    assert user["item"]["role"] == "user" and user["previous_item_id"] is None
    assert first["previous_item_id"] == user["item"]["id"]
    assert second["previous_item_id"] == first["item"]["id"]
    for done in only(messages, "conversation.item.done"):
        assert done["previous_item_id"] in (None, user["item"]["id"])


def test_words_of_the_user_come_as_they_form_and_at_last_as_a_whole():
    client = talker(make_hub())
    messages = client.turn(heard=TEN) + client.turn() + client.turn(heard=SIX)
    added, first, second = messages
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert (first["delta"], second["delta"]) == ("ten", " six")
    messages = client.quiet(USER_TURNS)
    assert kinds(messages) == [
        "input_audio_buffer.committed",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.done",
    ]
    completed = messages[1]
    assert completed["transcript"] == "ten six" and completed["usage"]["seconds"] > 0
    assert {m.get("item_id", added["item"]["id"]) for m in messages} == {added["item"]["id"]}
    again = client.turn(heard=ONE)
    assert again[0]["item"]["id"] != added["item"]["id"]


def test_a_client_that_wants_no_transcript_gets_none():
    client = talker(make_hub(), audio={"input": {"transcription": None}})
    messages = client.turn(heard=TEN) + client.quiet(USER_TURNS)
    assert kinds(messages) == [
        "conversation.item.added",
        "input_audio_buffer.committed",
        "conversation.item.done",
    ]


def test_speech_has_started_only_when_the_model_yields():
    client = talker(make_hub())
    messages = client.turn(True, say=TEN) + client.turn(True, heard=SIX)
    assert not only(messages, "input_audio_buffer.speech_started"), "hearing is not yielding"
    user = only(messages, "conversation.item.added")[1]["item"]["id"]
    messages = client.turn(say=(STOP,))
    assert kinds(messages) == ["input_audio_buffer.speech_started", *BURST_END]
    assert messages[0]["item_id"] == user and messages[0]["audio_start_ms"] == 0
    response = messages[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    messages = client.quiet(USER_TURNS)
    assert kinds(messages)[0] == "input_audio_buffer.speech_stopped"
    assert messages[0]["item_id"] == user


def test_yielding_to_noise_is_over_when_no_words_come():
    client = talker(make_hub())
    client.turn(True, say=TEN)
    (started,) = only(client.turn(say=(STOP,)), "input_audio_buffer.speech_started")
    messages = client.quiet(DOUBT_TURNS)
    assert kinds(messages) == ["input_audio_buffer.speech_stopped"]
    assert messages[0]["item_id"] == started["item_id"]
    assert kinds(client.turn(say=(STOP,))) == BURST[:0], "it was silent: nothing to yield"


def watch_flushes(client: Client, monkeypatch) -> list[tuple[int, int]]:
    """How much was played of how much, in milliseconds, whenever the rest was thrown away."""
    flushes = []

    def flush(*, num_played: int, num_received: int) -> None:
        flushes.append((num_played // 16, num_received // 16))

    monkeypatch.setattr(client.session.seat, "flush", flush)
    return flushes


def test_what_was_not_played_is_cut_from_the_models_past_and_from_the_transcript(monkeypatch):
    client = talker(make_hub())
    client.quiet(2)
    messages = client.turn(True, say=TEN) + client.turn(True, say=SIX)
    client.turn(True)
    client.turn(True)
    item = only(messages, "conversation.item.added")[0]["item"]["id"]
    flushes = watch_flushes(client, monkeypatch)
    about = {"item_id": item, "content_index": 0, "audio_end_ms": 650}
    for index, part in ((0, 801), (1, 100)):
        error = client.refused(
            "conversation.item.truncate", **about | {"audio_end_ms": part, "content_index": index}
        )
        assert error["code"] == "invalid_value"
    (answer,) = client.send("conversation.item.truncate", **about)
    assert answer["type"] == "conversation.item.truncated"
    assert {k: answer[k] for k in about} == about
    assert flushes == [(400 + 650, 1200)]
    client.quiet(END_TURNS)
    (whole,) = client.send("conversation.item.retrieve", item_id=item)
    assert whole["item"]["content"][0]["transcript"] == "ten six"
    client.send("conversation.item.truncate", **about | {"audio_end_ms": 460})
    (cut,) = client.send("conversation.item.retrieve", item_id=item)
    assert cut["item"]["content"][0]["transcript"] == "ten"
    unknown = client.refused("conversation.item.truncate", **about | {"item_id": "item_x"})
    assert (unknown["code"], unknown["event_id"]) == ("unknown_item", "e")


def test_speech_of_which_nothing_was_played_can_be_deleted(monkeypatch):
    client = talker(make_hub())
    (added,) = only(client.turn(True, say=TEN), "conversation.item.added")
    about = {"item_id": added["item"]["id"]}
    flushes = watch_flushes(client, monkeypatch)
    assert client.refused("conversation.item.delete", **about)["code"] == "unsupported_value"
    assert only(client.turn(say=(STOP,)), "response.done") and flushes == []
    (answer,) = client.send("conversation.item.delete", **about)
    assert (answer["type"], answer["item_id"]) == ("conversation.item.deleted", about["item_id"])
    assert flushes == [(0, 400)]
    for kind in ("retrieve", "delete"):
        assert "no item" in client.refused(f"conversation.item.{kind}", **about)["message"]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ten"}]}
    added, _ = client.send("conversation.item.create", item=item)
    error = client.refused("conversation.item.delete", item_id=added["item"]["id"])
    assert "cannot be taken back" in error["message"]


def test_a_response_that_was_asked_for_waits_for_the_model():
    client = talker(make_hub())
    metadata = {"client_event_id": "r1"}
    (created,) = client.send("response.create", response={"metadata": metadata})
    assert created["response"]["metadata"] == metadata
    messages = client.quiet(3) + client.turn(True, say=TEN) + client.quiet(END_TURNS)
    assert kinds(messages)[:5] == BURST[1:]
    (done,) = only(messages, "response.done")
    assert done["response"]["id"] == created["response"]["id"]
    assert done["response"]["metadata"] == metadata
    client.send("response.create")
    messages = client.quiet(WAIT_TURNS)
    assert kinds(messages) == ["response.done"] and messages[0]["response"]["output"] == []


def test_asking_while_the_model_speaks_ends_the_running_response():
    client = talker(make_hub())
    client.turn(True, say=TEN)
    messages = client.send("response.create", response={"metadata": {"a": "b"}})
    assert kinds(messages) == [*BURST_END, "response.created"]
    assert messages[-2]["response"]["status"] == "completed"
    assert kinds(client.turn(True, say=SIX)) == BURST[1:]


def test_what_a_client_cancels_is_neither_sent_nor_remembered_as_said(monkeypatch):
    client = talker(make_hub())
    flushes = watch_flushes(client, monkeypatch)
    error = client.refused("response.cancel")
    assert error["code"] == "response_cancel_not_active"
    (created, *_) = client.turn(True, say=TEN)
    wrong = client.refused("response.cancel", response_id="resp_x")
    assert wrong["code"] == "response_cancel_not_active"
    messages = client.send("response.cancel", response_id=created["response"]["id"])
    assert kinds(messages) == BURST_END
    assert messages[-1]["response"]["status_details"]["reason"] == "client_cancelled"
    assert client.turn(True, say=SIX) == client.turn(True) == []
    assert flushes == [(200, 400), (200, 600)]
    client.quiet(END_TURNS)
    assert kinds(client.turn(True, say=ONE)) == BURST, "the next burst is heard again"


def test_a_cancelled_answer_that_has_not_begun_silences_nothing():
    client = talker(make_hub())
    client.send("response.create")
    assert kinds(client.send("response.cancel")) == ["response.done"]
    assert kinds(client.turn(True, say=TEN)) == BURST


CALL = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
]


def test_work_is_handed_over_as_a_function_call_beside_the_speech():
    client = talker(make_hub(), tools=[ASK])
    client.turn(True, say=TEN)
    messages = client.turn(True, act=QUESTION)
    assert kinds(messages) == ["response.output_audio.delta", *CALL]
    call = messages[-1]["item"]
    assert (call["name"], call["status"]) == ("ask", "completed")
    assert json.loads(call["arguments"]) == {"question": "six"}
    assert {m["output_index"] for m in messages if "output_index" in m} == {0, 1}
    done = only(client.quiet(END_TURNS), "response.done")
    assert [item["type"] for item in done[0]["response"]["output"]] == ["message", "function_call"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": '"one"'}
    added, finished = client.send("conversation.item.create", item=output)
    assert added["item"]["type"] == "function_call_output"
    assert finished["type"] == "conversation.item.done"
    read = client.session.seat.collect().half.read
    assert read[0] == RESULT and read[1 : 1 + len(ONE)] == ONE, "a JSON string is its text"
    client.send("conversation.item.create", item=output | {"output": "one " * 9000})
    assert client.session.seat.num_waiting == 1 + Limits().append_tokens + 1, "only its beginning"
    count = client.hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "done"}) == 1
    unknown = client.refused("conversation.item.create", item=output | {"call_id": "call_x"})
    assert (unknown["code"], unknown["param"]) == ("unknown_call", "item.call_id")


def test_a_call_in_silence_is_a_response_of_its_own_and_may_come_to_nothing():
    client = talker(make_hub(), tools=[ASK])
    messages = client.turn(act=QUESTION)
    assert kinds(messages) == ["response.created", *CALL, "response.done"]
    output = {"type": "function_call_output", "call_id": messages[-2]["item"]["call_id"]}
    client.send("conversation.item.create", item=output | {"output": ""})
    assert client.session.seat.num_waiting == 0
    assert client.hub.metrics.registry.get_sample_value("im_delegations_inflight") == 0


@pytest.mark.parametrize(
    "session",
    [
        {},
        {"tools": [ASK, ASK | {"name": "other"}]},
        {"tools": [ASK], "tool_choice": "none"},
        {"tools": [{"type": "function", "name": "end_call"}]},
    ],
)
def test_without_one_function_that_fits_the_model_is_told_that_nobody_helps(session):
    client = talker(make_hub(), **session)
    assert client.turn(act=QUESTION) == []
    tokens: list[int] = []
    while client.session.seat.num_waiting:
        tokens += client.session.seat.collect().half.read
    assert tokens[0] == RESULT and TOKENIZER.decode(tokens) == UNREACHABLE
    count = client.hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "failed"}) == 1


def test_a_named_function_is_called_whatever_else_there_is():
    bare = {"type": "function", "name": "end_call"}
    choice = {"type": "function", "name": "end_call"}
    client = talker(make_hub(), tools=[ASK, bare], tool_choice=choice)
    call = client.turn(act=QUESTION)[-2]["item"]
    assert (call["name"], call["arguments"]) == ("end_call", "{}")


def test_push_to_talk_is_acknowledged_and_words_that_come_later_belong_to_it():
    client = talker(make_hub())
    committed, added = client.send("input_audio_buffer.commit")
    assert kinds([committed, added]) == ["input_audio_buffer.committed", "conversation.item.added"]
    assert committed["item_id"] == added["item"]["id"]
    messages = client.turn(heard=TEN) + client.quiet(USER_TURNS)
    assert kinds(messages) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.done",
    ]
    error = client.refused("input_audio_buffer.commit")
    assert error["code"] == "input_audio_buffer_commit_empty"
    client.send("input_audio_buffer.append", audio=b64(pcm(0.2)))
    (cleared,) = client.send("input_audio_buffer.clear")
    assert cleared["type"] == "input_audio_buffer.cleared"
    assert client.refused("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"


class Speaker:
    """A media track that notes what happens to it."""

    def __init__(self) -> None:
        self.played: list[int] = []
        self.num_flushes = 0

    def play(self, pcm: bytes) -> None:
        self.played.append(max(pcm))

    def flush(self) -> None:
        self.num_flushes += 1


def test_with_a_media_track_sound_goes_past_the_events():
    speaker = Speaker()
    client = Client(make_hub(), track=speaker)
    client.adapter.hear(pcm(0.2))
    assert kinds(client.read()) == ["session.created"]
    error = client.refused("input_audio_buffer.append", audio=b64(pcm(0.2)))
    assert error["code"] == "unsupported_event"
    messages = client.turn() + client.turn(True, say=TEN)
    assert kinds(messages) == [*BURST[:4], "output_audio_buffer.started", BURST[4]]
    messages = client.quiet(END_TURNS)
    assert kinds(messages) == [*BURST_END, "output_audio_buffer.stopped"]
    assert len(speaker.played) == 2 + END_TURNS and speaker.played[1] > 0
    client.turn(True, say=TEN)
    messages = client.turn(True, say=(STOP,))
    assert kinds(messages)[-1] == "output_audio_buffer.cleared"
    assert (speaker.num_flushes, speaker.played[-1]) == (1, 0)
    client.turn(True, say=TEN)
    messages = client.send("output_audio_buffer.clear")
    assert kinds(messages) == [*BURST_END, "output_audio_buffer.cleared"]
    client.turn(True)
    assert (speaker.num_flushes, speaker.played[-1]) == (2, 0)
    assert kinds(client.send("output_audio_buffer.clear")) == ["output_audio_buffer.cleared"]


def test_typed_text_is_read_and_the_rest_is_context():
    client = talker(make_hub())
    for role, kind, first in (
        ("user", "input_text", TEXT),
        ("system", "input_text", TEN[0]),
        ("assistant", "output_text", TEN[0]),
    ):
        message = {"type": "message", "role": role, "content": [{"type": kind, "text": "ten"}]}
        added, done = client.send("conversation.item.create", item=message)
        assert added["item"] == done["item"] and added["item"]["content"][0]["text"] == "ten"
        assert client.session.seat.collect().half.read[0] == first
