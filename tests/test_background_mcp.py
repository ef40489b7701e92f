"""Tools through MCP, against a real server over pipes and over HTTP."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interplay.background.loop_thread import LoopThread
from interplay.background.mcp_config import McpServer, load_servers
from interplay.background.tool import Registry
from interplay.errors import BackgroundError, ConfigError, ToolError

if TYPE_CHECKING:
    from interplay.background.mcp_tools import McpTools

PROGRAM = str(Path(__file__).with_name("mcp_server.py"))
KEY = "mcp-secret-0815"
ALL = ("add", "big", "refuse", "environment", "picture")
# Without the SDK, whose server takes a second to start: it says what it likes.
PLAIN = """
import json, os, sys, time
names = "hello", "slow", "die", "lie"
tools = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
hello = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
         "serverInfo": {"name": "plain", "version": "1"}}
answers = {"initialize": hello, "tools/list": {"tools": tools}}
for line in sys.stdin:
    asked = json.loads(line)
    answer, tool = {"jsonrpc": "2.0", "id": asked.get("id")}, asked.get("params", {}).get("name")
    if tool == "slow":
        time.sleep(0.7)
    if tool == "die":
        os._exit(3)
    if asked["method"] == "tools/call":
        answer["result"] = {"content": 7 if tool == "lie" else [{"type": "text", "text": "hello"}]}
    elif asked["method"] in answers:
        answer["result"] = answers[asked["method"]]
    else:
        answer["error"] = {"code": -32601, "message": "no such method"}
    if "id" in asked:
        print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.close()


@contextmanager
def serving(port: int = 0) -> Iterator[int]:
    """The program over HTTP, and its port."""
    environ = {**os.environ, "SERVER_KEY": KEY}
    with subprocess.Popen(
        [sys.executable, PROGRAM, "http", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
    ) as server:
        assert server.stdout and server.stdin
        yield int(server.stdout.readline())
        server.stdin.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def over_pipes(loop) -> Iterator["McpTools"]:
    tools = tools_of(pipes(env={"TOKEN": KEY}), loop)
    yield tools
    tools.close()


@pytest.fixture(scope="module")
def over_http(loop, port) -> Iterator["McpTools"]:
    tools = tools_of(http(port), loop)
    yield tools
    tools.close()


def pipes(**fields) -> McpServer:
    command = (sys.executable, PROGRAM, "stdio")
    return McpServer(**{"name": "pipes", "allow": ALL, "command": command, **fields})


def http(port: int, **fields) -> McpServer:
    url = f"http://127.0.0.1:{port}/mcp"
    return McpServer(**{"name": "net", "allow": ALL, "url": url, "key": KEY, **fields})


def plain(*allow: str, **fields) -> McpServer:
    return pipes(allow=allow, command=(sys.executable, "-c", PLAIN), **fields)


def tools_of(server: McpServer, loop: LoopThread) -> "McpTools":
    from interplay.background.mcp_tools import McpTools  # the SDK is slow to import

    return McpTools([server], loop)


def call(tools: "McpTools", loop: LoopThread, name: str, **arguments) -> str:
    registry = Registry(tools.tools)
    return loop.wait(registry.call_async(name, arguments, 0.0), 60.0).text


def test_only_what_is_allowed_is_there(over_pipes, over_http, loop):
    assert [tool.name for tool in over_pipes.tools] == [f"pipes__{name}" for name in ALL]
    assert [tool.name for tool in over_http.tools] == [f"net__{name}" for name in ALL]
    add = over_pipes.tools[0]
    assert add.description == "Add two numbers."
    assert set(add.json_schema()["properties"]) == {"a", "b"}
    with pytest.raises(ToolError, match="no tool 'pipes__forbidden'"):
        call(over_pipes, loop, "pipes__forbidden")


def test_calls_over_pipes_and_over_http(over_pipes, over_http, loop):
    assert call(over_pipes, loop, "pipes__add", a=2, b=3) == "the sum is 5"
    assert call(over_http, loop, "net__add", a=2, b=3) == "the sum is 5"


def test_calls_may_run_side_by_side(over_pipes, loop):
    registry = Registry(over_pipes.tools)

    async def three() -> list[str]:
        calls = (registry.call_async("pipes__add", {"a": 1, "b": k}, 0.0) for k in range(3))
        return [answer.text for answer in await asyncio.gather(*calls)]

    assert loop.wait(three(), 60.0) == [f"the sum is {1 + k}" for k in range(3)]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("refuse", {}, "pipes: .*not today"),
        ("add", {"a": "x", "b": 1}, "pipes: "),
        ("add", {"now_s": 1}, "pipes: "),
    ],
)
def test_a_tool_that_refuses_is_a_tool_error(over_pipes, loop, name, arguments, says):
    with pytest.raises(ToolError, match=says) as caught:
        call(over_pipes, loop, f"pipes__{name}", **arguments)
    assert len(str(caught.value)) < 8100


def test_results_are_bounded_and_only_text(over_pipes, loop):
    assert len(call(over_pipes, loop, "pipes__big")) == 8000
    assert call(over_pipes, loop, "pipes__picture") == "[image]"


def test_a_program_gets_only_the_secrets_it_was_given_and_they_are_not_shown(
    over_pipes, loop, monkeypatch
):
    text = call(over_pipes, loop, "pipes__environment")
    assert "TOKEN=***" in text and KEY not in text
    assert "PYTEST_CURRENT_TEST" not in text, "the rest of our environment is not its business"


def test_a_server_that_takes_too_long_is_given_up(loop):
    tools = tools_of(plain("slow", timeout_s=0.2), loop)
    with pytest.raises(ToolError, match="pipes took too long"):
        call(tools, loop, "pipes__slow")
    tools.close()


def test_a_server_that_dies_is_started_again_after_a_rest(loop, monkeypatch):
    monkeypatch.setattr("interplay.background.mcp_tools.MAX_WAIT_S", 600.0)
    monkeypatch.setattr("interplay.background.mcp_tools.FIRST_WAIT_S", 600.0)
    tools = tools_of(plain("hello", "die"), loop)
    with pytest.raises(ToolError, match="pipes"):
        call(tools, loop, "pipes__die")
    assert call(tools, loop, "pipes__hello") == "hello", "started at once"
    for _ in range(2):  # the second time it is started, and has not answered since
        with pytest.raises(ToolError, match="pipes"):
            call(tools, loop, "pipes__die")
    with pytest.raises(ToolError, match=r"has ended; it is started again in \d+ s"):
        call(tools, loop, "pipes__hello")
    monkeypatch.setattr(tools._links[0], "_rests_until_s", 0.0)
    assert call(tools, loop, "pipes__hello") == "hello", "never given up for good"
    tools.close()


def test_an_http_server_that_was_started_anew_is_asked_again_at_once(loop):
    with serving() as port:
        tools = tools_of(http(port), loop)
        assert call(tools, loop, "net__add", a=2, b=3) == "the sum is 5"
    with serving(port):
        registry = Registry(tools.tools)

        async def both() -> list[str]:
            calls = (registry.call_async("net__add", {"a": 1, "b": k}, 0.0) for k in range(2))
            return [answer.text for answer in await asyncio.gather(*calls)]

        assert loop.wait(both(), 60.0) == ["the sum is 1", "the sum is 2"]
        tools.close()


def test_the_rests_grow_up_to_a_minute_and_an_answer_ends_them():
    from interplay.background.mcp_tools import _Link

    link = _Link(pipes())
    now_s, rests = 0.0, []
    for _ in range(9):
        link._rest_or_start(now_s)
        with pytest.raises(BackgroundError, match="started again"):
            link._rest_or_start(now_s + 0.5)
        rests.append(link._rests_until_s - now_s)
        now_s = link._rests_until_s
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_server_that_answers_nonsense_is_a_tool_error(loop):
    tools = tools_of(plain("lie"), loop)
    with pytest.raises(ToolError, match="pipes: ValidationError") as caught:
        call(tools, loop, "pipes__lie")
    assert "\n" not in str(caught.value)
    tools.close()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"command": ("/nowhere/at/all",)}, "No such file"),
        ({"command": (sys.executable, "-c", "print('hello')")}, "'pipes': Connection closed"),
        ({"command": (sys.executable, "-c", "1/0")}, "'pipes': Connection closed"),
        (
            {"command": (sys.executable, "-c", PLAIN), "allow": ("hello", "subtract")},
            "no tool 'subtract'.*it has die, hello",
        ),
        (
            {"command": (sys.executable, "-c", "import sys; sys.stdin.read()"),
             "start_timeout_s": 0.3},
            "does not answer",
        ),
    ],
)  # fmt: skip
def test_servers_that_cannot_be_used_are_told_at_the_start(loop, fields, says):
    with pytest.raises(BackgroundError, match=says) as caught:
        tools_of(pipes(**fields), loop)
    assert "\n" not in str(caught.value)


def test_http_servers_that_cannot_be_used(loop, port):
    with pytest.raises(BackgroundError, match="'net': ConnectError"):
        tools_of(http(9), loop)
    with pytest.raises(BackgroundError, match="'net': Server returned an error") as caught:
        tools_of(http(port, key="wrong-key-123"), loop)
    assert "wrong-key-123" not in str(caught.value)


GOOD = """
[notes]
command = ["python", "server.py"]
allow = ["search"]
pass_env = ["NOTES_TOKEN"]

[weather]
url = "https://example.org/mcp"
allow = ["forecast", "radar"]
key_env = "WEATHER_KEY"
timeout_s = 3
"""


def test_servers_come_from_a_file(tmp_path):
    (tmp_path / "mcp.toml").write_text(GOOD)
    environ = {"NOTES_TOKEN": "a1b2", "WEATHER_KEY": KEY}
    notes, weather = load_servers(tmp_path / "mcp.toml", environ)
    assert (notes.name, notes.command, notes.allow) == (
        "notes",
        ("python", "server.py"),
        ("search",),
    )
    assert dict(notes.env) == {"NOTES_TOKEN": "a1b2"}
    assert (weather.url, weather.key, weather.timeout_s) == ("https://example.org/mcp", KEY, 3)
    assert KEY not in repr(weather) and "a1b2" not in repr(notes)
    assert weather.redact(f"x{KEY}y") == "x***y"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a", "is not TOML"),
        ("a = 1", "outside of a table"),
        ("[a]\nurl = 'http://x'", "`allow` must list"),
        ("[a]\nurl = 'http://x'\nallow = []", "`allow` must list"),
        ("[a]\nurl = 'http://x'\nallow = ['*']", "`allow` must list"),
        ("[a]\nurl = 'http://x'\nallow = 'x'", "allow must be a list"),
        ("[a]\nallow = ['x']", "either `command` or `url`"),
        ("[a]\nallow = ['x']\nurl = 'http://x'\ncommand = ['y']", "either `command` or `url`"),
        ("[A]\nallow = ['x']\nurl = 'http://x'", "its name"),
        ("[a]\nallow = ['x']\nurl = 'ftp://x'", "http:// or https://"),
        ("[a]\nallow = ['x']\nurl = 'http://[x'", "not a URL"),
        ("[a]\nallow = ['x']\nurl = 7", "url is of the wrong type"),
        ("[a]\nallow = ['x']\nurl = 'http://x'\ntimeout_s = true", "timeout_s is of the wrong"),
        ("[a]\nallow = ['x']\nurl = 'http://x'\ntimeout_s = 0", "timeout_s is 0"),
        ("[a]\nallow = ['x']\nurl = 'http://x'\nmax_result_chars = 0", "max_result_chars"),
        ("[a]\nallow = ['x']\nurl = 'http://me:pw@x'", "carries a password"),
        ("[a]\nallow = ['x']\nurl = 'http://x'\nkey_env = 'K'", "unencrypted"),
        ("[a]\nallow = ['x']\nurl = 'https://x'\nkey_env = 'L'", "'L' is not set"),
        ("[a]\nallow = ['x']\nurl = 'https://x'\nkey = 'hunter2'", "unknown 'key'; allowed: allow"),
    ],
)
def test_files_that_are_refused(tmp_path, text, says):
    path = tmp_path / "mcp.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load_servers(path, {"K": KEY})
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert KEY not in message and "hunter2" not in message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_servers(tmp_path / "none.toml")
