// Sound at one rate to sound at another, piece by piece, by a windowed sinc. For browsers that
// give the microphone only at the rate of the device. Knows nothing of microphones.

const HALF = 24; // zero crossings on each side
const EDGE = 0.94; // of the lower Nyquist frequency: where the filter begins to fall

export class Resampler {
  constructor(fromHz, toHz) {
    this._step = fromHz / toHz;
    this._cut = EDGE * Math.min(1, toHz / fromHz);
    this._reach = Math.ceil(HALF / this._cut);
    this._held = new Float32Array(this._reach); // silence before the first sample
    this._next = this._reach; // where in `_held` the next sample is taken
  }

  /** Float32Array to Float32Array; what needs samples that have not come waits. */
  push(samples) {
    const all = new Float32Array(this._held.length + samples.length);
    all.set(this._held);
    all.set(samples, this._held.length);
    const out = [];
    while (this._next + this._reach < all.length) {
      out.push(this._at(all, this._next));
      this._next += this._step;
    }
    const first = Math.max(0, Math.floor(this._next) - this._reach);
    this._held = all.slice(first);
    this._next -= first;
    return Float32Array.from(out);
  }

  _at(all, place) {
    let sum = 0;
    for (let i = Math.ceil(place - this._reach); i <= place + this._reach; i++) {
      if (i < 0) continue;
      const x = (i - place) * this._cut;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * (i - place)) / this._reach);
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      sum += all[i] * sinc * window * this._cut;
    }
    return sum;
  }
}
