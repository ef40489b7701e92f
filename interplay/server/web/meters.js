// The numbers: how fast it answers, whether deadlines hold, what the playback buffer does.
// Knows nothing of where they come from.

import { setText } from "./dom.js";
import { TURN_MS } from "./wire.js";

const BARS = 60;

export class Meters {
  /** fields: elements by name; canvas: for the compute times of late. */
  constructor(fields, canvas) {
    this._fields = fields;
    this._canvas = canvas;
    this.clear();
  }

  clear() {
    this.numTurns = 0;
    this.numLate = 0;
    this.numGaps = 0;
    this._computeMs = [];
    for (const field of Object.values(this._fields)) field.textContent = "–";
    this._draw();
  }

  turn({ compute_ms: computeMs, is_gap: isGap }) {
    this.numTurns++;
    this.numLate += computeMs > TURN_MS;
    this.numGaps += isGap;
    this._computeMs.push(computeMs);
    if (this._computeMs.length > BARS) this._computeMs.shift();
    const sorted = [...this._computeMs].sort((a, b) => a - b);
    setText(this._fields.compute, `${Math.round(sorted[sorted.length >> 1])} ms`);
    setText(this._fields.late, `${this.numLate} of ${this.numTurns}`);
    setText(this._fields.gaps, String(this.numGaps));
    this._fields.late.classList.toggle("bad", this.numLate > 0);
    this._draw();
  }

  answer(latestMs, medianMs) {
    const text = `${(latestMs / 1000).toFixed(2)} s`;
    setText(this._fields.answer, text);
    setText(this._fields.median, `${(medianMs / 1000).toFixed(2)} s`);
  }

  playback({ levelMs, numDry, marginMs, jitterMs }) {
    const wantedMs = TURN_MS + Math.round(marginMs); // when a micro-turn has just come
    setText(this._fields.buffer, `${Math.round(levelMs)} of ${wantedMs} ms`);
    setText(this._fields.jitter, `${Math.round(jitterMs)} ms`);
    setText(this._fields.dry, String(numDry));
  }

  _draw() {
    const pen = this._canvas.getContext("2d");
    const { width, height } = this._canvas;
    const style = getComputedStyle(this._canvas);
    const [ok, late, line] = ["--tick", "--late", "--muted"].map((n) => style.getPropertyValue(n));
    pen.clearRect(0, 0, width, height);
    const step = width / BARS;
    const deadline = 0.75 * height; // above the foot
    this._computeMs.forEach((ms, i) => {
      const size = Math.max(2, Math.min(height, (deadline * ms) / TURN_MS));
      pen.fillStyle = ms > TURN_MS ? late : ok;
      pen.fillRect((BARS - this._computeMs.length + i) * step, height - size, step - 1.5, size);
    });
    pen.fillStyle = line;
    pen.fillRect(0, height - deadline, width, 1);
  }
}
