// Who speaks, by loudness, and how long answers take. Times are seconds of the sound's own clock.
// Knows nothing of where sound comes from or of what is shown.

const SPOKEN = 10 ** (-42 / 20); // of full scale
const ABOVE_FLOOR = 4; // times louder than the quietest of late
const HANG_S = 0.3; // gaps inside a sentence
const ANSWER_S = 5; // a later sound is no answer
const FLOOR_RISE = 1.001; // per block: a louder room is got used to in some seconds

/** The user, heard block by block. */
export class Ear {
  constructor() {
    this.isSpeaking = false;
    this.lastLoud = -Infinity;
    this._floor = SPOKEN / ABOVE_FLOOR;
  }

  /** level: root mean square of 10 ms. */
  push(level, time) {
    this._floor = Math.min(Math.max(level, 1e-5), this._floor * FLOOR_RISE);
    if (level > Math.max(SPOKEN, ABOVE_FLOOR * this._floor)) this.lastLoud = time;
    this.isSpeaking = time - this.lastLoud < HANG_S;
  }
}

/** From the end of the user's speech to the model's first sound. */
export class AnswerTimes {
  constructor() {
    this.allMs = [];
    this._measuredFrom = -Infinity;
  }

  /** The model began to sound. Returns milliseconds, or null where it answers nothing. */
  onset(time, ear) {
    const tookS = time - ear.lastLoud;
    if (ear.isSpeaking || tookS > ANSWER_S || ear.lastLoud === this._measuredFrom) return null;
    this._measuredFrom = ear.lastLoud;
    this.allMs.push(1000 * tookS);
    return 1000 * tookS;
  }

  get medianMs() {
    const sorted = [...this.allMs].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
  }
}
