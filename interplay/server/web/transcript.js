// What both said, as it forms: one list in the order in which they began. Knows nothing of sound.

import { minutes } from "./clock.js";
import { make } from "./dom.js";

const GAP_MS = 1000; // without a word: the next one begins a new line
const MOST_LINES = 300;
const SETTLED_MS = 1500; // then a line is read aloud by a screen reader
const NAMES = { user: "You", model: "Model", typed: "You, typed" };

export class Transcript {
  /** list: where lines go. spoken: a hidden live region; words that form would be read in bits. */
  constructor(list, spoken) {
    this._list = list;
    this._spoken = spoken;
    this._open = {}; // by who speaks: {words, endMs, text, timer}
  }

  clear() {
    for (const line of Object.values(this._open)) clearTimeout(line.timer);
    this._open = {};
    this._list.replaceChildren();
    this._spoken.replaceChildren();
  }

  /** pieces: [text, start_ms, end_ms]; a leading space begins a word. */
  add(who, pieces) {
    for (const [text, startMs, endMs] of pieces) {
      let line = this._open[who];
      if (!line || startMs - line.endMs > GAP_MS) line = this._begin(who, startMs);
      line.words.append(make("span", {}, line.text ? text : text.trimStart()));
      line.text += text;
      line.endMs = endMs;
      clearTimeout(line.timer);
      line.timer = setTimeout(() => this._say(who, line.text), SETTLED_MS);
    }
  }

  typed(text, nowMs) {
    const line = this._begin("typed", nowMs);
    line.words.append(text);
    delete this._open.typed;
  }

  _begin(who, startMs) {
    const wasAtEnd = this._isAtEnd();
    const words = make("p");
    const item = make(
      "li",
      { class: who },
      make("span", { class: "who" }, NAMES[who]),
      make("time", {}, minutes(startMs)),
      words,
    );
    this._list.append(item);
    if (this._list.children.length > MOST_LINES) this._list.firstElementChild.remove();
    if (wasAtEnd) this.toEnd();
    this._open[who] = { words, endMs: startMs, text: "", timer: 0 };
    return this._open[who];
  }

  /** Keep the newest words in sight, unless the reader has scrolled back. */
  follow() {
    if (this._isAtEnd()) this.toEnd();
  }

  toEnd() {
    this._list.scrollTop = this._list.scrollHeight;
  }

  _isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this._list;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  _say(who, text) {
    this._spoken.append(make("p", {}, `${NAMES[who]}: ${text.trim()}`));
    while (this._spoken.children.length > 4) this._spoken.firstElementChild.remove();
  }
}
