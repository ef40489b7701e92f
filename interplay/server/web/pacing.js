// When to send and how much to hold: the server's beat, seen from here. Times are milliseconds of
// performance.now(). Knows nothing of sockets or sound.

import { TURN_MS } from "./wire.js";

const WINDOW = 50; // micro-turns that are remembered: 10 s
const GUARD_MS = 25; // a message should arrive so long before the tick, less one block of sound
const LEAST_MS = 60; // between two messages
const TURN_BLOCKS = 20;
const MOST_BLOCKS = 100; // of one message, 1 s: what is older comes too late to be of use
const MARGIN_MS = { least: 30, most: 400, spare: 20 };

export class Beat {
  constructor() {
    this._ticks = []; // when each tick began, seen from here, as if it had been tick 0
    this._arrivals = [];
    this._roundTripMs = 0;
    this._isCatchingUp = false;
    this._lastMs = 0;
  }

  /** So long it takes until the server's answer to a message is here. */
  measured(roundTripMs) {
    this._roundTripMs = roundTripMs;
  }

  /** A micro-turn has arrived. */
  arrived(turn, computeMs, nowMs) {
    if (this._isCatchingUp && this._arrivals.length) {
      if (nowMs - this._lastMs < TURN_MS / 2) this._clear();
      else this._isCatchingUp = false;
    }
    this._lastMs = nowMs;
    push(this._arrivals, nowMs - turn * TURN_MS);
    push(this._ticks, nowMs - computeMs - turn * TURN_MS);
  }

  /** When the next message is due so that it comes just in time; later than LEAST_MS from now.
   * A tick is seen from here when its news have come, and is sent to for as long again: together
   * one round trip. null: no micro-turn has come yet. */
  dueMs(nowMs) {
    if (!this._ticks.length) return null;
    const base = Math.min(...this._ticks);
    const leadMs = GUARD_MS + this._roundTripMs;
    const earliestMs = nowMs + leadMs + LEAST_MS;
    return base + Math.ceil((earliestMs - base) / TURN_MS) * TURN_MS - leadMs;
  }

  /** When the session's time was 0, in milliseconds of performance.now(); null: nobody knows. */
  get beganMs() {
    return this._arrivals.length ? Math.min(...this._arrivals) - TURN_MS : null;
  }

  /** How much later than the fastest the slow ones arrive. */
  get jitterMs() {
    if (!this._arrivals.length) return 0;
    const sorted = [...this._arrivals].sort((a, b) => a - b);
    return sorted[Math.floor(0.95 * (sorted.length - 1))] - sorted[0];
  }

  /** What playback should hold beyond one micro-turn. */
  get marginMs() {
    const { least, most, spare } = MARGIN_MS;
    return Math.min(most, Math.max(least, this.jitterMs + spare));
  }

  /** After a break: what was missed arrives at once, and says nothing about the line. */
  forget() {
    this._isCatchingUp = true;
    this._clear();
  }

  _clear() {
    this._ticks = [];
    this._arrivals = [];
  }
}

function push(list, value) {
  list.push(value);
  if (list.length > WINDOW) list.shift();
}

/** Blocks of sound to one message per micro-turn. send(pcm), soon(): called shortly before.
 *
 * The first message waits for the first beat and holds one micro-turn, so that every beat finds
 * the newest sound: what is sent before would only wait at the server, for the whole session. */
export class Packer {
  constructor(beat, { soon, send }) {
    this._beat = beat;
    this._soon = soon;
    this._send = send;
    this.begin();
  }

  /** As at the start: also after a break, for the beats that went by had a gap for sound. */
  begin() {
    this._blocks = [];
    this._dueMs = null;
    this._isSoon = false;
    this._isFirst = true;
  }

  push(block, nowMs) {
    this._blocks.push(block);
    if (this._blocks.length > (this._isFirst ? TURN_BLOCKS : MOST_BLOCKS)) this._blocks.shift();
    this._dueMs ??= this._beat.dueMs(nowMs);
    if (this._dueMs === null) return;
    if (!this._isSoon && nowMs >= this._dueMs - 60) {
      this._isSoon = true;
      this._soon();
    }
    if (nowMs < this._dueMs) return;
    const pcm = joined(this._blocks);
    this._blocks = [];
    this._isSoon = this._isFirst = false;
    this._dueMs = this._beat.dueMs(nowMs);
    this._send(pcm);
  }
}

function joined(blocks) {
  const all = new Int16Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    all.set(block, at);
    at += block.length;
  }
  return all;
}
