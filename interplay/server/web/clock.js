// The session's time as this page sees it, and how times are written. Knows nothing of sound.

import { TURN_MS } from "./wire.js";

/** Goes on between micro-turns, and never back. */
export class SessionClock {
  constructor() {
    this._endMs = 0;
    this._seenAt = null;
    this._lastMs = 0;
  }

  arrived(turn, nowMs) {
    this._endMs = (turn + 1) * TURN_MS;
    this._seenAt = nowMs;
  }

  nowMs(nowMs = performance.now()) {
    if (this._seenAt === null) return 0;
    const ahead = Math.min(nowMs - this._seenAt, 2 * TURN_MS);
    this._lastMs = Math.max(this._lastMs, this._endMs + ahead);
    return this._lastMs;
  }
}

/** 63000 → "1:03". */
export function minutes(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
