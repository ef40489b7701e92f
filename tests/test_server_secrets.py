"""What is secret stays so: no key, secret, token, word or sound in any log line, whatever fails."""

import asyncio
import json
import logging

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from interplay.background.broker import Broker
from interplay.background.echo import EchoBackground
from interplay.server.auth import Auth
from interplay.server.logs import mask, start_logs
from interplay.turns.tokens import DELEGATE, END
from tests.server_helpers import (
    KEY,
    advanced,
    b64,
    client,
    loaded,
    logs_started,
    make_hub,
    next_of,
    pcm,
    received,
    refused,
    send,
    server,
    start,
    url,
)

TOKENIZER = loaded().tokenizer


def written(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that any handler could write of what was logged."""
    formatter = logging.Formatter()
    traces = [formatter.formatException(r.exc_info) for r in caplog.records if r.exc_info]
    return " ".join([*(str(vars(record)) for record in caplog.records), *traces])


def test_keys_secrets_and_tokens_are_kept_as_digests_only():
    hub = make_hub()
    auth = Auth([KEY])
    secret = auth.issue(60, 0.0)
    adapter = client(hub, "resume")
    token = received(adapter)[0]["session"]["interplay"]["resume_token"]
    kept = f"{vars(auth)} {vars(hub)['_by_token']}"
    for value in (KEY, secret, token):
        assert value not in kept


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "openai-insecure-api-key.{}",
        "ek_{}",
        "ek_abc123.{}",
        "rt_abc123.{}",
        "sk-{}",
        "['realtime', 'openai-insecure-api-key.ek_{}']",
    ],
)
def test_the_mask_cuts_away_what_looks_like_a_secret(text):
    assert KEY not in mask(text.format(KEY)) and "***" in mask(text.format(KEY))


def test_uvicorn_logs_neither_headers_nor_refusals(capsys):
    with logs_started():
        log = logging.getLogger("uvicorn.error")
        assert not log.isEnabledFor(logging.INFO)
        log.error("ASGI callable returned without completing handshake.")
        assert not capsys.readouterr().err, "a client that was refused is no fault"
        log.error("another")
        assert "another" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["some.library", "interplay.server", "uvicorn.error"])
def test_whoever_logs_there_is_one_masked_line(capsys, caplog, name):
    with logs_started():
        start_logs(ticks=True)  # a second time, as a second server of a process does
        logging.getLogger(name).warning("sent %s", f"Bearer {KEY}")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == name and "Bearer ***" in line and KEY not in line
    assert [record.name for record in caplog.records] == [name], "other handlers still get it"


def test_nothing_secret_is_logged_when_clients_come_and_fail(caplog):
    async def talk(serving) -> list[str]:
        address, keys = url(serving, "/v1/live/sessions"), {"Authorization": f"Bearer {KEY}"}
        made = httpx2.post(url(serving, "/v1/client_secrets", "http"), headers=keys)
        secret = made.json()["value"]
        wrong = "wrongkey" * 4
        for headers in ({"Authorization": f"Bearer {wrong}"}, {**keys, "Origin": "https://a.b"}):
            with pytest.raises(InvalidStatus):
                await connect(address, additional_headers=headers)
        offered = ["realtime", f"openai-insecure-api-key.{secret}"]
        async with connect(address, subprotocols=offered) as connection:  # type: ignore[arg-type]
            extra = {"interplay": {"extensions": ["resume", "text"]}}
            await connection.send(start(instructions="mysteryword", **extra))
            about = (await next_of(connection, "session.started"))["session"]
            token = about["interplay"]["resume_token"]
            for message in (
                '{"type": "mysteryword"}',
                "mysteryword",
                json.dumps({"type": "interplay.input_text.append", "text": "mysteryword"}),
                json.dumps({"type": "session.input_audio.append", "audio": b64(pcm(0.2))}),
                json.dumps({"type": "interplay.session.resume", "token": token, "last_turn": 0}),
                json.dumps({"type": "session.input_audio.append", "audio": "AA=="}),
            ):
                await connection.send(message)
            await next_of(connection, "session.output_audio.delta")
            connection.transport.abort()
        async with connect(address, additional_headers=keys) as again:
            resume = {"type": "interplay.session.resume", "token": token + "x", "last_turn": 0}
            await again.send(json.dumps(resume))
            await next_of(again, "error")
        return [KEY, secret, token, wrong, "mysteryword", b64(pcm(0.2))[:40]]

    caplog.set_level(logging.WARNING, "uvicorn")  # as `start_logs` does: below, it logs headers
    caplog.set_level(logging.DEBUG, "interplay")
    with server(3, keys=(KEY,)) as serving:
        secrets = asyncio.run(talk(serving))
    text = " ".join(
        str(vars(r)) for r in caplog.records if r.name.startswith(("interplay", "uvicorn"))
    )
    assert "session opened" in text and "connection lost" in text
    for secret in secrets:
        assert secret not in text


def test_words_of_delegations_are_not_logged_even_when_the_work_fails(caplog):
    background = EchoBackground()
    hub = make_hub(delegations=lambda: Broker(background.open()))
    session = client(hub, delegation={"type": "responses"}).session
    assert session
    questions = ("convert 5 mysteryword to metres", "calculate 1 / 0 + mysteryword", "mysteryword")
    try:
        with caplog.at_level(logging.DEBUG):
            for question in questions:
                ids = [DELEGATE, *TOKENIZER.encode(question), END]
                for begin in range(0, len(ids), 4):
                    session.advance(advanced(session, act=tuple(ids[begin : begin + 4])), 1.0)
            background._executor.shutdown(wait=True)
            for _ in range(3):
                session.advance(advanced(session), 1.0)
    finally:
        background.close()
    assert caplog.text.count("failed after") == len(questions)
    assert "mysteryword" not in written(caplog)


def test_a_session_that_fails_does_not_log_what_was_said(caplog, monkeypatch):
    hub = make_hub()
    adapter = client(hub, "text", instructions="mysteryword")
    session = adapter.session
    assert session

    def fail(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(session._lines, "add", fail)
    with caplog.at_level(logging.DEBUG):
        send(adapter, "interplay.input_text.append", text="mysteryword")
        hub.beats.beat()
    assert session.id not in hub.sessions and "broken" in written(caplog)
    assert "mysteryword" not in written(caplog)
    error = refused(send, adapter, "interplay.input_text.append", text="mysteryword")
    assert "mysteryword" not in str(error)
