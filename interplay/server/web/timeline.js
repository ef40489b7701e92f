// The conversation as two lanes over time: sound, words, where both speak, what the model keeps in
// mind and hands over. Drawn on a canvas; everything on it is also written elsewhere as text.
// Knows nothing of where it comes from.

import { minutes } from "./clock.js";
import { isDropped } from "./wire.js";

const KEPT_MS = 120000;
const PX_PER_S = { wide: 64, narrow: 52 };
const NARROW_PX = 560;
const AHEAD_PX = 44; // to the right of now
const WAVE_PX = 46;
const WORD_PX = 18;
const WORD_LEVELS = 2;
const MOST_MOVED_PX = 80; // of a word, to where there is room; then the transcript alone has it
const PILL_PX = 22;
const WORK_LEVELS = 2;
const MOST_LETTERS = 36; // of a pill; the panels show all of it
const FLOOR_DB = -50;
const PEAK_DB = -12;
const TOP = 24;
const ROWS = (() => {
  const heard = TOP + 4;
  const user = heard + WORD_LEVELS * WORD_PX + 4;
  const model = user + WAVE_PX + 10;
  const said = model + WAVE_PX + 6;
  const mind = said + WORD_LEVELS * WORD_PX + 10;
  return { heard, user, model, said, mind, work: mind + PILL_PX + 2 };
})();
const HEIGHT_PX = ROWS.work + WORK_LEVELS * PILL_PX + 4;

export class Timeline {
  constructor(canvas) {
    this._canvas = canvas;
    this._pen = canvas.getContext("2d");
    canvas.style.height = `${HEIGHT_PX}px`;
    this.clear();
    this._colours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this._colours());
    new ResizeObserver(() => this._fit()).observe(canvas);
    this._fit();
    this._listen();
  }

  clear() {
    this._levels = { user: [], model: [] }; // [ms, length, root mean square]
    this._words = { heard: [], said: [] };
    this._marks = [];
    this._work = new Map();
    this._faults = [];
    this._backMs = 0; // how far the user has scrolled back
  }

  /** Where the newest sound ends. */
  get endMs() {
    return Math.max(0, ...Object.values(this._levels).map((list) => list.at(-1)?.[0] ?? 0));
  }

  level(who, ms, lengthMs, level) {
    const list = this._levels[who];
    list.push([ms, lengthMs, level]);
    while (list.length && list[0][0] < ms - KEPT_MS) list.shift();
  }

  /** pieces: [text, start_ms, end_ms] of a micro-turn. */
  words(stream, pieces, turn) {
    const list = this._words[stream];
    for (const [text, startMs, endMs] of pieces) {
      const last = list.at(-1);
      if (last && !text.startsWith(" ")) {
        Object.assign(last, { text: last.text + text, endMs, px: undefined });
      } else list.push({ text: text.trim(), ms: startMs, endMs, turn });
    }
    if (list.length > 400) list.shift();
  }

  /** Words of the model whose sound was thrown away are struck through. */
  unsay(cut) {
    for (const word of this._words.said) word.isDropped ||= isDropped(word, cut);
  }

  set marks(marks) {
    this._marks = marks;
  }

  begin({ id, question, offset_ms: ms }) {
    this._work.set(id, { text: question, ms, endMs: null });
    if (this._work.size > 50) this._work.delete(this._work.keys().next().value);
  }

  end(id, ms) {
    const work = this._work.get(id);
    if (work) work.endMs = ms;
  }

  /** A micro-turn that was not in time. */
  fault(ms) {
    this._faults.push(ms);
    if (this._faults.length > 400) this._faults.shift();
  }

  _listen() {
    const scroll = (ms) => {
      this._backMs = Math.max(0, Math.min(KEPT_MS - 10000, this._backMs + ms));
    };
    this._canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: 2000, ArrowRight: -2000, PageUp: 10000, PageDown: -10000 };
      if (event.key === "End") this._backMs = 0;
      else if (event.key in step) scroll(step[event.key]);
      else return;
      event.preventDefault();
    });
    this._canvas.addEventListener("pointerdown", (event) => {
      this._canvas.setPointerCapture(event.pointerId);
    });
    this._canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) scroll((1000 * event.movementX) / this._scale);
    });
    this._canvas.addEventListener("dblclick", () => {
      this._backMs = 0;
    });
  }

  _colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["bg", "ink", "muted", "grid", "user", "model", "both", "act", "act-ink"];
    names.push("wait", "wait-ink", "late", "font");
    this._css = Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
  }

  _fit() {
    const ratio = devicePixelRatio || 1;
    this._width = this._canvas.clientWidth;
    this._canvas.width = Math.round(this._width * ratio);
    this._canvas.height = Math.round(HEIGHT_PX * ratio);
    this._pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this._scale = this._width < NARROW_PX ? PX_PER_S.narrow : PX_PER_S.wide;
  }

  draw(nowMs) {
    const pen = this._pen;
    this._rightMs = nowMs - this._backMs;
    this._leftMs = this._rightMs - (1000 * (this._width - AHEAD_PX)) / this._scale;
    pen.clearRect(0, 0, this._width, HEIGHT_PX);
    this._drawGrid();
    this._drawOverlaps();
    this._drawWave("user", ROWS.user);
    this._drawWave("model", ROWS.model);
    this._drawWords("heard", ROWS.heard, "user");
    this._drawWords("said", ROWS.said, "model");
    this._drawMarks();
    this._drawWork(nowMs);
    this._drawNow(nowMs);
  }

  _x(ms) {
    return ((ms - this._leftMs) * this._scale) / 1000;
  }

  _drawGrid() {
    const pen = this._pen;
    pen.font = `11px ${this._css.font}`;
    pen.textBaseline = "alphabetic";
    for (let s = Math.max(0, Math.floor(this._leftMs / 1000)); ; s++) {
      const x = Math.round(this._x(1000 * s)) + 0.5;
      if (x > this._width) break;
      pen.fillStyle = this._css.grid;
      pen.fillRect(x, TOP - 6, 1, HEIGHT_PX - TOP);
      pen.fillStyle = this._css.muted;
      const [text, left] = [minutes(1000 * s), x + 4];
      const fits = left + pen.measureText(text).width < this._width;
      if (s % 2 === 0 && fits) pen.fillText(text, left, TOP - 8);
    }
    pen.fillStyle = this._css.grid;
    for (const row of [ROWS.user, ROWS.model]) {
      pen.fillRect(0, Math.round(row + WAVE_PX / 2), this._width, 1);
    }
    pen.fillStyle = this._css.late;
    for (const ms of this._faults) {
      if (ms > this._leftMs) pen.fillRect(this._x(ms), TOP - 6, this._scale / 5, 2);
    }
  }

  /** 0 to 1 of half a lane. */
  _height(level) {
    const db = 20 * Math.log10(Math.max(level, 1e-6));
    return Math.min(1, Math.max(0, (db - FLOOR_DB) / (PEAK_DB - FLOOR_DB)));
  }

  _drawWave(who, top) {
    const pen = this._pen;
    const middle = top + WAVE_PX / 2;
    pen.fillStyle = this._css[who];
    for (const [ms, lengthMs, level] of this._levels[who]) {
      if (ms + lengthMs < this._leftMs || ms > this._rightMs + 1500) continue;
      const half = (this._height(level) * WAVE_PX) / 2;
      if (half < 0.5) continue;
      const x = Math.floor(this._x(ms));
      pen.fillRect(x, middle - half, Math.ceil(this._x(ms + lengthMs)) - x, 2 * half);
    }
  }

  _spans(who) {
    const spans = [];
    for (const [ms, lengthMs, level] of this._levels[who]) {
      if (ms < this._leftMs - 1000 || this._height(level) < 0.25) continue;
      const last = spans.at(-1);
      if (last && ms - last[1] < 300) last[1] = ms + lengthMs;
      else spans.push([ms, ms + lengthMs]);
    }
    return spans;
  }

  _drawOverlaps() {
    const model = this._spans("model");
    this._pen.fillStyle = this._css.both;
    for (const [start, end] of this._spans("user")) {
      for (const [from, to] of model) {
        const [left, right] = [Math.max(start, from), Math.min(end, to)];
        if (right - left < 120) continue;
        const height = ROWS.model + WAVE_PX - ROWS.user + 4;
        this._box(this._x(left), ROWS.user - 2, this._x(right) - this._x(left), height, 5);
      }
    }
  }

  _box(x, y, width, height, radius) {
    this._pen.beginPath();
    this._pen.roundRect(x, y, width, height, radius);
    this._pen.fill();
  }

  _drawWords(stream, top, colour) {
    const pen = this._pen;
    const free = Array(WORD_LEVELS).fill(-Infinity);
    pen.font = `600 13px ${this._css.font}`;
    for (const word of this._words[stream]) {
      word.px ??= pen.measureText(word.text).width;
      const x = this._x(word.ms);
      let level = free.findIndex((end) => end <= x);
      if (level < 0) level = free.indexOf(Math.min(...free));
      const at = Math.max(x, free[level]);
      if (at - x > MOST_MOVED_PX) continue;
      free[level] = at + word.px + 7;
      if (free[level] < 0) continue;
      pen.fillStyle = this._css[word.isDropped ? "muted" : colour];
      pen.fillText(word.text, at, top + WORD_PX * level + 14);
      if (word.isDropped) pen.fillRect(at, top + WORD_PX * level + 9, word.px, 1);
    }
  }

  /** Returns where it ends. Its text stays in sight as long as there is room. */
  _pill(text, x, top, minWidth, colour) {
    const pen = this._pen;
    const shown = text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
    pen.font = `11.5px ${this._css.font}`;
    const textWidth = pen.measureText(shown).width;
    const right = x + Math.max(minWidth, textWidth + 16);
    if (right > 0 && x < this._width) {
      pen.fillStyle = this._css[colour];
      this._box(x, top, right - x, PILL_PX - 2, 10);
      pen.fillStyle = this._css[`${colour}-ink`];
      pen.fillText(shown, Math.min(Math.max(x, 0) + 8, right - 8 - textWidth), top + 14);
    }
    return right;
  }

  /** In one row; what comes too soon is moved to where there is room. */
  _drawMarks() {
    let free = -Infinity;
    for (const { kind, ms, text } of this._marks) {
      if (ms < this._leftMs - KEPT_MS) continue;
      const sign = { due: "● ", cancel: "✕ " }[kind] ?? "";
      const x = Math.max(this._x(ms), free + 4);
      free = this._pill(sign + text, x, ROWS.mind, 0, "act");
    }
  }

  /** In rows, as long as each takes. Where there is none free, the panel alone shows it. */
  _drawWork(nowMs) {
    const free = Array(WORK_LEVELS).fill(-Infinity);
    for (const { text, ms, endMs } of this._work.values()) {
      const x = this._x(ms);
      const level = free.findIndex((end) => end + 4 <= x);
      if (level < 0) continue;
      const width = this._x(endMs ?? nowMs) - x;
      free[level] = this._pill(text, x, ROWS.work + PILL_PX * level, width, "wait");
    }
  }

  _drawNow(nowMs) {
    const pen = this._pen;
    const x = Math.round(this._x(nowMs));
    if (!nowMs || x > this._width) return;
    pen.fillStyle = this._css.ink;
    pen.globalAlpha = 0.35;
    pen.fillRect(x, TOP - 6, 1, HEIGHT_PX - TOP);
    pen.globalAlpha = 1;
  }
}
