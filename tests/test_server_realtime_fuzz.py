"""Realtime sessions at random: messages that make no sense, and messages that do in any order
between what the model emits; the events of a session stay in order.
"""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interplay.errors import RequestError
from interplay.server import realtime_wire
from interplay.turns.tokens import STOP
from tests.realtime_helpers import ASK, QUESTION, SIX, TEN, Client, talker
from tests.server_helpers import b64, make_hub, obey, pcm

ROUNDS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
KINDS = [kind for kind in vars(realtime_wire).values() if hasattr(kind, "__struct_fields__")]
FIELDS = st.sampled_from(sorted({"type", *(f for kind in KINDS for f in kind.__struct_fields__)}))
WORDS = st.sampled_from(
    [*realtime_wire.READER.known, "message", "user", "input_text", "ask", "ten", "root", ""]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=5), max_size=5)
MESSAGES = st.builds(lambda kind, fields: fields | {"type": kind}, WORDS, OBJECTS)


def try_to(client: Client, message: dict) -> list[dict]:
    """Send it; when it is refused, the answer must be an error that says why."""
    text = json.dumps(message)
    try:
        obey(client.adapter, text)
    except RequestError as error:
        answer = json.loads(client.adapter.refusal(error, text))
        assert answer["error"]["code"] and "\n" not in answer["error"]["message"]
    return client.read()


@given(st.lists(MESSAGES, max_size=8))
@ROUNDS
def test_no_message_crashes_a_session_or_disturbs_another(messages):
    hub = make_hub()
    client, other = Client(hub), talker(hub)
    for message in messages:
        try_to(client, message)
    client.adapter.begin()
    client.turn(True, say=TEN, act=QUESTION)
    assert other.turn(True, say=TEN)


SESSION = {"instructions": "ten", "tools": [ASK], "audio": {"input": {"transcription": None}}}
TEXT = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ten"}]}
DO = [
    {"type": "session.update", "session": SESSION},
    {"type": "session.update", "session": {"tools": [], "tool_choice": "auto"}},
    {"type": "input_audio_buffer.append", "audio": b64(pcm(0.02))},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": TEXT},
    {"type": "conversation.item.create", "item": TEXT, "previous_item_id": "root"},
    {"type": "response.create"},
    {"type": "response.create", "response": {"metadata": {"a": "b"}}},
    {"type": "response.cancel"},
]
TURNS = st.fixed_dictionaries(
    {},
    optional={
        "speaks": st.just(True),
        "say": st.sampled_from([TEN, SIX, (STOP,), (STOP, *TEN)]),
        "heard": st.sampled_from([TEN, SIX]),
        "act": st.just(QUESTION),
    },
)
LISTENED = st.integers(0, 1000)
STEPS = st.lists(st.sampled_from(DO) | TURNS | st.just({}) | LISTENED, max_size=40)


def newest_item(events: list[dict]) -> str:
    """With sound; what a client would truncate."""
    sound = [e["item_id"] for e in events if e["type"] == "response.output_audio.delta"]
    return sound[-1] if sound else "item_x"


def call_of(events: list[dict]) -> str:
    calls = [e["call_id"] for e in events if "call_id" in e]
    return calls[-1] if calls else "call_x"


@given(STEPS)
@ROUNDS
def test_whatever_happens_events_are_in_order(steps):
    client = Client(make_hub())
    events = [*client.read()]
    events += client.begin()
    for step in steps:
        if isinstance(step, int):
            cut = {"item_id": newest_item(events), "content_index": 0, "audio_end_ms": step}
            events += try_to(client, {"type": "conversation.item.truncate", **cut})
            output = {"type": "function_call_output", "call_id": call_of(events), "output": "ten"}
            events += try_to(client, {"type": "conversation.item.create", "item": output})
        elif "type" in step:
            events += try_to(client, step)
        else:
            events += client.turn(**step)
    events += client.quiet(40)
    check_order(events)


def check_order(events: list[dict]) -> None:
    """One response at a time; items begin, grow and end once, inside their response; deltas add
    up; whoever starts to speak stops."""
    response, begun, done, speaking = None, set(), set(), 0
    words: dict[str, str] = {}
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == len(ids)
    for event in events:
        kind, item = event["type"], event.get("item_id") or event.get("item", {}).get("id")
        if kind == "response.created":
            assert response is None
            response = event["response"]["id"]
        elif kind.startswith("response."):
            assert response == (event.get("response_id") or event["response"]["id"])
        if kind == "response.done":
            assert {item["id"] for item in event["response"]["output"]} <= done
            response = None
        elif kind == "conversation.item.added":
            assert item not in begun and event["previous_item_id"] in {None, *begun}
            begun.add(item)
        elif kind == "conversation.item.done":
            assert item in begun - done
            done.add(item)
        elif kind.endswith((".delta", "truncated")) and kind != "response.output_audio.delta":
            assert item in begun
            words[item] = words.get(item, "") + event.get("delta", "")
        elif kind.endswith("transcription.completed"):
            assert event["transcript"] == words.get(item, "") or not words.get(item)
        speaking += kind.endswith("speech_started")
        speaking -= kind.endswith("speech_stopped")
        assert speaking in (0, 1)
    assert response is None and speaking == 0 and begun == done
