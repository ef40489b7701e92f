"""The server's core on pretended time: input, gaps, admission, limits, resume, records, drain."""

import json
import logging

import numpy as np
import pytest

from interplay.clock import SAMPLES_PER_TURN, FakeClock
from interplay.engine.record import read_record
from interplay.errors import RequestError, SessionError
from interplay.server.beats import BeatLoop
from interplay.server.delegations import DelegationReader, OpenDelegations
from interplay.server.events import Ended, Notice, Turn
from interplay.server.inbox import LEAD_SAMPLES, AudioInbox
from interplay.server.limits import Bucket, Limits
from interplay.server.outbox import Outbox
from interplay.server.pcm import PcmConverter, PcmReader, PcmWriter, length_s, to_samples
from interplay.server.seat import CAMERA_TURNS, Seat
from interplay.server.served import Opening, ServedSession
from interplay.server.transcript import Transcriber
from interplay.turns.tokens import DELEGATE, END, RESULT, TEXT, count_token
from tests.server_helpers import advanced, beat, loaded, make_engine, make_hub, pcm

TOKENIZER = loaded().tokenizer


def loud(num_samples: int, level: float = 0.5) -> np.ndarray:
    return np.full(num_samples, level, np.float32)


def opened(hub, **kwargs) -> tuple[ServedSession, Outbox]:
    outbox = Outbox(hub.limits.outbox_items)
    return hub.open(Opening(seed=3, **kwargs), outbox), outbox


def events(outbox: Outbox, kind: type) -> list:
    return [item for item in outbox.take() if isinstance(item, kind)]


def refused(call, *args, **kwargs) -> RequestError:
    with pytest.raises(RequestError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return caught.value


# What goes in


def test_sound_becomes_micro_turns_in_order_and_without_loss():
    inbox, ramp = AudioInbox(0), np.arange(1, 10_001, dtype=np.float32)
    for start in range(0, len(ramp), 777):
        inbox.add(ramp[start : start + 777])
    taken = [inbox.take() for _ in range(3)]
    assert not any(t.num_missing or t.num_dropped for t in taken)
    whole = np.concatenate([t.samples for t in taken])[LEAD_SAMPLES:]
    assert np.array_equal(whole, ramp[: len(whole)])


def test_missing_sound_is_a_counted_floor_and_never_digital_zero():
    inbox = AudioInbox(0)
    assert inbox.take().num_missing == 0, "nothing is missing before the first sound"
    inbox.add(loud(1000))
    late = inbox.take()
    assert late.num_missing == SAMPLES_PER_TURN - LEAD_SAMPLES - 1000
    gap = inbox.take()
    assert gap.num_missing == SAMPLES_PER_TURN
    assert 0 < np.abs(gap.samples).max() < 0.001
    assert (gap.samples != 0).mean() > 0.99


@pytest.mark.parametrize(("level", "num_beats"), [(0.5, 50), (0.0, 25)])
def test_a_fast_clock_does_not_make_the_model_late_for_ever(level, num_beats):
    inbox = AudioInbox(0)
    inbox.add(loud(3 * SAMPLES_PER_TURN, level))
    dropped = []
    for _ in range(num_beats):
        inbox.add(loud(SAMPLES_PER_TURN, level))
        dropped.append(inbox.take().num_dropped)
    assert dropped == [0] * (num_beats - 1) + [SAMPLES_PER_TURN]


def test_a_bucket_lets_a_burst_through_and_then_the_rate():
    bucket = Bucket(1.0, 2.0, 10.0)
    assert bucket.take(2.0, 10.0)
    assert not bucket.take(0.2, 10.1)
    assert bucket.take(0.2, 10.25)


def test_rates_are_converted_without_a_seam():
    tone = (np.sin(np.arange(48_000) / 40) * 20_000).astype("<i2").tobytes()
    reader, whole = PcmReader(24_000), PcmReader(24_000)
    parts = [reader.push(tone[i : i + 1234]) for i in range(0, len(tone), 1234)]
    streamed, at_once = np.concatenate(parts), whole.push(tone)
    assert np.array_equal(streamed, at_once[: len(streamed)])
    assert len(at_once) > 31_000
    assert PcmConverter(24_000, 24_000).push(tone) == tone
    assert len(PcmConverter(16_000, 24_000).push(tone)) > len(tone)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_every_micro_turn_gives_200_ms_of_sound(rate_hz):
    writer = PcmWriter(rate_hz)
    tone = np.sin(np.arange(20 * 3200) / 20).astype(np.float32).reshape(20, 3200)
    written = [writer.push(turn) for turn in tone]
    assert {len(data) for data in written} == {2 * rate_hz // 5}
    assert np.abs(to_samples(written[-1])).max() > 0.9


def test_sound_that_is_none_is_refused():
    assert refused(length_s, b"", 24_000).code == "invalid_audio"
    assert refused(length_s, b"abc", 24_000).code == "invalid_audio"


def test_what_was_not_played_reaches_the_engine_once():
    seat = Seat(seed=0)
    seat.sit(make_engine(1))
    assert seat.session

    def advance() -> int | None:
        half = seat.collect().half
        seat.session.push(half)
        return half.num_played

    assert [advance(), advance()] == [None, None]
    seat.flush(num_played=3200 + 500, num_received=2 * 3200)  # the second half was cut
    assert [advance(), advance()] == [500, None]
    seat.flush(num_played=100, num_received=4 * 3200)  # not even begun
    assert advance() == 0
    seat.flush(num_played=100, num_received=4 * 3200)  # the fifth half was under way: it plays
    assert advance() is None


def test_a_camera_stays_on_between_pictures_and_goes_off_when_none_come():
    seat, tiles = Seat(seed=0), np.zeros((12, 2, 40, 40, 3), np.uint8)
    assert seat.collect().half.see is None
    seat.see(tiles)
    assert [seat.collect().half.see is tiles for _ in range(CAMERA_TURNS)] == [True] * CAMERA_TURNS
    assert seat.collect().half.see is None


# What comes out


def test_fragments_join_to_the_text_and_never_go_back_in_time():
    text, transcriber = "hello wonderful naïve world", Transcriber(TOKENIZER)
    ids = TOKENIZER.encode(text)
    fragments = []
    for turn, begin in enumerate(range(0, len(ids), 4)):
        fragments += transcriber.said(turn, (*ids[begin : begin + 4], 0, 0, 0, 0)[:4])
    assert "".join(piece.text for piece in fragments).strip() == text
    ends = [piece.end_ms for piece in fragments]
    assert ends == sorted(ends)
    for before, after in zip(fragments, fragments[1:], strict=False):
        assert before.start_ms <= before.end_ms <= after.end_ms
        assert after.start_ms >= before.start_ms


def test_heard_words_are_dated_before_they_were_written():
    word = TOKENIZER.encode("ten")
    assert len(word) <= 4
    (piece,) = Transcriber(TOKENIZER).heard(9, (*word, 0, 0, 0)[:4])
    assert (piece.text, piece.start_ms, piece.end_ms) == (" ten", 1420, 1720)


def test_delegations_are_read_off_act_past_the_counts_of_timers():
    words, reader = TOKENIZER.encode("weather today"), DelegationReader(TOKENIZER)
    assert reader.push([TOKENIZER.encode("no")[0], END, DELEGATE, words[0]]) == []
    assert reader.push([count_token(3), *words[1:], END, END]) == ["weather today"]
    assert reader.push([DELEGATE, END]) == []


def test_a_delegation_ends_once():
    open_ones = OpenDelegations(1)
    open_ones.start("a", 1.0)
    assert open_ones.is_full
    assert open_ones.end("a", 3.5) == 2.5
    assert open_ones.end("a", 4.0) is None
    assert refused(open_ones.end, "b", 4.0).code == "unknown_delegation"
    open_ones.start("c", 5.0)
    assert open_ones.end_all(6.0) == [1.0] and not open_ones.end_all(7.0)


def test_a_slow_reader_overflows_and_a_resumed_one_gets_all_it_missed():
    outbox, notice = Outbox(2), Notice(code="a", message="b")
    outbox.preload([notice] * 5)
    outbox.put(notice)
    outbox.put(notice)
    assert not outbox.overflow.is_set()
    outbox.put(notice)
    assert outbox.overflow.is_set()
    assert len(outbox.take()) == 7


class Scripted:
    """A background model that a test answers for."""

    def __init__(self):
        self.work, self.cancelled = [], []

    def start(self, work, answer):
        self.work.append((work, answer))

    def cancel(self, session_id):
        self.cancelled.append(session_id)


def test_a_background_model_gets_the_conversation_and_its_answer_is_read():
    background = Scripted()
    hub = make_hub(delegations=background)
    session, outbox = opened(hub, client_delegations=False)
    heard = tuple(TOKENIZER.encode("ten"))
    session.advance(advanced(session, heard=heard), 1.0)
    question = (DELEGATE, *TOKENIZER.encode("six"), END)
    assert len(question) <= 4
    session.advance(advanced(session, act=question), 1.0)
    ((work, answer),) = background.work
    assert (work.question, work.session_id, work.offset_ms) == ("six", session.id, 400)
    assert [(line.who, line.text) for line in work.conversation] == [("user", "ten")]
    answer("one two")
    read = session.seat.collect().half.read
    assert read[0] == RESULT
    assert [turn.delegations for turn in events(outbox, Turn)] == [(), (work,)]
    hub.close(session, "asked")
    assert background.cancelled == [session.id]


def test_too_many_delegations_are_dropped_with_a_notice():
    hub = make_hub(limits=Limits(open_delegations=1))
    session, outbox = opened(hub)
    for _ in range(2):
        session.advance(advanced(session, act=(DELEGATE, *TOKENIZER.encode("six"), END)), 1.0)
    assert [notice.code for notice in events(outbox, Notice)] == ["delegation_dropped"]


# All sessions together


def test_sessions_advance_together_each_with_its_own_sound():
    hub = make_hub(2)
    (one, first), (two, second) = opened(hub), opened(hub, rate_hz=16_000)
    one.hear(pcm(0.4))
    beat(hub, 3)
    turns = events(first, Turn), events(second, Turn)
    assert [[turn.index for turn in each] for each in turns] == [[0, 1, 2]] * 2
    assert [len(each[0].pcm) for each in turns] == [9600, 6400]
    assert [turn.is_gap for turn in turns[0]] == [False, False, True]
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
    assert hub.beats.engine.num_free_slots == 0


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
    (ended,) = events(outbox, Ended)
    assert ended.reason == reason and ended.message
    assert not hub.sessions
    beat(hub)
    assert hub.engine.num_free_slots == 2


def test_sound_ahead_of_time_is_refused():
    session, _ = opened(make_hub())
    session.hear(pcm(1.9))
    error = refused(session.hear, pcm(0.2))
    assert error.code == "input_backpressure" and error.retry_after_s


def test_text_is_read_and_bounded():
    hub = make_hub(limits=Limits(append_tokens=3, waiting_tokens=5))
    session, _ = opened(hub)
    session.tell("speech", "ten")
    assert session.seat.collect().half.read[0] == TEXT
    assert refused(session.tell, "context", " ").code == "empty_text"
    assert refused(session.tell, "context", "one two three four five").code == "too_many_tokens"
    session.tell("context", "one two")
    error = refused(session.tell, "context", "one two three")
    assert error.code in ("read_backpressure", "too_many_tokens")


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
    assert [turn.index for turn in events(again, Turn)] == [7]
    assert session.num_turns == 8, "time went on while nobody was there"


def test_a_resumed_session_leaves_the_old_connection():
    hub = make_hub()
    session, outbox = opened(hub, resumable=True)
    beat(hub)
    hub.resume(hub.issue_token(session), 0, Outbox(9))
    assert [ended.close_code for ended in events(outbox, Ended)] == [4001]
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
    notice, ended = events(outbox, Notice | Ended)  # type: ignore[arg-type]
    assert notice.code == "server_draining" and ended.reason == "drained"
    assert not hub.sessions and not hub.is_ready


def test_a_session_is_kept_where_its_client_asked_for_it(tmp_path):
    hub = make_hub(record_root=tmp_path)
    session, _ = opened(hub, record=True)
    opened(hub)
    beat(hub, 3)
    hub.close(session, "asked")
    beat(hub)
    (folder,) = tmp_path.iterdir()
    assert len(read_record(folder)) == 3


def test_recording_is_refused_where_nothing_is_kept():
    assert refused(opened, make_hub(), record=True).code == "unsupported_value"


def test_a_disk_that_refuses_ends_the_record_but_not_the_session(tmp_path, caplog, monkeypatch):
    hub = make_hub(record_root=tmp_path)
    session, outbox = opened(hub, record=True)
    beat(hub)
    (folder,) = tmp_path.iterdir()
    assert session.seat._recorder

    def refuse(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session.seat._recorder, "_add_sound", refuse)
    beat(hub, 2)
    assert "recording ended" in caplog.text and "No space left" in caplog.text
    told = outbox.take()
    assert [item.code for item in told if isinstance(item, Notice)] == ["recording_ended"]
    assert len([item for item in told if isinstance(item, Turn)]) == 3


def test_a_session_that_fails_leaves_the_others_alone(monkeypatch, caplog):
    hub = make_hub(2)
    (bad, first), (good, second) = opened(hub), opened(hub)
    beat(hub)
    tick = hub.engine.tick

    def fail(halves):
        if bad.seat.session in halves:
            raise ValueError("broken")
        return tick(halves)

    monkeypatch.setattr(hub.engine, "tick", fail)
    beat(hub, 2)
    assert [ended.reason for ended in events(first, Ended)] == ["failed"]
    assert len(events(second, Turn)) == 3
    assert [*hub.sessions] == [good.id]
    assert "broken" in caplog.text


def test_the_loop_keeps_absolute_deadlines_and_counts_the_missed():
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
