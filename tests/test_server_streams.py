"""What goes into a session and what comes out of it: sound, gaps, words, delegations, queues."""

import itertools

import numpy as np
import pytest

from interplay.background.contract import Result, notice
from interplay.background.questions import MAX_TOKENS, DelegationReader
from interplay.clock import SAMPLES_PER_TURN
from interplay.engine.session import Session
from interplay.server.delegations import OpenDelegations
from interplay.server.events import Notice
from interplay.server.inbox import JITTER_S, AudioInbox
from interplay.server.limits import Bucket, Limits
from interplay.server.outbox import Outbox
from interplay.server.pcm import PcmConverter, PcmReader, PcmWriter, length_s, to_samples
from interplay.server.seat import CAMERA_TURNS, Seat
from interplay.server.transcript import Transcriber
from interplay.turns.tokens import DELEGATE, END, RESULT, count_token
from tests.server_helpers import (
    advanced,
    loaded,
    make_engine,
    make_hub,
    opened,
    refused,
    tidings,
    turns,
)

TOKENIZER = loaded().tokenizer
LEAD_SAMPLES = round(JITTER_S * 16_000)


def loud(num_samples: int, level: float = 0.5) -> np.ndarray:
    return np.full(num_samples, level, np.float32)


def test_sound_becomes_micro_turns_in_order_and_without_loss():
    inbox, ramp = AudioInbox(0), np.arange(1, 10_001, dtype=np.float32)
    for start in range(0, len(ramp), 777):
        inbox.add(ramp[start : start + 777])
    taken = [inbox.take() for _ in range(3)]
    assert not any(t.num_missing or t.num_dropped for t in taken)
    whole = np.concatenate([t.samples for t in taken])[LEAD_SAMPLES:]
    assert np.array_equal(whole, ramp[: len(whole)])


@pytest.mark.parametrize("held_s", [0.0, 0.015])
def test_whole_micro_turns_are_heard_without_delay(held_s):
    inbox, ramp = AudioInbox(0, held_s=held_s), np.arange(1, 6401, dtype=np.float32)
    num_held = round(held_s * 16_000)
    inbox.add(ramp[: SAMPLES_PER_TURN - num_held])
    first = inbox.take()
    inbox.add(ramp[len(first.samples) - num_held :][:SAMPLES_PER_TURN])
    heard = np.concatenate([first.samples, inbox.take().samples])
    assert np.array_equal(heard[num_held:], ramp[: len(heard) - num_held])


def test_missing_sound_is_a_counted_floor_and_never_digital_zero():
    inbox = AudioInbox(0)
    assert inbox.take().num_missing == 0, "nothing is missing before the first sound"
    inbox.add(loud(1000))
    late = inbox.take()
    assert late.num_missing == SAMPLES_PER_TURN - LEAD_SAMPLES - 1000
    gap = inbox.take()
    assert gap.num_missing == SAMPLES_PER_TURN
    assert 0 < np.abs(gap.samples).max() < 0.01
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
    session = seat.session
    assert isinstance(session, Session)

    def advance() -> int | None:
        half = seat.collect().half
        session.push(half)
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
    tiles[:, 1] = 9
    assert seat.collect().half.see is None
    seat.see(tiles)
    seen = [seat.collect().half.see for _ in range(CAMERA_TURNS + 1)]
    assert seen[0] is tiles and seen[-1] is None
    for still in seen[1:-1]:
        assert still is not None and (still == 9).all()


def test_fragments_join_to_the_text_and_never_go_back_in_time():
    text, transcriber = "hello wonderful naïve world", Transcriber(TOKENIZER)
    ids = TOKENIZER.encode(text)
    fragments = []
    for turn, begin in enumerate(range(0, len(ids), 4)):
        fragments += transcriber.said(turn, (*ids[begin : begin + 4], 0, 0, 0, 0)[:4])
    assert "".join(piece.text for piece in fragments).strip() == text
    ends = [piece.end_ms for piece in fragments]
    assert ends == sorted(ends)
    for before, after in itertools.pairwise(fragments):
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
    long = TOKENIZER.encode("ten") * (2 * MAX_TOKENS)
    assert reader.push([DELEGATE, *long]) == []
    assert reader.push([END]) == [TOKENIZER.decode(long[:MAX_TOKENS])], "the rest is left out"


def test_a_delegation_ends_once():
    open_ones = OpenDelegations(1)
    open_ones.start("a", 1.0)
    assert open_ones.is_full
    assert open_ones.end("a", "done", 3.5) == 2.5
    assert open_ones.end("a", "failed", 4.0) is None
    assert refused(open_ones.end, "b", "done", 4.0).code == "unknown_delegation"
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


class Background:
    """A background model that a test answers for."""

    def __init__(self):
        self.work, self.results, self.speakers, self.closed_s = [], [], [], None

    def delegate(self, question, now_s, conversation):
        self.work.append((question, now_s, conversation))
        return len(self.work) - 1

    def poll(self, now_s, *, user_speaks, model_speaks):
        self.speakers.append((user_speaks, model_speaks))
        results, self.results = self.results, []
        return results

    def cancel(self, delegation_id, now_s):
        return False

    def interrupt(self):
        pass

    def close(self, now_s):
        self.closed_s = now_s


def test_a_background_model_gets_the_conversation_and_its_results_are_read_once_each():
    background = Background()
    hub = make_hub(delegations=lambda: background)
    session, outbox = opened(hub, client_delegations=False)
    session.advance(advanced(session, heard=tuple(TOKENIZER.encode("ten"))), 1.0)
    question = (DELEGATE, *TOKENIZER.encode("six"), END)
    session.advance(advanced(session, act=question), 1.0)
    ((asked, now_s, conversation),) = background.work
    assert (asked, now_s) == ("six", 0.2)
    assert [(line.role, line.text) for line in conversation] == [("user", "ten")]
    assert [len(turn.delegations) for turn in turns(outbox)] == [0, 1]
    background.results = [
        Result(delegation_id=0, content="one", status=None),
        notice("two", "silent"),
        Result(delegation_id=0, content="one " * 501),
    ]
    session.advance(advanced(session), 1.0)
    read = [token for _ in range(200) for token in session.seat.collect().half.read]
    one, two = TOKENIZER.encode("one"), TOKENIZER.encode("two")
    cut = one * Limits().append_tokens
    assert read == [RESULT, *one, END, *two, END, RESULT, *cut, END], "the last one's beginning"
    assert session.seat.num_waiting == 0
    count = hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "done"}) == 1
    assert background.speakers == [(False, False)] * 3
    hub.close(session, "asked")
    assert background.closed_s == pytest.approx(0.6)


def test_too_many_delegations_are_dropped_with_a_notice():
    hub = make_hub(limits=Limits(open_delegations=1))
    session, outbox = opened(hub)
    for _ in range(2):
        session.advance(advanced(session, act=(DELEGATE, *TOKENIZER.encode("six"), END)), 1.0)
    assert tidings(outbox) == ["delegation_dropped"]
