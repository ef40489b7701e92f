"""Who may use a server: hosts, origins, keys, secrets; and that none of them is ever logged."""

import argparse
import asyncio
import json
import logging
import socket
from collections.abc import Iterator

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from interplay.errors import ConfigError, DeviceError, RequestError
from interplay.server.auth import Auth, read_keys
from interplay.server.run import ServeConfig, Serving
from interplay.server.start import add_place, parse_bind, place_of
from tests.server_helpers import (
    KEY,
    logs_started,
    make_engine,
    next_of,
    refused,
    server,
    start,
    url,
)


@pytest.fixture(scope="module")
def open_server() -> Iterator[Serving]:
    """One for all tests that need no keys."""
    with server(3) as serving:
        yield serving


@pytest.fixture(scope="module")
def locked_server() -> Iterator[Serving]:
    with server(2, keys=(KEY,), names=("talk.example.org",)) as serving:
        yield serving


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Origin": "http://localhost:1"}, "foreign_origin"),
        ({"Origin": "http://[::1"}, "foreign_origin"),
        ({"Host": "rebound.example"}, "foreign_host"),
    ],
)
def test_foreign_pages_and_rebound_names_are_refused(open_server, headers, code):
    for path in ("/healthz", "/metrics"):
        answer = httpx2.get(url(open_server, path, "http"), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    if "Origin" in headers:

        async def call() -> None:
            with pytest.raises(InvalidStatus) as refused:
                await connect(url(open_server, "/v1/page"), additional_headers=headers)
            assert refused.value.response.status_code == 403

        asyncio.run(call())


def test_own_pages_and_allowed_names_pass(open_server, locked_server):
    own = {"Origin": f"http://127.0.0.1:{open_server.port}"}
    assert httpx2.get(url(open_server, "/healthz", "http"), headers=own).status_code == 200
    named = {"Host": "talk.example.org", "Origin": "https://talk.example.org"}
    assert httpx2.get(url(locked_server, "/healthz", "http"), headers=named).status_code == 200


def test_pages_of_this_machine_on_other_ports_are_foreign_until_named():
    pages = {name: {"Origin": f"http://{name}:3000"} for name in ("localhost", "127.0.0.1")}
    for named in ("localhost", "127.0.0.1"):
        with server(1, names=(named,)) as serving:
            for name, page in pages.items():
                answer = httpx2.get(url(serving, "/healthz", "http"), headers=page)
                assert answer.status_code == (200 if name == named else 403)


def test_without_a_key_there_is_no_session(locked_server):
    async def status(**headers: str) -> int:
        try:
            address = url(locked_server, "/v1/live/sessions")
            async with connect(address, additional_headers=headers):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    assert asyncio.run(status()) == 401
    assert asyncio.run(status(Authorization="Bearer wrong")) == 401
    assert asyncio.run(status(Authorization=f"Bearer {KEY}")) == 101
    assert httpx2.get(url(locked_server, "/metrics", "http")).status_code == 401
    assert httpx2.get(url(locked_server, "/healthz", "http")).status_code == 200


def test_a_client_secret_opens_one_session_and_nothing_else(locked_server):
    address = url(locked_server, "/v1/client_secrets", "http")
    key = {"Authorization": f"Bearer {KEY}"}
    made = httpx2.post(address, headers=key, json={"expires_after": {"seconds": 60}})
    secret = made.json()["value"]
    assert made.status_code == 201 and secret.startswith("ek_")
    bad = httpx2.post(address, headers=key, json={"expires_after": {"seconds": 5}})
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "invalid_value")
    assert httpx2.post(address, headers=key, content=b"x" * 70_000).status_code == 413
    secret_header = {"Authorization": f"Bearer {secret}"}
    assert httpx2.post(address, headers=secret_header).status_code == 403

    async def twice() -> tuple[str | None, str, int]:
        page = url(locked_server, "/v1/page")
        protocols = ["interplay", f"openai-insecure-api-key.{secret}"]
        async with connect(page, subprotocols=protocols) as first:  # type: ignore[arg-type]
            await first.send(json.dumps({"type": "start"}))
            started = json.loads(await first.recv())
            live = url(locked_server, "/v1/live/sessions")
            async with connect(live, additional_headers=secret_header) as second:
                await second.send(start())
                error = json.loads(await second.recv())["error"]["code"]
            side = url(locked_server, f"/v1/live/sessions/{started['session_id']}/attach")
            with pytest.raises(InvalidStatus) as refused:
                await connect(side, additional_headers=secret_header)
            await first.send(json.dumps({"type": "close"}))
            return first.subprotocol, error, refused.value.response.status_code

    assert asyncio.run(twice()) == ("interplay", "secret_used", 403)


def test_secrets_expire_and_weak_keys_are_refused(tmp_path):
    auth = Auth([KEY])
    secret = auth.issue(10, 100.0)
    auth.visit(f"Bearer {secret}", [], 109.0)
    for header in (f"Bearer {secret}", f"Basic {KEY}", "Bearer ", None):
        with pytest.raises(Exception, match="a valid key"):
            auth.visit(header, [], 111.0)
    with pytest.raises(ConfigError, match="at least 16"):
        Auth(["short"])
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n{KEY}\n")
    assert read_keys(file) == [KEY]
    file.write_text("# none\n")
    for path in (file, tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigError, match="one key per line"):
            read_keys(path)


def test_without_keys_a_secret_still_opens_one_session_as_it_was_settled():
    auth = Auth()
    secret = auth.issue(10, 100.0, config="settled")
    for header, protocols in (
        (f"Bearer {secret}", []),
        (None, [f"openai-insecure-api-key.{secret}"]),
    ):
        visitor = auth.visit(header, protocols, 109.0)
        assert visitor.secret and visitor.secret.config == "settled" and not visitor.is_trusted
    auth.visit(f"Bearer {secret}", [], 109.0).opened("live_1")
    assert refused(auth.visit(f"Bearer {secret}", [], 109.0).check_may_open).code == "secret_used"
    for header in (None, "Bearer sk-any-key-of-a-client", "Basic x"):
        assert auth.visit(header, [], 109.0).is_trusted, "no key is asked for"
    late = Auth()
    expired = late.issue(10, 100.0)
    for unknown in (expired, "ek_made-up"):
        error = refused(late.visit, f"Bearer {unknown}", [], 111.0)
        assert error.code == "unauthorized" and "unknown or has expired" in str(error)


def test_a_used_secret_lives_as_long_as_its_session(monkeypatch):
    live = {"live_1", "live_2"}
    auth = Auth([KEY], is_live=live.__contains__)
    first, second = auth.issue(10, 0.0), auth.issue(10, 0.0)
    auth.visit(f"Bearer {first}", [], 5.0).opened("live_1")
    auth.visit(f"Bearer {second}", [], 5.0).opened("live_2")
    assert auth.visit(f"Bearer {first}", [], 99.0).only_session == "live_1"
    live.remove("live_1")
    with pytest.raises(RequestError, match="a valid key"):
        auth.visit(f"Bearer {first}", [], 99.0)
    assert auth.visit(f"Bearer {first}", [], 9.0).only_session == "live_1", "its time is not over"
    auth.issue(10, 99.0)
    assert len(auth._secrets) == 2, "what is over is forgotten"
    monkeypatch.setattr("interplay.server.auth.MAX_SECRETS", 2)
    newest = [auth.issue(10, 99.0) for _ in range(3)][-1]
    assert len(auth._secrets) == 2
    for secret in (second, newest):
        assert auth.visit(f"Bearer {secret}", [], 100.0).secret, "not the one in use"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/realtime/calls/rtc_1/refer", 404, "not_found"),
        ("POST", "/v1/live/sessions/live_1/fork", 404, "not_found"),
        ("GET", "/v1/live/sessions/live_1/content", 404, "not_found"),
        ("GET", "/v1/realtime/calls", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_served_is_an_error_like_any_other(open_server, method, path, status, code):
    answer = httpx2.request(method, url(open_server, path, "http"))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, None)
    assert path in error["message"] and "\n" not in error["message"]
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)


def test_a_socket_that_is_not_served_is_an_error_like_any_other(open_server):
    async def knock() -> tuple[int, str]:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url(open_server, "/v1/realtime/translations"))
        response = refused.value.response
        return response.status_code, json.loads(response.body)["error"]["code"]

    assert asyncio.run(knock()) == (404, "not_found")


def test_other_machines_need_a_key():
    with pytest.raises(ConfigError, match="no keys are set"):
        ServeConfig(host="0.0.0.0")
    assert ServeConfig(host="0.0.0.0", keys=(KEY,)).port
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_bind("8000")
    assert parse_bind("[::1]:80") == ("[::1]", 80)


def test_a_taken_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DeviceError, match="cannot listen"):
            Serving(make_engine(1), ServeConfig(port=taken.getsockname()[1]))


def test_logs_are_json_and_hold_no_secrets(capsys):
    with logs_started():
        log = logging.getLogger("interplay.server.test")
        log.info("got Bearer %s and ek_%s", KEY, "abcdef", extra={"session": "live_1"})
        try:
            raise ValueError(f"openai-insecure-api-key.{KEY}")
        except ValueError:
            log.exception("failed")
    written = capsys.readouterr().err
    first, second = map(json.loads, written.splitlines())
    assert (first["level"], first["session"]) == ("info", "live_1")
    assert second["level"] == "error" and "ValueError" in second["error"]
    assert KEY not in written and "abcdef" not in written


def test_nothing_secret_is_logged_while_serving(locked_server, caplog):
    async def talk() -> None:
        address = url(locked_server, "/v1/live/sessions")
        headers = {"Authorization": f"Bearer {KEY}"}
        async with connect(address, additional_headers=headers) as connection:
            await connection.send(start(instructions="mysteryword"))
            await next_of(connection, "session.started")
            await connection.send('{"type": "mysteryword"}')
            await next_of(connection, "error")

    with caplog.at_level(logging.DEBUG, "interplay"):
        asyncio.run(talk())
    assert "session opened" in caplog.text
    everything = " ".join(str(vars(record)) for record in caplog.records)
    assert KEY not in everything and "mysteryword" not in everything


@pytest.mark.parametrize(("words", "seen"), [(["--slots", "0"], "--slots is 0"), ([], "no folder")])
def test_places_that_cannot_be_are_refused_before_a_model_is_loaded(tmp_path, words, seen):
    parser = argparse.ArgumentParser()
    add_place(parser)
    file = tmp_path / "notes.txt"
    file.write_text("kept")
    with pytest.raises(ConfigError, match=seen):
        place_of(parser.parse_args(words), record_root=None if words else file)
