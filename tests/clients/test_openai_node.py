"""openai-node talks to a really running server over TLS: a session of either protocol, with work
that is handed over, an interruption by the model, and a close by the client.
"""

from pathlib import Path

import pytest

from tests.agents_js_helpers import MISSING, Listener, is_installed, run
from tests.server_helpers import KEY, loaded, server, url
from tests.tls_helpers import write_pair

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not is_installed(), reason=MISSING),
]


def test_a_session_of_either_protocol(tmp_path: Path):
    pair = write_pair(tmp_path)
    engine = Listener(loaded(), num_slots=1)
    with server(engine=engine, keys=(KEY,), tls=pair) as serving:
        events = run("openai.mjs", url(serving, "/v1", "https"), KEY, pair[0])
    assert not [event for event in events if event["type"] == "error"]
    live = [event for event in events if event["protocol"] == "live"]
    assert live[0]["type"] == "session.started"
    assert (live[-1]["type"], live[-1]["reason"]) == ("session.closed", "close_requested")
    said = [e["delta"] for e in live if e["type"] == "session.output_transcript.delta"]
    assert said == [" ten", " one"], "it was read: nothing else makes the model say so"
    realtime = [event for event in events if event["protocol"] == "realtime"]
    (call,) = [e for e in realtime if e["type"] == "response.function_call_arguments.done"]
    assert (call["name"], call["words"]) == ("ask", '{"question":"six"}')
    types = [event["type"] for event in realtime]
    assert types[0] == "session.created" and types[-1] == "conversation.item.truncated"
    yields = types.index("input_audio_buffer.speech_started")
    assert "turn_detected" in [event.get("reason") for event in realtime[yields:]]
