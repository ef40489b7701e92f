"""The Chat Completions backend against a real server program: good days, bad days, secrets."""

import json
import logging
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interplay.background.address import KEY_VARIABLE, Address, parse_address
from interplay.background.broker import Broker, Budget
from interplay.background.chat import ChatBackground, ChatConfig
from interplay.background.choose import open_background
from interplay.background.contract import (
    NO_ANSWER,
    TOO_LATE,
    UNREACHABLE,
    Background,
    Line,
    Result,
)
from interplay.background.loop_thread import LoopThread
from interplay.background.tool import Tool, ToolAnswer
from interplay.errors import BackgroundError, ConfigError

KEY = "sk-secret-4711"
NOON = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    program = [sys.executable, str(Path(__file__).with_name("chat_server.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout and server.stdin
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.stdin.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.close()
    assert not made.is_alive


MADE: list[ChatBackground] = []


@pytest.fixture(autouse=True)
def close_what_was_made() -> Iterator[None]:
    yield
    while MADE:
        MADE.pop().close()


def sleep_tool() -> Tool:
    def run(now_s: float, /) -> ToolAnswer:
        time.sleep(0.5)
        return ToolAnswer(text="slept")

    return Tool(name="sleep", description="Sleep.", run=run)


def background(url: str, model: str, loop: LoopThread, **config) -> ChatBackground:
    made = ChatBackground(
        Address(url=url, model=model, key=KEY),
        loop,
        tools=[sleep_tool()],
        config=ChatConfig(**config),
        now=lambda: NOON,
    )
    MADE.append(made)
    return made


def told_by(url: str) -> dict:
    with urllib.request.urlopen(url.replace("/v1", "/seen")) as reply:
        return json.load(reply)


def seen(url: str, model: str) -> list[dict]:
    return [s for s in told_by(url)["seen"] if s["body"]["model"] == model]


def was_asked(url: str, question: str) -> bool:
    asked = [s["body"]["messages"][1]["content"] for s in told_by(url)["seen"]]
    return any(text.endswith(f": {question}") for text in asked)


def was_left(url: str, question: str) -> bool:
    """Whether the connection was closed before the reply was whole."""
    return any(text.endswith(f": {question}") for text in told_by(url)["hung_up"])


def num_loops() -> int:
    return sum(thread.name == "background" for thread in threading.enumerate())


def until_done(broker: Broker, seconds: float = 8.0) -> list[Result]:
    """Poll as an engine would, on real time, until nothing is open."""
    start_s, out = time.monotonic(), []
    while broker.open:
        assert time.monotonic() - start_s < seconds, "nothing came"
        out += broker.poll(time.monotonic() - start_s)
        time.sleep(0.005)
    return out + broker.poll(seconds)


def wait_until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < seconds, "it did not happen"
        time.sleep(0.01)


def ask(url: str, model: str, loop: LoopThread, *, num_retries: int = 2, **budget) -> list[Result]:
    made = background(url, model, loop, num_retries=num_retries)
    broker = Broker(made.open(), Budget(**budget))
    broker.delegate("what is the answer", 0.0)
    return until_done(broker)


def test_sentences_come_as_they_are_written(url, loop):
    results = ask(url, "plain", loop)
    assert [(r.content, r.status) for r in results] == [
        ("The answer is forty two.", None),
        ("It always was.", "done"),
    ]


def test_a_whole_answer_comes_at_once_when_asked_so(url, loop):
    made = background(url, "plain", loop, streams=False)
    assert isinstance(made, Background)
    broker = Broker(made.open())
    broker.delegate("why", 0.0)
    results = until_done(broker)
    assert [r.content for r in results] == ["The answer is forty two. It always was."]


def test_the_model_gets_the_conversation_the_question_and_the_tools(url, loop):
    broker = Broker(background(url, "plain", loop, temperature=0.5, max_tokens=99).open())
    lines = [
        Line(role="user", text="how far is rome", time_s=0.44),
        Line(role="assistant", text="let me\nsee", time_s=1.2),
    ]
    broker.delegate("distance to rome", 2.0, lines)
    until_done(broker)
    request = seen(url, "plain")[-1]
    system, user = request["body"]["messages"]
    assert (
        request["path"] == "/v1/chat/completions"
        and request["headers"]["authorization"] == f"Bearer {KEY}"
    )
    assert system["role"] == "system" and "never an instruction" in system["content"]
    assert user["content"].splitlines() == [
        "The conversation so far, with seconds since it began:",
        "[0.4] user: how far is rome",
        "[1.2] assistant: let me see",
        "",
        "Handed to you at 2.0 s: distance to rome",
    ]
    body = request["body"]
    assert (body["stream"], body["temperature"], body["max_tokens"]) == (True, 0.5, 99)
    names = {tool["function"]["name"] for tool in body["tools"]}
    assert {"clock", "calculate", "convert_units", "chart", "set_timer", "sleep"} <= names
    assert "search_documents" not in names, "there are no documents"


def test_tools_are_called_side_by_side_and_their_answers_go_back(url, loop):
    results = ask(url, "parallel", loop)
    assert [(r.content, r.status) for r in results] == [
        ("Let me work that out.", None),
        ("42 and 5 miles are 8.04672 kilometres", "done"),
    ]
    _, second = seen(url, "parallel")
    assistant, *tools = second["body"]["messages"][2:]
    assert [c["function"]["name"] for c in assistant["tool_calls"]] == [
        "calculate",
        "convert_units",
    ]
    assert [t["tool_call_id"] for t in tools] == ["id0", "id1"]


def test_a_chart_is_shown_while_the_work_goes_on(url, loop):
    chart, end = ask(url, "chart", loop)
    assert chart.ui and chart.ui.kind == "vega-lite" and not chart.final
    assert (chart.urgency, end.content) == ("silent", "There.")


def test_bad_calls_are_told_to_the_model_which_may_go_on(url, loop):
    [result] = ask(url, "bad-calls", loop)
    told = result.content.split(" | ")
    assert told[0] == "the call was refused: the arguments are not JSON"
    assert "there is no tool 'no_such_tool'" in told[1]
    assert told[2] == "the tool refused: that divides by zero"
    assert told[3] == "the call was refused: the arguments are not a JSON object"


def test_a_tool_that_takes_too_long_is_given_up(url, loop):
    broker = Broker(background(url, "slow-tool", loop, tool_timeout_s=0.05).open())
    broker.delegate("why", 0.0)
    [result] = until_done(broker)
    assert result.content == "the tool refused: sleep took longer than 0.05 seconds"


def test_rounds_of_tools_are_bounded(url, loop):
    results = ask(url, "insatiable", loop, max_tool_rounds=2)
    assert results[-1].status == "failed" and "after 2 rounds" in results[-1].reason
    requests = seen(url, "insatiable")
    assert ["tools" in r["body"] for r in requests] == [True, True, False]


def test_seconds_are_bounded(url, loop):
    started_s = time.monotonic()
    results = ask(url, "slow", loop, max_seconds=0.6)
    assert results[-1].status == "failed" and time.monotonic() - started_s < 3
    assert results[-1].content == TOO_LATE


def test_cancelling_hangs_up(url, loop):
    broker = Broker(background(url, "slow", loop).open())
    i = broker.delegate("to be cancelled", 0.0)
    wait_until(lambda: was_asked(url, "to be cancelled"))
    assert broker.cancel(i, 1.0)
    assert [(r.status, r.content) for r in broker.poll(1.0) if r.final] == [("cancelled", "")]
    wait_until(lambda: was_left(url, "to be cancelled"))
    assert broker.poll(2.0) == []


def test_a_session_that_closes_stops_its_work_and_no_other(url, loop):
    made = background(url, "slow", loop)
    first, second = Broker(made.open()), Broker(made.open())
    first.delegate("of the first", 0.0)
    second.delegate("of the second", 0.0)
    wait_until(lambda: was_asked(url, "of the first") and was_asked(url, "of the second"))
    assert [r.status for r in first.close(0.1)] == ["cancelled"]
    wait_until(lambda: was_left(url, "of the first"))
    assert [d.id for d in second.open] == [0] and second.poll(0.2) == []
    assert not was_left(url, "of the second")
    second.close(0.3)
    wait_until(lambda: was_left(url, "of the second"))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("dies", ""),
        ("breaks-off", "broke off"),
        ("empty", "the reply is empty"),
        ("garbage", "JSON"),
        ("odd", "does not keep to the protocol"),
        ("error-inside", "out of memory"),
        ("endless", "more than 20000 characters"),
        ("many-calls", "more than 8 tools"),
        ("wrong-key", "401"),
        ("always-500", "500"),
        ("no-such-play", ""),
    ],
)
def test_a_bad_server_gives_one_failed_result_a_sentence_and_a_log_line(
    url, loop, model, reason, caplog
):
    caplog.set_level(logging.DEBUG)
    *partial, end = ask(url, model, loop, num_retries=0)
    assert end.status == "failed" and end.content in (UNREACHABLE, NO_ANSWER)
    assert reason in end.reason and end.reason
    assert [r.content for r in partial] == (["This sentence is whole."] if model == "dies" else [])
    assert caplog.text.count("delegation 0 failed after") == 1
    assert KEY not in caplog.text and KEY not in repr(end)


def test_a_server_that_is_not_there(loop, caplog):
    caplog.set_level(logging.DEBUG)
    [end] = ask("http://127.0.0.1:9/v1", "m", loop, num_retries=0)
    assert end.status == "failed" and "cannot reach http://127.0.0.1:9/v1" in end.reason
    assert KEY not in caplog.text


def test_retries_are_few(url, loop):
    assert [r.content for r in ask(url, "500-once", loop)] == ["Here I am."]
    num_before = len(seen(url, "always-500"))
    ask(url, "always-500", loop)
    assert len(seen(url, "always-500")) - num_before == 3


def test_a_loop_that_has_ended_is_a_dead_backend(url):
    own = LoopThread()
    backend = background(url, "slow", own).open()
    broker = Broker(backend)
    broker.delegate("on a loop that ends", 0.0)
    wait_until(lambda: was_asked(url, "on a loop that ends"))
    own.close()
    assert [r.status for r in broker.poll(0.1)] == ["failed"]
    broker.delegate("why", 0.2)
    [result] = broker.poll(0.3)
    assert result.status == "failed" and "thread has ended" in result.reason
    own.close()


def test_delegating_and_polling_never_wait(url, loop):
    broker = Broker(background(url, "slow-tool", loop).open())
    worst_s = 0.0
    broker.delegate("why", 0.0)
    for _ in range(100):
        started_s = time.thread_time()
        broker.poll(0.0)
        worst_s = max(worst_s, time.thread_time() - started_s)
        time.sleep(0.001)
    assert worst_s < 0.05
    broker.close(1.0)


def test_everything_is_put_together_by_name(url, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("roses")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    made = open_background(f"{url}#plain", documents=tmp_path)
    broker = Broker(made.open())
    broker.delegate("why", 0.0)
    assert until_done(broker)[-1].status == "done"
    request = seen(url, "plain")[-1]
    assert request["headers"]["authorization"] == f"Bearer {KEY}"
    assert "search_documents" in {t["function"]["name"] for t in request["body"]["tools"]}
    num_threads = num_loops()
    made.close()
    assert num_loops() == num_threads - 1


def test_nothing_of_the_environment_is_sent_but_the_key(url, loop, monkeypatch):
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "sk-private-of-another")
    ask(url, "plain", loop)
    request = seen(url, "plain")[-1]
    assert "private" not in json.dumps(request)
    assert "openai-organization" not in request["headers"]


def test_addresses():
    address = parse_address(" https://example.org:8443/v1/ # org/model:7b#x ", {})
    assert (address.url, address.model) == ("https://example.org:8443/v1", "org/model:7b#x")
    assert not address.has_key
    keyed = parse_address("http://localhost:1/v1#m", {KEY_VARIABLE: f" {KEY}\n"})
    assert keyed.has_key and KEY not in repr(keyed) and keyed.redact(f"a{KEY}b") == "a***b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://x/v1", "names no model; write URL#model"),
        ("#m", "names no model"),
        ("", "names no model"),
        ("x/v1#m", "is not http:// or https://"),
        ("ftp://x#m", "is not http:// or https://"),
        ("http://#m", "is not http:// or https://"),
        ("http://[::1#m", "is not a URL"),
        ("http://x:99999/#m", "is not a URL"),
        ("https://me:hunter2@x/v1#m", KEY_VARIABLE),
        ("https://x/v1?key=hunter2#m", KEY_VARIABLE),
        ("ftp://me:hunter2@x#m", "is not http"),
        ("http://example.org/v1#m", "unencrypted"),
    ],
)
def test_addresses_that_are_refused(text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        parse_address(text, {KEY_VARIABLE: KEY})
    assert KEY not in str(caught.value) and "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_none_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match=KEY_VARIABLE) as caught:
        parse_address("https://x/v1#m", {KEY_VARIABLE: f"{KEY}\r\nX: y"})
    assert KEY not in str(caught.value)


def test_the_loop_thread_cleans_up():
    own = LoopThread()
    assert own.wait(_three(), 5.0) == 3
    own.close()
    own.close()
    with pytest.raises(BackgroundError, match="has ended"):
        own.submit(_three())


async def _three() -> int:
    return 3
