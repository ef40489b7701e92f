// The session's time as this page sees it, and how times are written. Knows nothing of sound.

/** Runs as evenly as the server's, however unevenly its messages come; never back. */
export class SessionClock {
  constructor() {
    this._beat = null;
    this._lastMs = 0;
  }

  /** beat: knows when micro-turns arrive. */
  follow(beat) {
    this._beat = beat;
  }

  nowMs(nowMs = performance.now()) {
    const beganMs = this._beat?.beganMs ?? null;
    if (beganMs !== null) this._lastMs = Math.max(this._lastMs, nowMs - beganMs);
    return this._lastMs;
  }
}

/** 63000 → "1:03". */
export function minutes(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
