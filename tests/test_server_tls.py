"""A server with a certificate of its own: https, wss, and what is said of files that are none."""

import asyncio
import ssl

import httpx2
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

from interplay.cli import main
from interplay.server.run import ServeConfig
from interplay.server.start import page_address
from tests.server_helpers import next_of, server, start, url
from tests.tls_helpers import write_pair


def test_everything_is_served_encrypted_and_nothing_else(tmp_path):
    pair = write_pair(tmp_path)
    trust = ssl.create_default_context(cafile=str(pair[0]))

    async def talk(address: str, base: str) -> str:
        async with connect(address, ssl=trust) as live:
            await live.send(start())
            await next_of(live, "session.output_audio.delta")
        http = httpx2.AsyncClient(verify=trust)
        client = AsyncOpenAI(api_key="none", base_url=base, http_client=http)
        options = {"ssl": trust}
        async with (
            client,
            client.realtime.connect(
                model="any",
                websocket_connection_options=options,  # type: ignore[arg-type]
            ) as realtime,
        ):
            return (await realtime.recv()).type

    with server(2, tls=pair) as serving:
        page = httpx2.get(url(serving, "/", "https"), verify=trust)
        own = {"Origin": f"https://127.0.0.1:{serving.port}"}
        ready = httpx2.get(url(serving, "/readyz", "https"), verify=trust, headers=own)
        addresses = url(serving, "/v1/live/sessions", "wss"), url(serving, "/v1", "https")
        assert asyncio.run(talk(*addresses)) == "session.created"
        with pytest.raises(httpx2.TransportError):
            httpx2.get(url(serving, "/healthz", "http"))
    assert page.status_code == ready.status_code == 200 and "Interplay" in page.text
    assert page_address("0.0.0.0", 1, ServeConfig(tls=pair).scheme) == "https://localhost:1/"


@pytest.mark.parametrize("wrong", ["missing", "other key", "no certificate", "password"])
def test_files_that_cannot_be_used_are_told_in_one_line(tmp_path, capsys, wrong):
    pair = write_pair(tmp_path, b"secret" if wrong == "password" else None)
    other = tmp_path / "other"
    other.mkdir()
    if wrong == "missing":
        pair[1].unlink()
    elif wrong == "other key":
        pair = pair[0], write_pair(other)[1]
    elif wrong == "no certificate":
        pair[0].write_text("none")
    assert main(["serve", "--tls", str(pair[0]), str(pair[1])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be used for TLS (" in line and "PEM" in line and "()" not in line


def test_replicas_have_no_tls(tmp_path, capsys):
    pair = write_pair(tmp_path)
    assert main(["serve", "--ray", "2", "--tls", str(pair[0]), str(pair[1])]) == 2
    assert "put a proxy in front" in capsys.readouterr().err
