// One session from the start button to its end: joins the line to the server with microphone,
// loudspeaker, camera and clock. Emits what is to be shown. Knows nothing of elements.

import { Act } from "./act.js";
import { SessionClock } from "./clock.js";
import { Link } from "./link.js";
import { Beat, Packer } from "./pacing.js";
import { RATE_HZ } from "./sound.js";
import { AnswerTimes, Ear } from "./speech.js";
import { packInput, TURN_MS } from "./wire.js";

const BLOCK_MS = 10; // of the microphone
const LEVEL_MS = 20; // of the model's sound, as it is drawn
const HUSH = 33; // of 32768, -60 dB: the last of a voice that has gone off is louder
const NUM_COMPARED = 200; // blocks: 2 s

export class Conversation extends EventTarget {
  /** sound: started. camera: on or off, may change. record: whether the server is to keep it. */
  constructor({ secret, sound, camera, record = false }) {
    super();
    this.act = new Act();
    this.clock = new SessionClock();
    this.beat = new Beat();
    this.clock.follow(this.beat);
    this.ear = new Ear();
    this.answers = new AnswerTimes();
    this.hasEyes = false;
    this._isMuted = false;
    this._ahead = []; // by how much the session is before the clock of the sound
    this._sound = sound;
    this._camera = camera;
    this._packer = new Packer(this.beat, {
      soon: () => camera.look(),
      send: (pcm) => this._send(pcm),
    });
    this._link = new Link({ secret, start: { rate: RATE_HZ, record } });
    this._listenToLink();
    this._listenToSound();
  }

  say(text) {
    this._link.tell("text", { text });
  }

  mute(isMuted) {
    this._isMuted = isMuted;
    this._sound.mute(isMuted);
    this._link.tell("mute", { on: isMuted });
  }

  answer(id, text) {
    this._link.tell("answer", { delegation_id: id, text });
  }

  close() {
    this._link.close();
  }

  _listenToLink() {
    const on = (name, act) => this._link.addEventListener(name, ({ detail }) => act(detail));
    on("started", (about) => {
      this.hasEyes = about.has_eyes;
      this.beat.measured(about.roundTripMs);
      this._emit("started", about);
    });
    on("resumed", (about) => {
      this.beat.forget();
      this.beat.measured(about.roundTripMs);
      this._packer.begin();
      this._link.tell("mute", { on: this._isMuted });
      this._emit("resumed", about);
    });
    on("turn", (turn) => this._turn(turn));
    for (const name of ["notice", "refused", "waiting", "ended"]) {
      on(name, (detail) => this._emit(name, detail));
    }
  }

  _listenToSound() {
    const on = (name, act) => this._sound.addEventListener(name, ({ detail }) => act(detail));
    on("block", (block) => this._hear(block));
    on("trouble", (trouble) => this._emit("notice", trouble));
    on("flushed", ({ playedMs, receivedMs }) => {
      const pcm = new Int16Array(0);
      this._link.send(packInput({ pcm, playedMs: Math.min(playedMs, receivedMs), receivedMs }));
      this._emit("flushed", { playedMs, receivedMs });
    });
    on("onset", ({ time }) => {
      const tookMs = this.answers.onset(time, this.ear);
      if (tookMs !== null) this._emit("answered", { tookMs, medianMs: this.answers.medianMs });
    });
    on("report", (report) => {
      const { marginMs, jitterMs } = this.beat;
      this._emit("playback", { ...report, marginMs, jitterMs });
    });
  }

  _hear({ pcm, level, time }) {
    const shown = this._isMuted ? 0 : level;
    this.ear.push(shown, time);
    this._packer.push(pcm, performance.now());
    this._emit("heard", { ms: this._place(time), lengthMs: BLOCK_MS, level: shown });
  }

  /** Where on the session a block belongs: by the sound's own clock, which does not stall when
   * the page does. The block that took the shortest way of late tells how the clocks differ. */
  _place(time) {
    this._ahead.push(this.clock.nowMs() - 1000 * time);
    if (this._ahead.length > NUM_COMPARED) this._ahead.shift();
    return 1000 * time + Math.min(...this._ahead) - BLOCK_MS;
  }

  _send(pcm) {
    const picture = this._camera.isOn && this.hasEyes ? this._camera.take() : null;
    const sentMs = (this._link.lastTurn + 1) * TURN_MS;
    const playedMs = Math.min(this._sound.playedMs, sentMs);
    this._link.send(packInput({ pcm, picture, playedMs }));
  }

  _turn(turn) {
    const nowMs = performance.now();
    this.beat.arrived(turn.index, turn.compute_ms, nowMs);
    const startMs = (turn.index + 1) * TURN_MS; // when its sound plays
    this.act.push(turn.act, startMs);
    this._sound.play({
      turn: turn.index,
      pcm: turn.pcm,
      isQuiet: !turn.voice_on.some(Boolean) && turn.pcm.every((value) => Math.abs(value) < HUSH),
      marginMs: this.beat.marginMs,
    });
    if (turn.yields) this._sound.flush();
    this._emit("turn", { ...turn, startMs, levels: levels(turn.pcm, startMs) });
  }

  _emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Loudness of LEVEL_MS each: [ms, root mean square]. */
function levels(pcm, startMs) {
  const num = TURN_MS / LEVEL_MS;
  const size = pcm.length / num;
  return Array.from({ length: num }, (_, i) => {
    let power = 0;
    for (const value of pcm.subarray(i * size, (i + 1) * size)) power += (value / 32768) ** 2;
    return [startMs + i * LEVEL_MS, Math.sqrt(power / size)];
  });
}
