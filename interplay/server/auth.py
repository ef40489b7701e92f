"""Who may do what: API keys, and short-lived secrets with which a browser opens one session.

Only SHA-256 digests are kept, and they are compared in constant time. Knows nothing of sockets or
sessions; time is an argument.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplay.errors import ConfigError, RequestError

MIN_KEY_LETTERS = 16
SECRET_S = (10, 7200)
DEFAULT_SECRET_S = 600
MAX_SECRETS = 10_000
PROTOCOL_PREFIX = "openai-insecure-api-key."  # how browsers send a secret: as a subprotocol


@dataclass(kw_only=True)
class Secret:
    """A client secret, by its digest. config: what was settled about its session when it was
    issued, in the words of a protocol. session_id: the one session that it has opened."""

    expires_s: float
    config: Any = None
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who was let in. secret: None for the holder of a key (or where none is needed),
    who may do everything."""

    secret: Secret | None = None

    @property
    def is_trusted(self) -> bool:
        return self.secret is None

    def check_may_open(self) -> None:
        """Raises RequestError when this secret has opened its session already."""
        if self.secret and self.secret.session_id:
            raise RequestError("secret_used", "this secret has opened a session; ask for a new one")

    def opened(self, session_id: str) -> None:
        if self.secret:
            self.secret.session_id = session_id

    @property
    def only_session(self) -> str | None:
        """The one session that may be taken up again; None: any. "" is none at all."""
        return None if self.secret is None else self.secret.session_id or ""


class Auth:
    """Keys of this server and the secrets it has issued. Without keys everybody is trusted."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Raises ConfigError for a key that could be guessed."""
        self._keys = []
        for key in keys:
            if len(key) < MIN_KEY_LETTERS:
                raise ConfigError(
                    f"a key has {len(key)} letters; use at least {MIN_KEY_LETTERS}, for example "
                    "from `openssl rand -hex 24`"
                )
            self._keys.append(_digest(key))
        self._secrets: dict[bytes, Secret] = {}

    @property
    def is_needed(self) -> bool:
        return bool(self._keys)

    def visit(self, authorization: str | None, protocols: Iterable[str], now_s: float) -> Visitor:
        """Who comes with this header and these subprotocols. Raises RequestError for nobody
        that is known."""
        if not self.is_needed:
            return Visitor()
        token = _token(authorization, protocols)
        digest = _digest(token)
        known = [hmac.compare_digest(digest, key) for key in self._keys]  # all: constant time
        if token and any(known):
            return Visitor()
        secret = self._secrets.get(digest)
        if secret and (secret.session_id or now_s < secret.expires_s):
            return Visitor(secret=secret)
        raise RequestError(
            "unauthorized", "a valid key is needed; send `Authorization: Bearer KEY`"
        )

    def issue(self, seconds: int, now_s: float, config: Any = None) -> str:
        """A new secret for one session, which is to be as `config` says.

        Raises RequestError for a lifetime out of range.
        """
        least_s, most_s = SECRET_S
        if not least_s <= seconds <= most_s:
            raise RequestError(
                "invalid_value",
                f"expires_after.seconds is {seconds}; use {least_s} to {most_s}",
                param="expires_after.seconds",
            )
        self._secrets = {
            k: s for k, s in self._secrets.items() if s.session_id or now_s < s.expires_s
        }
        while len(self._secrets) >= MAX_SECRETS:
            del self._secrets[next(iter(self._secrets))]
        value = f"ek_{secrets.token_urlsafe(32)}"
        self._secrets[_digest(value)] = Secret(expires_s=now_s + seconds, config=config)
        return value


def read_keys(path: Path) -> list[str]:
    """One key per line; empty lines and those that begin with # are skipped.

    Raises ConfigError when the file cannot be read or holds no key.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(
            f"cannot read keys from {path}: {reason}; write one key per line"
        ) from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ConfigError(f"{path} holds no key; write one key per line")
    return keys


def _token(authorization: str | None, protocols: Iterable[str]) -> str:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    found = [p.removeprefix(PROTOCOL_PREFIX) for p in protocols if p.startswith(PROTOCOL_PREFIX)]
    return found[0] if found else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
