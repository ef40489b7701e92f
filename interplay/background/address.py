"""Where a language model is: `URL#model`, what may be spent on it, and the key that opens it.

Knows nothing of HTTP or of what is said there.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from interplay.errors import ConfigError

KEY_VARIABLE = "INTERPLAY_BACKGROUND_KEY"
NO_KEY = "none"  # the SDK insists on one; servers without keys ignore it
BOUNDS = {  # what may follow the model, as in `?max_tokens=400&seconds=20`: how it is written
    "max_tokens": re.compile(r"[1-9]\d{0,6}"),
    "seconds": re.compile(r"\d{1,4}(\.\d+)?"),
    "rounds": re.compile(r"\d{1,3}"),
}
EXAMPLE = "http://127.0.0.1:8000/v1#qwen3-4b"


@dataclass(frozen=True, kw_only=True)
class Address:
    """A Chat Completions endpoint and a model there. key: never shown, never logged.

    max_tokens: of one reply. seconds: of one piece of work. rounds: of tools in it. None: not said.
    """

    url: str
    model: str
    max_tokens: int | None = None
    seconds: float | None = None
    rounds: int | None = None
    key: str = field(default=NO_KEY, repr=False)

    @property
    def has_key(self) -> bool:
        return self.key != NO_KEY

    def redact(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self.key, "***") if self.has_key else text


def parse_address(text: str, environ: Mapping[str, str] = os.environ) -> Address:
    """`URL#model` or `URL#model?max_tokens=400&seconds=20&rounds=4`, of which each may be left out;
    the key, if any, is the environment variable INTERPLAY_BACKGROUND_KEY.

    Raises ConfigError on a text without a model, a bound that there is not, another scheme than
    http or https, a URL that carries a password or a query (secrets there end up in logs), and on
    a key that would travel unencrypted to another machine.
    """
    url, _, rest = (part.strip() for part in text.partition("#"))
    model, _, wishes = rest.partition("?")
    if not model or not url:
        raise ConfigError(f"{_shown(text)} names no model; write URL#model, as in {EXAMPLE}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{_shown(text)} is not a URL; write one as in {EXAMPLE}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{_shown(text)} is not http:// or https://; write it as in {EXAMPLE}")
    if parts.username is not None or parts.query:
        raise ConfigError(
            f"the URL of the model at {host} carries a password or a query; "
            f"put the key into the environment variable {KEY_VARIABLE}"
        )
    key = environ.get(KEY_VARIABLE, "").strip() or NO_KEY
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(
            f"the key in {KEY_VARIABLE} has spaces or signs that no key has; look it up"
        )
    if key != NO_KEY and parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            f"the key in {KEY_VARIABLE} would travel unencrypted to {host}; "
            "use https, or unset the variable"
        )
    bounds = _bounds(wishes)
    return Address(
        url=url.rstrip("/"),
        model=model,
        max_tokens=int(bounds["max_tokens"]) if "max_tokens" in bounds else None,
        seconds=float(bounds["seconds"]) if "seconds" in bounds else None,
        rounds=int(bounds["rounds"]) if "rounds" in bounds else None,
        key=key,
    )


def _bounds(wishes: str) -> dict[str, str]:
    """`name=number&...`. Raises ConfigError for other names, other values and for a name twice."""
    found: dict[str, str] = {}
    for wish in filter(None, wishes.split("&")):
        name, _, value = wish.partition("=")
        if name not in BOUNDS or not BOUNDS[name].fullmatch(value) or name in found:
            raise ConfigError(
                f"{name[:40]!r} after the model is no bound, stands there twice or has no positive "
                f"number; allowed: {', '.join(BOUNDS)}, as in {EXAMPLE}?max_tokens=400&seconds=20"
            )
        found[name] = value
    return found


def is_loopback(host: str) -> bool:
    """Whether a name or number is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    """A text of a user in a message: short, and without what may be a password."""
    before, at, after = text[:120].rpartition("@")
    return repr(f"***@{after}") if at else repr(before + after)
