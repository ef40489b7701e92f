// The model's sound, micro-turn by micro-turn, out of a short buffer. Every sample has its place on
// the session's output, so what was played can be reported to the millisecond.
//
// The buffer holds a micro-turn when one has just come, plus a margin against jitter. It begins
// to play `margin` samples after the first piece, goes silent when it runs dry, and skips quiet
// pieces when it holds too much. Knows nothing of where the sound comes from.

const REPORT = 2400; // samples between two reports: 100 ms
const SLACK = 480; // how much more than wanted may be held: 20 ms
const MOST = 24000; // beyond this only the newest piece is kept
const FADE = 120; // 5 ms, so that a cut does not click
const LOUD = 0.008; // of full scale: somebody speaks
const HUSH = 7200; // 300 ms of quiet before the next sound is a beginning

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this._pieces = []; // {start, samples, isQuiet}
    this._offset = 0; // samples of the first piece that were played
    this._position = 0; // on the session's output: the next sample
    this._end = 0; // where what was received ends
    this._hold = 0;
    this._margin = 0;
    this._tail = null;
    this._isDry = true;
    this._numDry = 0;
    this._numSkipped = 0;
    this._sinceReport = 0;
    this._power = 0;
    this._quietFor = HUSH;
    this.port.onmessage = ({ data }) => {
      if (data.type === "piece") this._add(data);
      else if (data.type === "flush") this._flush();
    };
  }

  _add({ start, samples, isQuiet, margin }) {
    this._margin = margin;
    if (this._isDry) {
      this._hold = margin;
      this._isDry = false;
    }
    this._pieces.push({ start, samples, isQuiet });
    this._end = start + samples.length;
    if (this._level() > MOST) this._drop(this._level() - samples.length);
    this._skipQuiet();
    if (this._pieces.length === 1 && !this._offset) this._position = start;
  }

  _level() {
    let sum = -this._offset;
    for (const piece of this._pieces) sum += piece.samples.length;
    return sum;
  }

  _skipQuiet() {
    const newest = this._pieces.at(-1).samples.length;
    while (this._pieces.length > 1 && this._pieces[0].isQuiet) {
      const spare = this._level() - newest - this._margin;
      if (spare <= SLACK) return;
      this._drop(Math.min(spare, this._pieces[0].samples.length - this._offset));
    }
  }

  _drop(numSamples) {
    this._numSkipped += numSamples;
    let left = numSamples;
    while (left > 0 && this._pieces.length) {
      const rest = this._pieces[0].samples.length - this._offset;
      const now = Math.min(rest, left);
      left -= now;
      this._offset += now;
      if (now === rest) {
        this._pieces.shift();
        this._offset = 0;
      }
    }
    const [first] = this._pieces;
    this._position = first ? first.start + this._offset : this._end;
  }

  _flush() {
    const played = this._position;
    const next = this._pieces[0]?.samples.slice(this._offset, this._offset + FADE);
    this._tail = next ? next.map((sample, i) => sample * (1 - i / FADE)) : null;
    this._drop(this._level());
    this._isDry = true;
    this.port.postMessage({ type: "flushed", played, received: this._end });
  }

  process(_inputs, [[out]]) {
    let done = 0;
    if (this._tail) {
      const count = Math.min(out.length, this._tail.length);
      out.set(this._tail.subarray(0, count));
      this._tail = count < this._tail.length ? this._tail.subarray(count) : null;
      done = count;
    }
    const held = Math.min(this._hold, out.length - done);
    this._hold -= held;
    done += held;
    while (done < out.length && this._pieces.length) done += this._play(out, done);
    if (done < out.length && !this._isDry) {
      this._isDry = true;
      this._numDry++;
    }
    this._measure(out);
    return true;
  }

  _play(out, at) {
    const { samples, start } = this._pieces[0];
    const count = Math.min(out.length - at, samples.length - this._offset);
    out.set(samples.subarray(this._offset, this._offset + count), at);
    this._offset += count;
    this._position = start + this._offset;
    if (this._offset === samples.length) {
      this._pieces.shift();
      this._offset = 0;
    }
    return count;
  }

  _measure(out) {
    let power = 0;
    for (const sample of out) power += sample * sample;
    this._power += power;
    if (Math.sqrt(power / out.length) > LOUD) {
      if (this._quietFor >= HUSH) this.port.postMessage({ type: "onset", time: currentTime });
      this._quietFor = 0;
    } else {
      this._quietFor += out.length;
    }
    this._sinceReport += out.length;
    if (this._sinceReport < REPORT) return;
    this.port.postMessage({
      type: "report",
      position: this._position,
      level: this._level(),
      numDry: this._numDry,
      numSkipped: this._numSkipped,
      loudness: Math.sqrt(this._power / this._sinceReport),
    });
    this._sinceReport = 0;
    this._power = 0;
  }
}

registerProcessor("playback", Playback);
