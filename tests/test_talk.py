"""Talking: what tokens become, and what is drawn and told of a conversation."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from rich.console import Console
from talk_helpers import TOKENIZER, conversation, timed

from interplay.background.contract import Delegation
from interplay.background.scripted import Handover, ScriptedBackend
from interplay.talk import lanes
from interplay.talk.conversation import Conversation, EventReader, Word, WordReader, utterances
from interplay.talk.lanes import Window
from interplay.talk.live import WAV
from interplay.talk.page import page_html, sound_source
from interplay.talk.terminal import LineView, LiveView, timeline
from interplay.turns import tokens
from interplay.turns.tokens import END, count_token


def test_tokens_become_words_with_the_time_of_their_first_token():
    reader = WordReader(TOKENIZER)
    ids = [*TOKENIZER.encode("hello umbrella"), END, *TOKENIZER.encode("there")]
    assert len(ids) > 4, "a word the tokenizer has to spell"
    for pair in timed(*ids):
        reader.push([pair])
    assert [word.text for word in reader.words] == ["hello", "umbrella", "there"]
    assert [word.time_s for word in reader.words] == [0.0, 1.0, float(len(ids) - 1)]


def test_a_countdown_may_fall_into_a_call_that_is_being_written():
    reader = EventReader(TOKENIZER)
    ids = [tokens.EVERY, count_token(3), *TOKENIZER.encode("drink")]
    ids += [count_token(1), tokens.DUE, *TOKENIZER.encode("water"), END, tokens.CANCEL]
    reader.push(timed(*ids))
    found = [(event.kind, event.text, event.seconds) for event in reader.events]
    assert found == [
        ("every", "drink water", 3),
        ("count", "", 1),
        ("due", "", None),
        ("cancel", "", None),
    ]
    assert not any(event.is_open for event in reader.events)


def test_a_note_is_one_event_whatever_is_in_it():
    reader = EventReader(TOKENIZER)
    ids = [tokens.NOTE, tokens.TIMER, count_token(2), *TOKENIZER.encode("water")]
    reader.push(timed(*ids, tokens.CLOCK, count_token(9), END, count_token(1)))
    assert [event.kind for event in reader.events] == ["note", "count"]
    assert reader.events[0].text == "timer 2 s water clock 9 s"


def test_delegated_words_come_back_once_as_a_result_two_seconds_later():
    handover = Handover(ScriptedBackend({"weather": "okay there"}), TOKENIZER)
    ids = [tokens.DELEGATE, *TOKENIZER.encode("what is the weather"), count_token(4), END]
    for at, token in enumerate(ids):
        handover.watch([token, 0], 0.1 * at)
    asked_s = 0.1 * (len(ids) - 1)
    assert handover.arrivals(asked_s + 1.9) == []
    expected = [tokens.RESULT, *TOKENIZER.encode("okay there"), END]
    assert handover.arrivals(asked_s + 2.1) == expected
    assert handover.arrivals(asked_s + 99) == []
    assert (handover.num_delegations, handover.num_results) == (1, 1)


def test_a_question_without_an_answer_fails_and_says_so():
    backend = ScriptedBackend({}, delay_s=0.5)
    backend.delegate(Delegation(id=7, question="hello there", created_at_s=1.0), now_s=1.0)
    [result] = backend.results(1.5)
    assert (result.delegation_id, result.status, result.content) == (7, "failed", "no answer")


def test_an_empty_delegation_is_none():
    handover = Handover(ScriptedBackend(), TOKENIZER)
    handover.watch([tokens.DELEGATE, END, END, TOKENIZER.encode("hello")[0]], 0.0)
    assert handover.num_delegations == 0


def test_pages_need_nothing_from_elsewhere():
    html = page_html(conversation(), subtitle="a <test>", sound_name=WAV)
    assert not re.findall(r"(?:src|href)=\"(?!data:)|url\(|@import|<link|<script src", html)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "&lt;tiny&gt; &amp; co" in html and "a &lt;test&gt;" in html and "<tiny>" not in html
    assert not re.findall(r"\$[a-z_]+", html), "an unfilled place"


def test_the_page_plays_the_same_sound_or_names_the_file(monkeypatch):
    talk = conversation()
    kind, encoded = sound_source(talk, WAV).split(",")
    assert kind == "data:audio/flac;base64"
    sound, _ = soundfile.read(io.BytesIO(base64.b64decode(encoded)), dtype="float32")
    assert np.array_equal(sound, talk.tracks())
    monkeypatch.setattr("interplay.talk.page.MAX_SOUND_BYTES", 10)
    assert sound_source(talk, WAV) == WAV


def elements(talk: Conversation, window: Window) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<svg>{lanes.draw(talk, window)}</svg>"))


def test_words_stand_at_their_times_and_do_not_overlap():
    talk = conversation()
    talk.heard.words = [Word(text="wonderful", time_s=1 + 0.3 * i) for i in range(20)]
    drawn = elements(talk, Window(start_s=0.0, end_s=12.0, px_per_s=80.0))
    words = [e for e in drawn if e.get("class") == "word heard"]
    assert len(words) == 20
    rows: dict[str, list[float]] = {}
    for word in words:
        rows.setdefault(word.attrib["y"], []).append(float(word.attrib["x"]))
        late_px = float(word.attrib["x"]) - 80 * float(word.attrib["data-t"])
        assert -0.1 <= late_px < 80
    assert len(rows) == 3
    for xs in rows.values():
        assert np.diff(sorted(xs)).min() >= 9 * lanes.CHAR_PX


def test_bars_last_until_what_they_wait_for():
    bars = {bar.kind: bar for bar in lanes.act_bars(conversation())}
    assert bars["timer"].label == "timer 2 s · water"
    assert (bars["timer"].start_s, bars["timer"].end_s) == pytest.approx((0.8, 2.8))
    assert bars["delegate"].end_s == pytest.approx(6.0), "when the result arrived on read"
    assert [bar.label for bar in lanes.read_bars(conversation())] == ["result · hello"]


def test_overlaps_are_where_both_speak():
    [(start_s, end_s)] = lanes.overlap_spans(conversation())
    assert (start_s, end_s) == pytest.approx((1.0, 1.2), abs=0.06)


def test_late_micro_turns_are_drawn_apart():
    talk = conversation()
    window = Window(start_s=0.0, end_s=9.0, px_per_s=50.0)
    assert not [e for e in elements(talk, window) if e.get("class") == "tick-late"]
    talk.ticks[5].compute_ms = 250.0
    [late] = [e for e in elements(talk, window) if e.get("class") == "tick-late"]
    assert late.attrib["d"].count("M") == 1


def test_lines_for_a_pipe_say_everything_once():
    talk, stdout = conversation(), io.StringIO()
    with LineView(stdout) as view:
        for _ in range(3):
            view.show(talk)
    lines = [line.split(maxsplit=3)[2:] for line in stdout.getvalue().splitlines()]
    assert sorted(lines) == [
        ["act", "delegate · weather"],
        ["act", "due"],
        ["act", "timer 2 s · water"],
        ["model", "hello there"],
        ["read", "result · hello"],
        ["user", "there there"],
    ]


@pytest.mark.parametrize("width", [40, 131])
def test_the_terminal_shows_words_energy_and_events(width):
    talk, stdout = conversation(), io.StringIO()
    console = Console(file=stdout, force_terminal=True, width=width, color_system=None)
    with LiveView(console) as view:
        view.show(Conversation(TOKENIZER, title="empty"))
        view.show(talk)
    console.print(timeline(talk, 110))
    shown = stdout.getvalue()
    assert "0:08.0" in shown and "no deadline missed" in shown and "█" in shown
    for text in ("hello", "there", "[timer 2 s", "result"):
        assert text in shown


def test_utterances_end_where_nothing_came_for_a_second():
    words = [Word(text=text, time_s=t) for text, t in (("a", 0.0), ("b", 0.9), ("c", 2.0))]
    assert list(utterances(words)) == [(0.0, 0.9, "a b"), (2.0, 2.0, "c")]
