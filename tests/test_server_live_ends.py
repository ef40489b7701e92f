"""How Live sessions end: speech in flight, draining; and what a recorded one leaves in its log."""

import json
import time

from interplay.background.contract import Result, Ui
from interplay.server.event_log import EventLog
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary, LiveSideband
from interplay.turns.tokens import DELEGATE, END
from tests.responses_helpers import backed
from tests.server_helpers import (
    advanced,
    beat,
    client,
    kinds,
    loaded,
    make_hub,
    only,
    opened,
    received,
    send,
    settle,
)

TOKENIZER = loaded().tokenizer
HAND_OVER = (DELEGATE, *TOKENIZER.encode("six"), END)
SPEC = {"mark": "bar", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a"}}}


def turn(adapter: LivePrimary, speaks: bool = False) -> list[dict]:
    assert adapter.session
    adapter.session.advance(advanced(adapter.session, speaks), 1.0)
    return received(adapter)


def closing(close_s: float = 10.0) -> LivePrimary:
    """A client that has asked to close while the model speaks."""
    adapter = client(make_hub(limits=Limits(close_s=close_s)))
    turn(adapter, True)
    send(adapter, "session.close", event_id="bye")
    return adapter


def test_closing_lets_the_model_finish_what_it_says():
    adapter = closing()
    assert received(adapter) == []
    assert adapter.session and adapter.session.seat.is_muted
    assert kinds(turn(adapter, True))[-1] == "session.output_audio.delta"
    last = turn(adapter)
    assert kinds(last)[-2:] == ["session.output_audio.delta", "session.closed"]
    assert (last[-1]["reason"], last[-1]["client_event_id"]) == ("close_requested", "bye")
    assert not adapter.hub.sessions


def test_closing_waits_only_so_long_and_not_at_all_when_asked_again():
    adapter = closing(close_s=0.6)
    for _ in range(2):
        assert "session.closed" not in kinds(turn(adapter, True))
    assert kinds(turn(adapter, True))[-1] == "session.closed"
    impatient = closing()
    send(impatient, "session.close", event_id="now")
    assert kinds(received(impatient)) == ["session.closed"]


def test_a_silent_session_closes_at_once():
    adapter = client(make_hub(limits=Limits()))
    turn(adapter)
    send(adapter, "session.close")
    assert kinds(received(adapter)) == ["session.closed"]


def test_a_server_that_stops_says_how_much_time_is_left():
    hub = make_hub(limits=Limits(drain_s=20.0))
    adapter = client(hub)
    assert adapter.session
    side = LiveSideband(hub, adapter.session)
    received(adapter)
    hub.drain()
    for each in (adapter, side):
        info, updated = received(each)
        assert (info["type"], info["code"]) == ("info", "server_draining")
        assert updated["type"] == "session.updated"
        assert 15 <= updated["session"]["expires_at"] - time.time() <= 20


def test_what_happens_is_a_line_at_once(tmp_path):
    hub = make_hub(record_root=tmp_path)
    adapter = client(hub, "text", "resume", store=True)
    token = received(adapter)[0]["session"]["interplay"]["resume_token"]
    session = adapter.session
    assert session
    beat(hub)
    session.advance(advanced(session, act=HAND_OVER), 1.0)
    (created,) = only(received(adapter), "session.delegation.created")
    name = created["delegation"]["id"]
    send(adapter, "interplay.input_text.append", text="ten")
    send(adapter, "session.input_audio.mute")
    send(adapter, "session.commentary.append", content="six", delegation_id=name)
    send(LivePrimary(hub, adapter._visitor), "interplay.session.resume", token=token, last_turn=0)
    hub.drain()
    settle(hub)
    (folder,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert lines == [
        {
            "ms": 400,
            "event": "delegation",
            "delegation_id": name,
            "question": "six",
            "by": "client",
        },
        {"ms": 400, "event": "text", "kind": "typed", "text": "ten"},
        {"ms": 400, "event": "mute", "is_muted": True},
        {"ms": 400, "event": "text", "kind": "result", "text": "six"},
        {"ms": 400, "event": "delegation_done", "delegation_id": name},
        {"ms": 400, "event": "resumed", "last_turn": 0},
        {
            "ms": 400,
            "event": "notice",
            "code": "server_draining",
            "message": "this server stops; 30 s are left",
        },
    ]
    hub.close(session, "asked")
    beat(hub)
    hub.stop()
    last = (folder / "events.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["event"] == "ended" and json.loads(last)["reason"] == "asked"


def test_outcomes_are_kept_with_what_was_shown(tmp_path):
    adapter, backend = backed()
    session = adapter.session
    assert session
    session._events = EventLog(tmp_path)
    session.advance(advanced(session, act=HAND_OVER), 1.0)
    ui = Ui(id="c", kind="vega-lite", spec=SPEC)
    backend.ready = [Result(delegation_id=0, content="ten", ui=ui)]
    session.advance(advanced(session), 1.0)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    begun, read, outcome = lines
    assert (begun["event"], begun["by"], read["event"]) == ("delegation", "server", "text")
    assert (outcome["event"], outcome["status"], outcome["content"]) == ("outcome", "done", "ten")
    assert outcome["ui"]["id"] == "c" and outcome["delegation_id"] == begun["delegation_id"]


def test_a_disk_that_refuses_ends_the_log_and_nothing_else(tmp_path, caplog):
    (tmp_path / "file").touch()
    log = EventLog(tmp_path / "file" / "record")
    for _ in range(2):
        log.add(0, "mute", is_muted=True)
    (told,) = [record for record in caplog.records if "cannot write" in record.getMessage()]
    assert "events.jsonl" in told.getMessage()


def test_a_session_that_nobody_keeps_leaves_nothing(tmp_path):
    hub = make_hub(record_root=tmp_path)
    session, _ = opened(hub)
    session.mute(True)
    hub.stop()
    assert [*tmp_path.iterdir()] == []


def test_running_dry_and_memory_are_counted():
    hub = make_hub()
    session, _ = opened(hub)
    beat(hub, 2)
    value = hub.metrics.registry.get_sample_value
    tokens = value("im_kv_tokens")
    assert tokens and tokens >= 2 * 8
    for played_ms in (200, 400, 400, 300, 400):
        session.played(played_ms, None)
    assert value("im_output_underrun_total") == 2, "twice there was nothing left to play"
    hub.close(session, "asked")
    beat(hub)
    assert value("im_kv_tokens") == 0
