"""Which MCP servers there are and which of their tools may be called: a TOML file.

    [notes]
    command = ["python", "notes_server.py"]   # a program that speaks MCP over its pipes
    allow = ["search"]                        # nothing else can be called
    pass_env = ["NOTES_TOKEN"]                # variables it needs, by name

    [weather]
    url = "https://example.org/mcp"           # or a server that speaks MCP over HTTP
    allow = ["forecast"]
    key_env = "WEATHER_KEY"                   # sent as a bearer token
    timeout_s = 10

Knows nothing of the protocol.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from interplay.background.address import is_loopback
from interplay.errors import ConfigError

NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")
ENV_FIELDS = ("env", "key")  # read from the environment, never from the file


@dataclass(frozen=True, kw_only=True)
class McpServer:
    """One server. name: the first part of its tools' names. Exactly one of command and url.

    allow: names of the tools that may be called; there is no way to allow all.
    timeout_s: of a call; start_timeout_s: until it is connected and has listed its tools.
    env: what a command gets beside PATH, HOME and the like; key: bearer token of a url.
    Raises ConfigError.
    """

    name: str
    allow: tuple[str, ...]
    command: tuple[str, ...] = ()
    url: str = ""
    timeout_s: float = 20.0
    start_timeout_s: float = 30.0
    max_result_chars: int = 8000
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise self._wrong("its name is not 1 to 16 of a-z, 0-9 and -, with a letter first")
        if not self.allow or not all(name and name != "*" for name in self.allow):
            raise self._wrong("`allow` must list by name the tools that may be called")
        if bool(self.command) == bool(self.url):
            raise self._wrong("it needs either `command` or `url`")
        for field_name in ("timeout_s", "start_timeout_s"):
            seconds = getattr(self, field_name)
            if not 0 < seconds <= 600:
                raise self._wrong(f"{field_name} is {seconds:g}; allowed: above 0, at most 600")
        if not 0 < self.max_result_chars <= 100_000:
            raise self._wrong("max_result_chars must be 1 to 100000")
        if self.url:
            self._check_url()

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            host = parts.hostname
        except ValueError:
            raise self._wrong("its url is not a URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise self._wrong("its url must begin with http:// or https://")
        if parts.username is not None:
            raise self._wrong("its url carries a password; use key_env")
        if self.key and parts.scheme == "http" and not is_loopback(host):
            raise self._wrong("its key would travel unencrypted; use https")

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"MCP server {self.name[:40]!r}: {what}")

    def redact(self, text: str) -> str:
        """The text without its secrets."""
        for secret in filter(None, (self.key, *self.env.values())):
            text = text.replace(secret, "***")
        return text


def load_servers(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[McpServer, ...]:
    """All servers of a file. Raises ConfigError, naming the file."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    try:
        return tuple(_server(name, table, environ) for name, table in tables.items())
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _server(name: str, table: Any, environ: Mapping[str, str]) -> McpServer:
    known = [f.name for f in fields(McpServer) if f.name not in ("name", *ENV_FIELDS)]
    known += ["pass_env", "key_env"]
    if not isinstance(table, dict):
        raise ConfigError(f"{name!r} stands outside of a table; write [name] and its keys below")
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ConfigError(
            f"MCP server {name!r}: unknown {unknown[0]!r}; allowed: {', '.join(known)}"
        )
    values = dict(table)
    for key in ("allow", "command", "pass_env"):
        values[key] = _strings(name, key, values.get(key, []))
    kinds_of = {"timeout_s": int | float, "start_timeout_s": int | float}
    kinds_of |= {"max_result_chars": int, "url": str}
    for key, kinds in kinds_of.items():
        if key in values and (not isinstance(values[key], kinds) or values[key] is True):
            raise ConfigError(f"MCP server {name!r}: {key} is of the wrong type")
    env = {key: _variable(name, key, environ) for key in values.pop("pass_env")}
    key_env = values.pop("key_env", "")
    key = _variable(name, key_env, environ) if key_env else ""
    return McpServer(name=name, env=env, key=key, **values)


def _strings(name: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"MCP server {name!r}: {key} must be a list of texts")
    return tuple(value)


def _variable(name: str, variable: Any, environ: Mapping[str, str]) -> str:
    if not isinstance(variable, str) or not environ.get(variable):
        raise ConfigError(f"MCP server {name!r}: the environment variable {variable!r} is not set")
    return environ[variable]
