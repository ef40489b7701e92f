"""A whole conversation of a LiveKit agent, examples/livekit_agent.py, with a really running
server: it is heard, hears the model, runs a function for it, sees it yield and hangs up.
"""

import pytest

from tests.peer_helpers import talk

pytestmark = pytest.mark.clients
CALL = 'calls: ask({"question": "six"})'
LIVE = ["model speaks", "model stops", "model: one"]  # nobody interrupts, the model falls silent
REALTIME = ["model speaks", "model: one", "interrupted"]


@pytest.mark.parametrize(
    ("protocol", "end", "reason"), [("live", LIVE, "asked"), ("realtime", REALTIME, "lost")]
)
def test_a_livekit_agent_talks_helps_yields_and_hangs_up(protocol, end, reason, tmp_path, caplog):
    wanted = ["you: ten", "model speaks", "model: ten", *end]
    told = talk("livekit", "livekit_agent.py", protocol, tmp_path, caplog, wanted)
    assert told.has(*wanted, "closed") and told.has("model speaks", CALL, *end), told.lines
    assert ("interrupted" in told.lines) == (protocol == "realtime")
    assert not [line for line in told.lines if line.startswith("error")]
    assert told.loudest > 0.01, "the model heard the file"
    assert abs(told.sound).max() > 0.1, "the agent played the model's voice"
    assert "today is" in told.read, "what the function gave back reached the model"
    assert told.ended == [reason]
