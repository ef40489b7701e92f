"""What docs/background.md says, executed."""

import re
from pathlib import Path

import pytest

from interplay.background.broker import Budget
from interplay.background.chat import ChatBackend
from interplay.background.choose import open_background
from interplay.background.clocks import Timers
from interplay.background.contract import Result
from interplay.background.documents import DocumentIndex
from interplay.background.echo import builtin_tools
from interplay.background.mcp_config import load_servers

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "background.md").read_text()


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def test_the_first_example_runs(capsys):
    exec(compile(fences("python")[0], "docs/background.md", "exec"), {})
    assert capsys.readouterr().out == "42\n"


def test_a_language_model_is_opened_by_name():
    scope = {"open_background": open_background}
    exec(compile(fences("python")[1], "docs/background.md", "exec"), scope)
    background = scope["background"]
    assert isinstance(background.open(), ChatBackend)
    background.close()


def test_the_file_of_servers_is_one(tmp_path):
    (tmp_path / "mcp.toml").write_text(fences("toml")[0])
    servers = load_servers(tmp_path / "mcp.toml", {"NOTES_TOKEN": "a", "WEATHER_KEY": "b"})
    assert [server.name for server in servers] == ["notes", "weather"]
    assert (servers[0].timeout_s, servers[0].max_result_chars) == (20, 8000)


def test_the_tables_name_every_tool_and_every_field(tmp_path):
    index = DocumentIndex(tmp_path)
    names = {tool.name for tool in builtin_tools(Timers(), index)}
    index.close()
    rows = re.findall(r"^\| (`.*?) \|", TEXT, re.M)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert named == names | set(Result.__dataclass_fields__) | {"final"}


@pytest.mark.parametrize("field", ["max_seconds", "max_tool_rounds", "max_parallel", "max_queued"])
def test_the_budget_is_as_told(field):
    [told] = re.findall(r"`Budget`: (\d+) s, (\d+) rounds of tools, (\d+) .*?, (\d+) more", TEXT)
    names = ("max_seconds", "max_tool_rounds", "max_parallel", "max_queued")
    assert getattr(Budget(), field) == float(told[names.index(field)])
