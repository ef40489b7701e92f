"""All sessions on pretended time: admission, limits, resume, records, drain, the loop."""

import json
import logging

import numpy as np
import pytest

from interplay.clock import FakeClock
from interplay.engine.engine import Engine
from interplay.engine.record import read_record
from interplay.errors import SessionError
from interplay.server.auth import Visitor
from interplay.server.beats import BeatLoop
from interplay.server.events import Ended, Notice, Turn
from interplay.server.limits import Limits
from interplay.server.outbox import Outbox
from interplay.server.realtime import RealtimeConnection
from interplay.server.seat import Seat
from interplay.turns.tokens import TEXT
from tests.server_helpers import (
    beat,
    broken,
    make_engine,
    make_hub,
    opened,
    pcm,
    refused,
    settle,
    ticks_without,
    tidings,
    turns,
)


def test_sessions_advance_together_each_with_its_own_sound():
    hub = make_hub(2)
    (one, first), (two, second) = opened(hub), opened(hub, rate_hz=16_000)
    one.hear(pcm(0.4))
    beat(hub, 3)
    both = turns(first), turns(second)
    assert [[turn.index for turn in each] for each in both] == [[0, 1, 2]] * 2
    assert [len(each[0].pcm) for each in both] == [9600, 6400]
    assert [turn.is_gap for turn in both[0]] == [False, False, True]
    assert hub.metrics.registry.get_sample_value("im_input_gap_total") == 1
    assert hub.metrics.registry.get_sample_value("im_batch_sessions") == 2
    assert two.now_ms == 600


def test_a_full_server_refuses_with_a_hint_and_admits_again():
    hub = make_hub(1)
    session, _ = opened(hub)
    error = refused(opened, hub)
    assert error.code == "no_free_slot" and error.retry_after_s and not hub.is_ready
    hub.close(session, "asked")
    opened(hub)  # before the engine has even noticed
    beat(hub)
    engine = hub.beats.engine
    assert isinstance(engine, Engine) and engine.num_free_slots == 0


def test_a_late_server_refuses_new_sessions():
    hub = make_hub()
    hub.beats.beat(late_s=0.5, is_miss=True)
    assert not hub.is_ready
    assert refused(opened, hub).code == "overloaded"
    assert hub.metrics.registry.get_sample_value("im_tick_deadline_miss_total") == 1


@pytest.mark.parametrize(
    ("limits", "seconds", "reason"),
    [
        (Limits(idle_s=1), 1.4, "idle"),
        (Limits(session_s=1), 1.4, "expired"),
    ],
)
def test_time_is_limited(limits, seconds, reason):
    hub = make_hub(limits=limits)
    _, outbox = opened(hub)
    beat(hub, round(seconds / 0.2))
    (ended,) = (item for item in outbox.take() if isinstance(item, Ended))
    assert ended.reason == reason and ended.message
    assert not hub.sessions
    beat(hub)
    assert isinstance(hub.engine, Engine) and hub.engine.num_free_slots == 2


def test_sound_ahead_of_time_is_refused():
    session, _ = opened(make_hub())
    session.hear(pcm(1.9))
    error = refused(session.hear, pcm(0.2))
    assert error.code == "input_backpressure" and error.retry_after_s


def test_text_is_read_and_bounded():
    hub = make_hub(limits=Limits(append_tokens=6, waiting_tokens=8))
    session, _ = opened(hub)
    session.tell("speech", "ten")
    assert session.seat.collect().half.read[0] == TEXT
    assert refused(session.tell, "context", " ").code == "empty_text"
    assert refused(session.tell, "context", "ten " * 7).code == "too_many_tokens"
    assert refused(session.tell, "context", "a" * 61).code == "too_many_tokens"
    session.tell("context", "one two")
    assert session.seat.num_waiting == 3
    session.seat.collect()
    session.tell("result", "ten " * 7, is_cut=True)
    assert session.seat.num_waiting == 8, "the result's mark, six tokens and the end"
    error = refused(session.tell, "context", "one")
    assert error.code == "read_backpressure" and error.retry_after_s


def test_a_lost_connection_is_taken_up_with_what_it_missed():
    hub = make_hub()
    session, outbox = opened(hub, resumable=True)
    token = hub.issue_token(session)
    beat(hub, 3)
    hub.lose(session, outbox)
    beat(hub, 4)
    again = Outbox(9)
    same, missed = hub.resume(token, 1, again)
    assert same is session and [turn.index for turn in missed] == [2, 3, 4, 5, 6]
    beat(hub)
    assert [turn.index for turn in turns(again)] == [7]
    assert session.num_turns == 8, "time went on while nobody was there"


def test_a_resumed_session_leaves_the_old_connection():
    hub = make_hub()
    session, outbox = opened(hub, resumable=True)
    beat(hub)
    hub.resume(hub.issue_token(session), 0, Outbox(9))
    assert tidings(outbox) == ["replaced"]
    hub.lose(session, outbox)
    assert session.id in hub.sessions, "the old connection has no say any more"


def test_resume_refuses_old_tokens_wrong_turns_and_late_comers():
    hub = make_hub(limits=Limits(resume_s=1))
    session, outbox = opened(hub, resumable=True)
    first = hub.issue_token(session)
    second = hub.issue_token(session)
    beat(hub)
    assert refused(hub.resume, first, 0, outbox).code == "unknown_token"
    assert refused(hub.resume, second, 1, outbox).code == "invalid_value"
    assert refused(hub.resume, second, 0, outbox, "another").code == "unknown_token"
    hub.lose(session, outbox)
    beat(hub, 7)
    assert refused(hub.resume, second, 0, outbox).code == "unknown_token"
    assert not hub.sessions


def test_a_token_works_again_until_the_one_that_it_bought_is_used():
    hub = make_hub()
    session, outbox = opened(hub, resumable=True)
    beat(hub)
    first = hub.issue_token(session)
    hub.resume(first, 0, outbox)
    hub.issue_token(session)  # the answer with this one is lost on the way
    hub.resume(first, 0, outbox)
    second = hub.issue_token(session)
    hub.resume(second, 0, outbox)
    hub.issue_token(session)
    assert refused(hub.resume, first, 0, outbox).code == "unknown_token"


def test_without_resume_a_lost_connection_ends_the_session():
    hub = make_hub()
    session, outbox = opened(hub)
    hub.lose(session, outbox)
    assert not hub.sessions


def test_draining_tells_everybody_and_ends_what_is_left():
    hub = make_hub(limits=Limits(drain_s=1.0))
    session, outbox = opened(hub, resumable=True)
    _, away = opened(hub, resumable=True)
    hub.lose(next(s for s in hub.sessions.values() if s is not session), away)
    hub.drain()
    hub.drain()
    assert refused(opened, hub).code == "draining"
    assert [*hub.sessions] == [session.id], "nobody waits for those who are away"
    beat(hub, 7)
    assert tidings(outbox) == ["server_draining", "drained"]
    assert not hub.sessions and not hub.is_ready


def test_a_session_is_kept_where_its_client_asked_for_it(tmp_path):
    hub = make_hub(record_root=tmp_path)
    session, _ = opened(hub, record=True)
    opened(hub)
    beat(hub, 3)
    hub.close(session, "asked")
    beat(hub)
    hub.stop()
    (folder,) = tmp_path.iterdir()
    assert len(read_record(folder)) == 3


def test_recording_is_refused_where_nothing_is_kept():
    assert refused(opened, make_hub(), record=True).code == "unsupported_value"


@pytest.mark.parametrize(
    ("error", "is_bug"), [(OSError(28, "No space left on device"), False), (KeyError("bug"), True)]
)
def test_a_record_that_fails_ends_but_not_its_session(tmp_path, caplog, monkeypatch, error, is_bug):
    hub = make_hub(record_root=tmp_path)
    session, outbox = opened(hub, record=True)
    beat(hub)
    assert session.seat._recording
    settle(hub)

    def refuse(*_args):
        raise error

    monkeypatch.setattr(session.seat._recording._files, "_add_sound", refuse)
    for _ in range(2):
        beat(hub)
        settle(hub)
    beat(hub, 2)
    (logged,) = [each for each in caplog.records if "recording ended" in each.getMessage()]
    assert error.args[-1] in logged.getMessage() and bool(logged.exc_info) == is_bug
    told = outbox.take()
    assert [item.code for item in told if isinstance(item, Notice)] == ["recording_ended"]
    assert len([item for item in told if isinstance(item, Turn)]) == 5
    hub.stop()


def test_a_session_that_fails_leaves_the_others_alone(monkeypatch, caplog):
    hub = make_hub(2)
    (bad, first), (good, second) = opened(hub), opened(hub)
    beat(hub)
    monkeypatch.setattr(hub.engine, "tick", ticks_without(hub, bad))
    beat(hub, 2)
    assert tidings(first) == ["failed"]
    assert len(turns(second)) == 3
    assert [*hub.sessions] == [good.id]
    assert "broken" in caplog.text


def test_input_that_cannot_be_collected_ends_one_session_only(monkeypatch, caplog):
    hub = make_hub(2)
    (bad, first), (good, second) = opened(hub), opened(hub)

    beat(hub)
    monkeypatch.setattr(bad.seat, "collect", broken)
    beat(hub, 2)
    assert tidings(first) == ["failed"] and len(turns(second)) == 3
    assert [*hub.sessions] == [good.id] and "broken" in caplog.text
    assert isinstance(hub.engine, Engine) and hub.engine.num_free_slots == 1


def test_a_session_that_cannot_even_end_well_ends_and_the_others_go_on(monkeypatch, caplog):
    hub = make_hub(3)
    wordless = RealtimeConnection(hub, Visitor())
    wordless.begin()
    (messy, first), (good, second) = opened(hub), opened(hub)

    monkeypatch.setattr(wordless, "_advance", broken)
    monkeypatch.setattr(wordless._replies, "finish", broken)
    monkeypatch.setattr(messy, "_reflect", broken)
    monkeypatch.setattr(messy, "end", broken)
    beat(hub)
    assert tidings(wordless.outbox) == ["failed"] and tidings(first) == ["failed"]
    assert [*hub.sessions] == [good.id] and len(turns(second)) == 1
    assert messy.primary is None and "did not end well" in caplog.text


def test_results_that_cannot_be_delivered_end_one_session_only(monkeypatch, caplog):
    hub = make_hub(2)
    (bad, first), (_, second) = opened(hub), opened(hub)

    monkeypatch.setattr(bad, "_reflect", broken)
    beat(hub, 2)
    assert tidings(first) == ["failed"] and len(turns(second)) == 2
    assert "broken" in caplog.text and len(hub.sessions) == 1


def test_the_loop_keeps_absolute_deadlines_counts_the_missed_and_says_why(caplog):
    clock, beats, lengths = FakeClock(), [], iter([0.05, 0.45, 0.05, 0.05])

    def deliver(done):
        beats.append((clock.now(), done.late_s, done.is_miss))
        clock.advance(next(lengths))
        if len(beats) == 4:
            loop.stop()

    loop = BeatLoop(make_engine(1), clock, deliver)
    loop.run()
    expected = [(0.2, 0.0, False), (0.4, 0.0, False), (0.85, 0.25, True), (0.9, 0.1, True)]
    assert np.allclose(beats, expected)
    assert loop.failure is None
    lines = [vars(record) for record in caplog.records if "not done in time" in record.message]
    assert [(line["beat"], line["ms"]["deliver"]) for line in lines] == [(1, 450.0), (2, 50.0)]
    assert lines[0].keys() >= {"sessions", "model_cpu_ms", "page_faults", "preemptions"}


def test_the_loop_reports_what_ended_it_and_closes_its_sessions():
    engine = make_engine(1)

    def deliver(_beat):
        raise SessionError("nobody listens")

    loop = BeatLoop(engine, FakeClock(), deliver)
    loop.join(Seat(seed=0))
    with pytest.raises(SessionError):
        loop.run()
    assert isinstance(loop.failure, SessionError)
    assert engine.num_free_slots == 1


def test_every_tick_of_every_session_is_one_line_on_request(caplog):
    hub = make_hub(2)
    opened(hub)
    with caplog.at_level(logging.DEBUG, "interplay.server.ticks"):
        beat(hub, 2)
    lines = [record for record in caplog.records if record.name.endswith("ticks")]
    assert [vars(line)["turn"] for line in lines] == [0, 1]
    assert json.dumps(vars(lines[0])["voice_on"])


def test_connections_lost_again_and_again_lose_and_repeat_nothing():
    hub = make_hub()
    session, outbox = opened(hub, resumable=True)
    token, seen, words = hub.issue_token(session), [], []
    for _ in range(10):
        beat(hub, 2)
        got = turns(outbox)[:1]  # the second one was still under way
        seen += [turn.index for turn in got]
        words += [piece.text for turn in got for piece in (*turn.heard, *turn.said)]
        hub.lose(session, outbox)
        beat(hub)
        outbox = Outbox(hub.limits.outbox_items)
        _, missed = hub.resume(token, seen[-1], outbox)
        outbox.preload([*missed])
        token = hub.issue_token(session)
    rest = turns(outbox)
    assert [*seen, *(turn.index for turn in rest)] == list(range(session.num_turns))
    whole = [p.text for turn in session.missed(-1) for p in (*turn.heard, *turn.said)]
    assert words + [p.text for turn in rest for p in (*turn.heard, *turn.said)] == whole
