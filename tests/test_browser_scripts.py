"""Parts of the page that compute something, called by themselves in a real browser."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_helpers import browser, microphone_file, open_page

from tests.server_helpers import server

pytestmark = pytest.mark.browser

RESAMPLE = """async ([rate, hertz, size]) => {
  const { Resampler } = await import("/web/resampler.js");
  const tone = Float32Array.from({ length: rate / 2 },
    (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));
  const whole = new Resampler(rate, 24000).push(tone);
  const stream = new Resampler(rate, 24000);
  const pieces = [];
  for (let i = 0; i < tone.length; i += size) pieces.push(...stream.push(tone.slice(i, i + size)));
  return [[...whole], pieces];
}"""
PACE = """async ([computeMs, delaysMs, nowMs, roundTripMs]) => {
  const { Beat } = await import("/web/pacing.js");
  const beat = new Beat();
  beat.measured(roundTripMs);
  delaysMs.forEach((delay, turn) => beat.arrived(turn, computeMs, 1000 + 200 * turn + delay));
  return { due: beat.dueMs(nowMs), margin: beat.marginMs, jitter: beat.jitterMs };
}"""
CATCH_UP = """async (arrivalsMs) => {
  const { Beat } = await import("/web/pacing.js");
  const beat = new Beat();
  beat.forget();
  arrivalsMs.forEach((nowMs, turn) => beat.arrived(turn, 10, nowMs));
  return [beat.jitterMs, beat.beganMs];
}"""
PACK = """async (beatsMs) => {
  const { Beat, Packer } = await import("/web/pacing.js");
  const beat = new Beat(), sent = [];
  let nowMs = 0;
  const send = (pcm) => sent.push([nowMs, pcm.length, pcm[0]]);
  const packer = new Packer(beat, { soon: () => {}, send });
  for (let block = 0; block < 120; block += 1) {
    nowMs = 10 * (block + 1);
    if (beatsMs[0] <= nowMs) beat.arrived(beat._arrivals.length, 10, beatsMs.shift());
    packer.push(Int16Array.of(block), nowMs);
    if (block === 81) packer.begin();
  }
  return sent;
}"""
ACT = """async (turns) => {
  const { Act } = await import("/web/act.js");
  const act = new Act();
  turns.forEach((tokens, turn) => act.push(tokens, 200 * turn));
  return { timers: act.timers, note: act.note, marks: act.marks };
}"""

UNSAID = """async ([cuts]) => {
  const { Transcript } = await import("/web/transcript.js");
  const [list, spoken] = [document.createElement("ol"), document.createElement("div")];
  const transcript = new Transcript(list, spoken);
  transcript.add("user", [[" ten", 100, 400]], 2);
  const words = [[" a", 0], [" b", 1], ["c", 2], [" d", 3]];
  for (const [text, turn] of words) {
    const startMs = 200 * (turn + 1);
    transcript.add("model", [[text, startMs, startMs + 300]], turn);
  }
  for (const [playedMs, receivedMs] of cuts) transcript.unsay({ playedMs, receivedMs });
  transcript.add("model", [[" e", 1200, 1500]], 5);
  await new Promise((resolve) => {
    new MutationObserver(() => spoken.childElementCount === 2 && resolve())
      .observe(spoken, { childList: true });
  });
  const line = list.querySelector(".model p");
  return {
    whole: line.textContent,
    gone: [...line.querySelectorAll("del span:not(.unseen)")].map((span) => span.textContent),
    read: spoken.lastElementChild.textContent,
    user: list.querySelectorAll(".user del").length,
  };
}"""

AGAIN = """async (token) => {
  const { Link } = await import("/web/link.js");
  const addresses = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends EventTarget {
    constructor(address) {
      super();
      addresses.push(String(address));
      if (addresses.length === 1) {
        setTimeout(() => {
          const started = { type: "started", resume_token: token, resume_s: 30 };
          this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(started) }));
          this.dispatchEvent(new CloseEvent("close", { code: 1006 }));
        });
      } else {
        window.WebSocket = Socket;
        done();
      }
    }
    close() {}
    send() {}
  };
  let done;
  const tried = new Promise((resolve) => (done = resolve));
  const link = new Link({ secret: "", start: {} });
  await tried;
  link.close();
  return addresses.map((address) => new URL(address).search);
}"""


LOST = """async () => {
  const { Conversation } = await import("/web/conversation.js");
  const { WebSocket: Socket, setTimeout: wait } = window;
  const sockets = [], later = [];
  let nowMs = 0;
  window.WebSocket = class extends EventTarget {
    static OPEN = 1;
    sent = [];
    readyState = 0;
    constructor() {
      super();
      sockets.push(this);
    }
    open() {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    }
    say(message) {
      this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
    }
    send(text) {
      const { type, on } = JSON.parse(text);
      this.sent.push(on === undefined ? type : `${type} ${on}`);
    }
    close() {
      this.readyState = 3;
    }
  };
  window.setTimeout = (act) => later.push(act);
  performance.now = () => nowMs;
  try {
    const sound = Object.assign(new EventTarget(), { mute: () => {} });
    const talk = new Conversation({ secret: "", sound, camera: { isOn: false } });
    const welcome = { resume_token: "t", resume_s: 30 };
    sockets[0].open();
    sockets[0].say({ type: "started", ...welcome });
    talk.mute(true);
    sockets[0].dispatchEvent(new CloseEvent("close", { code: 1006 }));
    talk.mute(false);
    talk.say("ten");
    talk.answer("dlg_1", "six");
    later.shift()();
    const states = [5999, 6000, 6000].map((ms) => {
      nowMs = ms;
      talk._link._checkSilence();
      return sockets[1].readyState;
    });
    later.shift()();
    sockets[2].open();
    sockets[2].say({ type: "resumed", ...welcome });
    talk.close();
    sockets[2].say({ type: "ended", reason: "asked" });
    return { sent: sockets.map(({ sent }) => sent), states, numWaits: later.length };
  } finally {
    Object.assign(window, { WebSocket: Socket, setTimeout: wait });
    delete performance.now;
  }
}"""


CAMERA = """async () => {
  const { Camera } = await import("/web/camera.js");
  const media = navigator.mediaDevices;
  const streams = [], answers = [];
  media.getUserMedia = async (wish) => {
    await new Promise((resolve) => answers.push(resolve));
    const stream = await MediaDevices.prototype.getUserMedia.call(media, wish);
    streams.push(stream);
    return stream;
  };
  let numEnds = 0;
  try {
    const camera = new Camera(document.createElement("canvas"), () => (numEnds += 1));
    const tries = [camera.start()];
    camera.stop();
    tries.push(camera.start(), camera.start());
    const numAsked = answers.length;
    for (const answer of answers) answer();
    await Promise.all(tries);
    const states = () => streams.map((stream) => stream.getVideoTracks()[0].readyState).sort();
    const found = { numAsked, isOn: camera.isOn, states: states() };
    streams.forEach((stream) => stream.getVideoTracks()[0].dispatchEvent(new Event("ended")));
    return { ...found, isOff: !camera.isOn, left: states(), numEnds };
  } finally {
    delete media.getUserMedia;
  }
}"""
SOUND = """async () => {
  const { Sound } = await import("/web/sound.js");
  const media = navigator.mediaDevices, told = [];
  let stream;
  media.getUserMedia = async (wish) => {
    stream = await MediaDevices.prototype.getUserMedia.call(media, wish);
    return stream;
  };
  const until = async (state) => {
    while (sound.context.state !== state) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const sound = new Sound();
  sound.addEventListener("trouble", ({ detail }) => told.push(detail.message));
  try {
    const why = await sound.start();
    await sound.context.suspend();
    await until("suspended");
    sound.wake();
    await until("running");
    stream.getAudioTracks()[0].dispatchEvent(new Event("ended"));
    await sound.stop();
    sound.wake();
    return { why, told, state: sound.context.state };
  } finally {
    delete media.getUserMedia;
  }
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Any]:
    sound = microphone_file(tmp_path_factory.mktemp("mic") / "silence.wav", 1.0)
    with (
        server(1) as serving,
        browser(sound) as chrome,
        open_page(chrome, serving.port) as (opened, _, _),
    ):
        yield opened


@pytest.mark.parametrize("rate_hz", [48_000, 44_100])
@pytest.mark.parametrize(("hertz", "loudness"), [(440, 1.0), (8000, 1.0), (15_000, 0.0)])
def test_resampling_piece_by_piece_is_resampling_the_whole(page, rate_hz, hertz, loudness):
    whole, pieces = map(np.asarray, page.evaluate(RESAMPLE, [rate_hz, hertz, 128]))
    assert 0 <= len(whole) - len(pieces) < 2 and len(pieces) > 11_900
    assert np.abs(whole[: len(pieces)] - pieces).max() < 1e-5
    middle = pieces[500:-500]
    assert np.sqrt(2 * np.square(middle).mean()) == pytest.approx(loudness, abs=0.01)


def test_a_message_leaves_shortly_before_the_tick_that_wants_it(page):
    """Ticks begin at 1000 + 200 k; results come 30 ms of computing later, and some delay."""
    paced = page.evaluate(PACE, [30, [30, 30, 50, 31, 30, 90], 2100, 0])
    assert paced == {"due": 2175, "margin": pytest.approx(40), "jitter": 20}
    assert page.evaluate(PACE, [30, [30, 30], 2120, 0])["due"] == 2375, "not so soon after the last"
    assert page.evaluate(PACE, [0, [], 500, 0])["due"] is None, "before the first tick nobody knows"
    late = page.evaluate(PACE, [0, [0] + [900] * 49, 500, 0])
    assert late["margin"] == 400


@pytest.mark.parametrize("there_ms", [0, 18, 60, 150])
def test_a_message_over_a_long_way_is_in_time_for_a_tick(page, there_ms):
    """Ticks begin at 1000 + 200 k; their news take `there_ms` back, the message as long there."""
    due_ms = page.evaluate(PACE, [30, [30 + there_ms] * 9, 2900, 2 * there_ms])["due"]
    assert due_ms >= 2900 and (1000 - (due_ms + there_ms)) % 200 == 25


def test_the_first_message_waits_for_the_beat_and_holds_one_micro_turn(page):
    """Results come at 310, 510, ..., 10 ms after a tick; a message is due 25 ms before one."""
    sent = page.evaluate(PACK, [310 + 200 * turn for turn in range(6)])
    assert sent[0] == [480, 20, 28], "the newest 200 ms, just before the tick at 500"
    assert sent[1] == [680, 20, 48]
    assert sent[2] == [1080, 20, 88], "begun anew at 820, too late for the tick at 900"


def test_what_was_missed_while_away_is_no_jitter(page):
    """Ten micro-turns at once, then one whenever a tick is over, some a little late."""
    missed, live = [5000] * 10, [5150, 5350, 5560, 5750]
    assert page.evaluate(CATCH_UP, missed + live) == [10, 5150 - 10 * 200 - 200]
    assert page.evaluate(CATCH_UP, [*missed, 5050, 5250, 5450]) == [0, 5050 - 10 * 200 - 200]
    late = page.evaluate(CATCH_UP, [*missed, 5150, 5350, 5950, 5960, 6150])
    assert late[0] == 210, "later on, two at once are jitter"


def test_timers_and_notes_are_read_off_act(page):
    turns = [
        ["<timer>", "<t3>", " te", "a", "<end>"],
        ["<t2>"],
        ["<note>", " timer", "<t2>", " tea", "<end>"],
        ["<due>"],
        ["<every>", "<t9>", " stand", "<end>", "<delegate>", " what", "<end>"],
    ]
    read = page.evaluate(ACT, turns)
    tea, stand = read["timers"]
    assert (tea["kind"], tea["seconds"], tea["text"], tea["left"]) == ("timer", 3, " tea", 2)
    assert tea["isDue"] and not stand["isDue"]
    assert read["note"] == {"text": "timer 2 s tea", "ms": 400}
    marks = [(mark["kind"], mark["text"]) for mark in read["marks"]]
    assert marks == [("timer", "timer 3 s · tea"), ("due", "tea"), ("every", "every 9 s · stand")]
    assert page.evaluate(ACT, [*turns, ["<cancel>"]])["timers"] == []


@pytest.mark.parametrize(
    ("cuts", "whole", "gone", "read"),
    [
        ([[1000, 1000]], "a bc d e", [], "Model: a bc d e"),
        ([[899, 1000]], "a bc (not said: d) e", [" d"], "Model: a bc e (not said: d)"),
        ([[599, 1000]], "a b (not said: c d) e", ["c", " d"], "Model: a b e (not said: c d)"),
        ([[0, 600]], "(not said: a bc) d e", ["a", " b", "c"], "Model: d e (not said: a bc)"),
    ],
)
def test_words_whose_sound_was_thrown_away_are_struck_through(page, cuts, whole, gone, read):
    """`d` sounds until 1100 of the session: when 900 ms of the output have been played."""
    shown = page.evaluate(UNSAID, [cuts])
    assert shown["gone"] == gone and shown["user"] == 0
    assert " ".join(shown["whole"].split()) == whole
    assert shown["read"] == read


def test_a_lost_line_goes_back_to_the_server_that_gave_out_the_token(page):
    assert page.evaluate(AGAIN, "rt_ab12.xyz") == ["", "?replica=ab12"]
    assert page.evaluate(AGAIN, "rt_xyz-_ab12") == ["", ""], "a server that is alone"


def test_what_a_person_did_while_the_line_was_away_arrives_and_a_dead_try_is_given_up(page):
    """Muted, lost; unmuted, typed and answered meanwhile; the second try leads nowhere."""
    found = page.evaluate(LOST)
    assert found["sent"] == [
        ["start", "mute true"],
        [],
        ["resume", "mute false", "text", "answer", "mute false", "close"],
    ]
    assert found["states"] == [0, 3, 3], "a try has six seconds"
    assert found["numWaits"] == 0, "no try beside the one that succeeded"


def test_a_camera_that_is_not_wanted_any_more_goes_off_and_one_that_is_gone_is_told(page):
    """Asked for, given up, and asked for twice, before the browser answers."""
    found = page.evaluate(CAMERA)
    assert found["numAsked"] == 2 and found["isOn"]
    assert found["states"] == ["ended", "live"]
    assert found["isOff"] and found["left"] == ["ended", "ended"]
    assert found["numEnds"] == 1


def test_sound_that_the_browser_stops_is_told_and_goes_on_after_a_touch(page):
    found = page.evaluate(SOUND)
    assert (found["why"], found["state"]) == ("", "closed")
    stopped, gone = found["told"]
    assert "touch the page" in stopped and "microphone is gone" in gone
