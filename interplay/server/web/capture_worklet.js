// Microphone to blocks of 10 ms, 16-bit, at 24 kHz; silence while there is no microphone.
// Knows nothing of the page.

import { Resampler } from "./resampler.js";

const RATE_HZ = 24000;
const BLOCK = 240;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this._resampler = sampleRate === RATE_HZ ? null : new Resampler(sampleRate, RATE_HZ);
    this._silence = new Float32Array(128);
    this._begin();
  }

  _begin() {
    this._block = new Int16Array(BLOCK);
    this._size = 0;
    this._power = 0;
  }

  process(inputs) {
    const heard = inputs[0]?.[0] ?? this._silence;
    for (const sample of this._resampler ? this._resampler.push(heard) : heard) {
      const value = Math.max(-1, Math.min(1, sample));
      this._block[this._size++] = Math.round(value * 32767);
      this._power += value * value;
      if (this._size === BLOCK) this._post();
    }
    return true;
  }

  _post() {
    const message = { pcm: this._block, level: Math.sqrt(this._power / BLOCK), time: currentTime };
    this.port.postMessage(message, [this._block.buffer]);
    this._begin();
  }
}

registerProcessor("capture", Capture);
