"""Judges: language models that read a reply and give a verdict, asked the same way every time.

A judge is any OpenAI-compatible endpoint. What it is asked and what it answered is kept on disk, so
a verdict is given once and never again. Nonsense and time-outs are tried a fixed number of times
and counted; a busy judge is given time. Verdicts by rule (bench.wording.rules) never share a row
with these. Knows nothing of suites or traces.
"""

import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from interplay.errors import BackgroundError, ConfigError, RecordError

NUM_TRIES = 3  # of a request that times out; also of a reply that is nonsense
TIMEOUT_S = 60.0
PAUSE_S = 1.0  # after the first failed request; doubled after every further one
MAX_PAUSE_S = 120.0  # whatever an endpoint asks for
SEED = 0
SETTINGS = {"temperature", "seed"}  # what a judge can do without
AGAIN = "\n\nAnswer only in the form asked for. (Request {number} of {total}.)"
T = TypeVar("T")


@runtime_checkable
class Judge(Protocol):
    """name: of the model that judges; goes into the results."""

    name: str

    def judge(self, system: str, user: str) -> str:
        """The reply. Raises BackgroundError if there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Verdict(Generic[T]):
    """value: None if no try gave a usable reply. notes: what to count beside the value."""

    value: T | None
    notes: tuple[str, ...] = ()


def ask(
    judge: Judge,
    system: str,
    user: str,
    parse: Callable[[str], T | None],
    *,
    tries: int = NUM_TRIES,
) -> Verdict[T]:
    """A parsed verdict. parse: a reply -> the value, None for nonsense.

    Nonsense is asked again with a reminder, which makes it another prompt with a place of its own
    in the store. Notes: `judge_asked_again`, and `judge_nonsense` or `judge_unreachable` where
    there is no verdict; those items are left out and counted, never guessed.
    """
    for number in range(tries):
        again = AGAIN.format(number=number + 1, total=tries) if number else ""
        try:
            value = parse(judge.judge(system, user + again))
        except JudgeUnreachable:
            return Verdict(value=None, notes=("judge_unreachable",))
        if value is not None:
            return Verdict(value=value, notes=("judge_asked_again",) if number else ())
    return Verdict(value=None, notes=("judge_asked_again", "judge_nonsense"))


class JudgeUnreachable(BackgroundError):
    """No reply in the fixed number of tries. Others may still be had: the item is counted."""


class JudgeBusy(TimeoutError):
    """The endpoint says when it may be asked again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SettingRefused(Exception):
    """The model takes a request only without one of its settings: those that reason before they
    answer have no temperature."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class EndpointJudge:
    """A model behind Chat Completions, temperature 0 and a fixed seed, where it takes these.

    folder: where prompts and replies are stored, one JSON file named by the SHA-256 of model and
    prompt; None stores nothing. send: (request fields) -> reply text, in place of the network.
    sleep: waits so many seconds before a failed request is sent again. num_failed, num_asked,
    num_stored: requests that failed, that were answered, and replies that came from the folder;
    without: settings that the model refuses. For the facts of a result.
    """

    def __init__(
        self,
        model: str,
        *,
        folder: Path | None = None,
        send: Callable[[Mapping[str, Any]], str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = model
        self.num_failed = self.num_asked = self.num_stored = 0
        self.without: list[str] = []
        self._settings: dict[str, Any] = {"temperature": 0, "seed": SEED}
        self._folder = folder
        self._send = send or endpoint()
        self._sleep = sleep

    def judge(self, system: str, user: str) -> str:
        path = self._folder and self._folder / f"{key_of(self.name, system, user)}.json"
        if path and path.exists():
            self.num_stored += 1
            return _stored(path)
        reply = self._ask(system, user)
        if path:
            _store(path, {"model": self.name, "system": system, "user": user, "reply": reply})
        return reply

    def facts(self) -> dict[str, Any]:
        """What a result says about its judge."""
        facts = {
            "judge": self.name,
            "judge_asked": self.num_asked,
            "judge_stored": self.num_stored,
            "judge_failed": self.num_failed,
        }
        return facts | ({"judge_without": ", ".join(self.without)} if self.without else {})

    def _ask(self, system: str, user: str) -> str:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        request = {"model": self.name, "messages": messages}
        problem: Exception | None = None
        for number in range(NUM_TRIES):
            if problem is not None:
                self._sleep(pause_s(number - 1, problem))
            try:
                reply = self._sent(request)
            except TimeoutError as error:
                self.num_failed += 1
                problem = error
                continue
            self.num_asked += 1
            return reply
        raise JudgeUnreachable(
            f"judge {self.name} gave no reply in {NUM_TRIES} tries ({problem}); run it again, what "
            "was judged is kept"
        )

    def _sent(self, request: Mapping[str, Any]) -> str:
        """The reply; what settings the model refuses is found out with the first request."""
        while True:
            try:
                return self._send({**request, **self._settings})
            except SettingRefused as refused:
                del self._settings[refused.name]
                self.without.append(refused.name)


def pause_s(num_before: int, problem: Exception) -> float:
    """Seconds to wait before a request is sent again: twice as long after each failure, up to half
    of it more or less, so that many clients do not come back at once; not less than the endpoint
    asks for."""
    backoff_s = PAUSE_S * 2**num_before * random.uniform(0.5, 1.5)
    asked_s = problem.retry_after_s if isinstance(problem, JudgeBusy) else 0.0
    return min(max(backoff_s, asked_s), MAX_PAUSE_S)


def key_of(model: str, system: str, user: str) -> str:
    """The name under which a reply is stored: SHA-256 of model and prompt."""
    return hashlib.sha256(json.dumps([model, system, user]).encode()).hexdigest()


def endpoint(
    *, base_url: str | None = None, api_key: str | None = None, timeout_s: float = TIMEOUT_S
) -> Callable[[Mapping[str, Any]], str]:
    """Requests to OPENAI_BASE_URL (OpenAI itself if unset) with OPENAI_API_KEY.

    The function raises TimeoutError for what may pass (time-outs, lost connections, 5xx, 429),
    SettingRefused for a setting that the model does not take, and BackgroundError for what will
    not pass (a refused key, an unknown model). Raises ConfigError where the client is not installed
    or no key is given.
    """
    try:
        import openai
    except ImportError as error:
        raise ConfigError(
            "a judge needs the `bench` extra: pip install interplay[bench]"
        ) from error
    api_key = api_key or os.environ.get("OPENAI_API_KEY")
    if not api_key:
        raise ConfigError(
            "a judge needs OPENAI_API_KEY (any word for a server of your own) and, if it is not "
            "OpenAI, OPENAI_BASE_URL"
        )
    client = openai.OpenAI(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)

    def send(request: Mapping[str, Any]) -> str:
        try:
            done = client.chat.completions.create(**request)
        except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError) as e:
            asked = _retry_after_s(getattr(e, "response", None))
            raise (TimeoutError(str(e)) if asked is None else JudgeBusy(str(e), asked)) from e
        except openai.OpenAIError as error:
            setting = getattr(error, "param", None)
            if isinstance(error, openai.BadRequestError) and setting in SETTINGS & request.keys():
                raise SettingRefused(setting) from error
            raise BackgroundError(
                f"judge {request['model']} at {client.base_url} refuses: {error}; check the key "
                "and the name of the model"
            ) from error
        return (done.choices[0].message.content or "") if done.choices else ""

    return send


def _retry_after_s(response: Any) -> float | None:
    """What a response asks for, in seconds; None where it asks for nothing (or names a date)."""
    try:
        asked = float(response.headers["retry-after"])
    except (AttributeError, KeyError, ValueError):
        return None
    return asked if asked >= 0 else None


def _stored(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["reply"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is not a stored verdict; delete it to ask again") from error


def _store(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def json_field(reply: str, field: str) -> Any:
    """A field of the JSON object in a reply, fenced or among other words; None if there is none."""
    start, end = reply.find("{"), reply.rfind("}")
    try:
        found = json.loads(reply[start : end + 1], strict=False)
    except ValueError:
        return None
    return found.get(field) if isinstance(found, dict) else None


def yes_or_no(reply: str) -> bool | None:
    """The first word of a reply as a verdict."""
    word = reply.strip().strip("\"'*`").split(maxsplit=1)
    answer = word[0].strip(".,:;!*\"'`").lower() if word else ""
    return {"yes": True, "no": False}.get(answer)
