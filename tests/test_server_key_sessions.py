"""How many sessions one key may have at the same time: counted, refused, given back."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from interplay.errors import ConfigError
from interplay.server.auth import Auth, read_keys
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary
from tests.server_helpers import KEY, beat, client, make_hub, next_of, refused, send, server, start
from tests.server_helpers import url as address_of

OTHER = "o" * 32


def visit(auth: Auth, key: str):
    return auth.visit(f"Bearer {key}", [], 0.0)


def test_a_key_has_so_many_sessions_and_no_more():
    hub = make_hub(4)
    auth = Auth([KEY, OTHER], max_sessions=2, is_live=hub.sessions.__contains__)
    first, second = (client(hub, visitor=visit(auth, KEY)) for _ in range(2))
    third = LivePrimary(hub, visit(auth, KEY))
    error = refused(third.receive, start())
    assert error.code == "too_many_sessions" and error.retry_after_s == 5.0
    assert "2 sessions of the 2" in str(error) and KEY not in str(error)
    assert hub.num_free == 2, "no slot was taken"
    client(hub, visitor=visit(auth, OTHER))
    send(first, "session.close")
    third.receive(start())
    assert third.session and second.session and hub.num_free == 1


def test_what_ends_by_itself_is_given_back_and_a_resume_is_no_new_session():
    hub = make_hub(4, limits=Limits(session_s=2.0))
    auth = Auth([KEY], max_sessions=1, is_live=hub.sessions.__contains__)
    adapter = client(hub, "resume", visitor=visit(auth, KEY))
    assert adapter.session
    token = hub.issue_token(adapter.session)
    hub.lose(adapter.session, adapter.outbox)
    again = LivePrimary(hub, visit(auth, KEY))
    send(again, "interplay.session.resume", token=token, last_turn=-1)
    assert again.session is adapter.session
    assert refused(LivePrimary(hub, visit(auth, KEY)).receive, start()).code == "too_many_sessions"
    beat(hub, 11)
    client(hub, visitor=visit(auth, KEY))


def test_client_secrets_count_for_the_key_that_asked_for_them():
    hub = make_hub(4)
    auth = Auth([KEY], max_sessions=2, is_live=hub.sessions.__contains__)
    secrets = [auth.issue(60, 0.0, issuer=visit(auth, KEY)) for _ in range(3)]
    adapters = [LivePrimary(hub, visit(auth, secret)) for secret in secrets]
    for adapter in adapters[:2]:
        adapter.receive(start())
    error = refused(adapters[2].receive, start())
    assert error.code == "too_many_sessions"
    send(adapters[0], "session.close")
    adapters[2].receive(start())


def test_a_line_of_the_file_may_say_how_many(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"{KEY} sessions=1\n{OTHER}\n")
    hub = make_hub(4)
    auth = Auth(read_keys(file), is_live=hub.sessions.__contains__)
    client(hub, visitor=visit(auth, KEY))
    assert refused(LivePrimary(hub, visit(auth, KEY)).receive, start()).code == "too_many_sessions"
    for _ in range(3):
        client(hub, visitor=visit(auth, OTHER))
    for tail in ("sessions=0", "sessions=x", "limit=2", "sessions=1 more"):
        with pytest.raises(ConfigError, match="sessions=N") as caught:
            Auth([f"{KEY} {tail}"])
        assert KEY not in str(caught.value)


def test_over_a_socket_the_refusal_is_counted_and_closes_with_1013():
    async def talk(serving) -> tuple[dict, int]:
        address, headers = (
            address_of(serving, "/v1/live/sessions"),
            {"Authorization": f"Bearer {KEY}"},
        )
        async with connect(address, additional_headers=headers) as first:
            await first.send(start())
            await next_of(first, "session.started")
            async with connect(address, additional_headers=headers) as second:
                await second.send(start())
                error = await next_of(second, "error")
                with pytest.raises(ConnectionClosed) as closed:
                    await second.recv()
            await first.send(json.dumps({"type": "session.close"}))
            await next_of(first, "session.closed")
        assert closed.value.rcvd
        return error["error"], closed.value.rcvd.code

    with server(2, Limits(key_sessions=1), keys=(KEY,)) as serving:
        error, code = asyncio.run(talk(serving))
        count = serving.hub.metrics.registry.get_sample_value
        assert count("im_rejects_total", {"reason": "too_many_sessions"}) == 1
    assert (error["code"], error["retry_after_s"], code) == ("too_many_sessions", 5.0, 1013)
