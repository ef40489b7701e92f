"""A whole conversation of a Pipecat bot, examples/pipecat_bot.py, with a really running server: it
is heard, hears the model, runs a function for it, sees it yield and hangs up.
"""

import pytest

from tests.peer_helpers import talk

pytestmark = pytest.mark.clients
LIVE = ["model stops"]  # nobody interrupts, the model falls silent
REALTIME = ["interrupted"]


@pytest.mark.parametrize(
    ("protocol", "end", "reason"), [("live", LIVE, "asked"), ("realtime", REALTIME, "lost")]
)
def test_a_pipecat_bot_talks_helps_yields_and_hangs_up(protocol, end, reason, tmp_path, caplog):
    wanted = ["model: ten", "calls: ask({'question': 'six'})", "model: one", *end]
    told = talk("pipecat", "pipecat_bot.py", protocol, tmp_path, caplog, wanted)
    assert told.has(*wanted, "closed") and told.has("you: ten", "model: one"), told.lines
    assert ("interrupted" in told.lines) == (protocol == "realtime")
    assert not [line for line in told.lines if line.startswith("error")]
    assert told.loudest > 0.01, "the model heard the file"
    assert abs(told.sound).max() > 0.1, "the bot played the model's voice"
    assert "today is" in told.read, "what the function gave back reached the model"
    assert told.ended == [reason]
