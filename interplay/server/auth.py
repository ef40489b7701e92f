"""Who may do what: API keys, and short-lived secrets with which a browser opens one session.

Only SHA-256 digests are kept, and they are compared in constant time. Knows nothing of sockets or
sessions; time is an argument.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interplay.errors import ConfigError, RequestError
from interplay.server.places import placed

MIN_KEY_LETTERS = 16
SECRET_S = (10, 7200)
DEFAULT_SECRET_S = 600
MAX_SECRETS = 10_000
DIGEST = re.compile("sha256:([0-9a-f]{64})")  # a key may be given as this
RETRY_S = 5.0  # when somebody with too many sessions may ask again
SECRET_KIND = "ek"  # what a client secret begins with
SECRET_PREFIX = f"{SECRET_KIND}_"
PROTOCOL_PREFIX = "openai-insecure-api-key."  # how browsers send a secret: as a subprotocol


@dataclass(kw_only=True)
class Account:
    """What one key has opened. max_sessions: at the same time, None: no bound. is_live: whether a
    session still goes on."""

    max_sessions: int | None
    is_live: Callable[[str], bool]
    session_ids: set[str] = field(default_factory=set)

    def check_may_open(self) -> None:
        """Raises RequestError when this key has as many sessions as it may."""
        self.session_ids = {i for i in self.session_ids if self.is_live(i)}
        if self.max_sessions is not None and len(self.session_ids) >= self.max_sessions:
            raise RequestError(
                "too_many_sessions",
                f"this key has {len(self.session_ids)} sessions of the {self.max_sessions} that it "
                f"may have at the same time; close one, or try again in {RETRY_S:g} s",
                retry_after_s=RETRY_S,
            )


@dataclass(kw_only=True)
class Secret:
    """A client secret, by its digest. account: of the key that asked for it. config: what was
    settled about its session when it was issued, in the words of a protocol. session_id: the one
    session that it has opened; while that goes on, the secret does not expire."""

    expires_s: float
    account: Account | None = None
    config: Any = None
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who was let in. secret: None for the holder of a key (or where none is needed),
    who may do everything. account: of that key, also of the key behind the secret."""

    secret: Secret | None = None
    account: Account | None = None

    @property
    def is_trusted(self) -> bool:
        return self.secret is None

    def check_may_open(self) -> None:
        """Raises RequestError when this secret has opened its session already, or the key has
        too many."""
        if self.secret and self.secret.session_id:
            raise RequestError("secret_used", "this secret has opened a session; ask for a new one")
        if self.account:
            self.account.check_may_open()

    def opened(self, session_id: str) -> None:
        if self.secret:
            self.secret.session_id = session_id
        if self.account:
            self.account.session_ids.add(session_id)

    @property
    def only_session(self) -> str | None:
        """The one session that may be taken up again; None: any. "" is none at all."""
        return None if self.secret is None else self.secret.session_id or ""


class Auth:
    """Keys of this server and the secrets it has issued. Without keys everybody is trusted, but
    for those who bring a client secret: it opens one session, as it was settled.

    keys: each as in a line of the file of keys. max_sessions: of one key at the same time where
    its line says nothing, None: no bound. is_live: whether a session, by its id, still goes on.
    place: of this server among several.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        *,
        max_sessions: int | None = None,
        is_live: Callable[[str], bool] = lambda _: True,
        place: str = "",
    ) -> None:
        """Raises ConfigError for a key that could be guessed, and for a line that is none."""
        self._keys: dict[bytes, Account] = {}
        for line in keys:
            key, bound = _split(line)
            most = max_sessions if bound is None else bound
            account = Account(max_sessions=most, is_live=is_live)
            if found := DIGEST.fullmatch(key):
                self._keys[bytes.fromhex(found.group(1))] = account
                continue
            if len(key) < MIN_KEY_LETTERS:
                raise ConfigError(
                    f"a key has {len(key)} letters; use at least {MIN_KEY_LETTERS}, for example "
                    "from `openssl rand -hex 24`"
                )
            self._keys[_digest(key)] = account
        self._secrets: dict[bytes, Secret] = {}
        self._is_live, self._place = is_live, place

    @property
    def is_needed(self) -> bool:
        return bool(self._keys)

    def visit(self, authorization: str | None, protocols: Iterable[str], now_s: float) -> Visitor:
        """Who comes with this header and these subprotocols. Raises RequestError for nobody
        that is known; without keys, for a client secret only: what was settled when it was issued
        cannot be had any more."""
        token = _token(authorization, protocols)
        digest = _digest(token)
        known = [
            key for key in self._keys if hmac.compare_digest(digest, key)
        ]  # all: constant time
        if token and known:
            return Visitor(account=self._keys[known[0]])
        secret = self._secrets.get(digest)
        if secret and (now_s < secret.expires_s or self._is_in_use(secret)):
            return Visitor(secret=secret, account=secret.account)
        if self.is_needed:
            text = "a valid key is needed; send `Authorization: Bearer KEY`"
        elif token.startswith(SECRET_PREFIX):
            text = "this client secret is unknown or has expired; ask for a new one, or send none"
        else:  # clients have to send some key, so any will do
            return Visitor()
        raise RequestError("unauthorized", text)

    def _is_in_use(self, secret: Secret) -> bool:
        """It outlives its time with its session, which may have to be taken up again."""
        return secret.session_id is not None and self._is_live(secret.session_id)

    def issue(
        self, seconds: int, now_s: float, config: Any = None, issuer: Visitor | None = None
    ) -> str:
        """A new secret for one session, which is to be as `config` says and counts as the issuer's.

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
            k: s for k, s in self._secrets.items() if now_s < s.expires_s or self._is_in_use(s)
        }
        if len(self._secrets) >= MAX_SECRETS:
            idle = (k for k, s in self._secrets.items() if not self._is_in_use(s))
            self._secrets.pop(next(idle, b""), None)  # there is one: sessions are fewer
        value = placed(SECRET_KIND, self._place, secrets.token_urlsafe(32))
        self._secrets[_digest(value)] = Secret(
            expires_s=now_s + seconds, account=issuer.account if issuer else None, config=config
        )
        return value


def read_keys(path: Path) -> list[str]:
    """One key per line, maybe with `sessions=N` behind it; empty lines and those that begin with #
    are skipped.

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


def without_key(line: str) -> str:
    """A line with the digest of its key in the place of the key. Raises ConfigError for a line
    that is none, and for a key that could be guessed."""
    Auth([line])
    key, *rest = line.split()
    shown = key if DIGEST.fullmatch(key) else f"sha256:{_digest(key).hex()}"
    return " ".join([shown, *rest])


def _split(line: str) -> tuple[str, int | None]:
    """A key, and how many sessions it may have. Raises ConfigError, which does not show the key."""
    key, *rest = line.split()
    name, _, number = rest[0].partition("=") if rest else ("sessions", "", "")
    if len(rest) > 1 or name != "sessions" or (rest and not (number.isdecimal() and int(number))):
        raise ConfigError(
            "behind a key stands something else than `sessions=N`, as in `KEY sessions=2`"
        )
    return key, int(number) if rest else None


def _token(authorization: str | None, protocols: Iterable[str]) -> str:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    found = [p.removeprefix(PROTOCOL_PREFIX) for p in protocols if p.startswith(PROTOCOL_PREFIX)]
    return found[0] if found else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
