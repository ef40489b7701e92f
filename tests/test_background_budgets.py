"""What may be spent on a language model: bounds in its name, wishes of clients, what is counted."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from interplay.background.address import parse_address
from interplay.background.broker import Broker
from interplay.background.chat import ChatBackend
from interplay.background.chat_stream import read_reply
from interplay.background.choose import open_background
from interplay.background.contract import TOO_LATE, BackendSettings, Budget, Usage
from interplay.background.functions import request_of
from interplay.background.scripted import ScriptedBackend
from interplay.errors import ConfigError

ADDRESS = "http://127.0.0.1:1/v1#qwen"


def test_bounds_stand_behind_the_model():
    address = parse_address(f"{ADDRESS}?max_tokens=400&seconds=2.5&rounds=0", {})
    assert (address.model, address.max_tokens, address.seconds, address.rounds) == (
        "qwen",
        400,
        2.5,
        0,
    )
    plain = parse_address(ADDRESS, {})
    assert (plain.max_tokens, plain.seconds, plain.rounds) == (None, None, None)


def test_a_session_gets_the_budget_of_the_name():
    background = open_background(f"{ADDRESS}?max_tokens=400&seconds=20&rounds=2")
    try:
        backend = background.open()
        assert isinstance(backend, ChatBackend)
        assert backend.budget == Budget(max_seconds=20, max_tool_rounds=2)
        assert backend._chat.config.max_tokens == 400
    finally:
        background.close()


class Thrifty(ScriptedBackend):
    """A backend of somebody else, with a budget."""

    budget = Budget(max_seconds=3)


def test_any_backend_may_bring_its_budget():
    broker = Broker(Thrifty(delay_s=9))
    broker.delegate("weather", 0.0)
    assert broker.poll(2.9) == []
    (result,) = broker.poll(3.0)
    assert (result.status, result.content) == ("failed", TOO_LATE)


@pytest.mark.parametrize(
    "wish", ["max_token=4", "max_tokens=0", "max_tokens=x", "seconds=1&seconds=2", "seconds", "=1"]
)
def test_other_bounds_are_refused_in_one_line(wish):
    with pytest.raises(ConfigError, match="allowed: max_tokens, seconds, rounds") as caught:
        parse_address(f"{ADDRESS}?{wish}", {})
    assert "\n" not in str(caught.value)


def test_no_time_at_all_is_refused():
    with pytest.raises(ConfigError, match="max_seconds"):
        open_background(f"{ADDRESS}?seconds=0")


@pytest.mark.parametrize(
    ("wished", "bound", "sent"), [(900, 400, 400), (50, 400, 50), (None, 400, 400), (50, None, 50)]
)
def test_a_client_may_wish_for_less_but_not_for_more(wished, bound, sent):
    request = request_of(BackendSettings(max_tokens=wished), [], 0, True, bound)
    assert request["max_tokens"] == sent
    assert "max_tokens" not in request_of(BackendSettings(), [], 0, True)


async def chunks(*usages: Any) -> AsyncIterator[Any]:
    delta = SimpleNamespace(content="ten", tool_calls=None)
    yield SimpleNamespace(choices=[SimpleNamespace(delta=delta, finish_reason="stop")], usage=None)
    for usage in usages:
        yield SimpleNamespace(choices=[], usage=usage)


def test_tokens_are_counted_as_the_server_says_and_nonsense_counts_nothing():
    told = SimpleNamespace(
        prompt_tokens=7,
        completion_tokens=-5,
        prompt_tokens_details=None,
        completion_tokens_details=SimpleNamespace(reasoning_tokens="many"),
    )
    reply = asyncio.run(read_reply(chunks(told)))
    assert reply.usage == Usage(input=7) and reply.text == "ten"
    assert asyncio.run(read_reply(chunks())).usage is None
    assert Usage(input=1, output=2) + Usage(input=3, cached=1) == Usage(input=4, cached=1, output=2)
