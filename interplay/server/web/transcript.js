// What both said, as it forms: one list in the order in which they began. Words whose sound was
// thrown away are struck through. Knows nothing of sound.

import { minutes } from "./clock.js";
import { make } from "./dom.js";
import { isDropped } from "./wire.js";

const GAP_MS = 1000; // without a word: the next one begins a new line
const MOST_LINES = 300;
const MOST_RECENT = 64; // words of the model that may still prove not to have been said
const SETTLED_MS = 1500; // then a line is read aloud by a screen reader
const NAMES = { user: "You", model: "Model", typed: "You, typed" };

export class Transcript {
  /** list: where lines go. spoken: a hidden live region; words that form would be read in bits. */
  constructor(list, spoken) {
    this._list = list;
    this._spoken = spoken;
    this._open = {}; // by who speaks: {words, endMs, pieces, timer}
    this._recent = []; // of the model: {text, endMs, turn, span, isSaid}
  }

  clear() {
    for (const line of Object.values(this._open)) clearTimeout(line.timer);
    this._open = {};
    this._recent = [];
    this._list.replaceChildren();
    this._spoken.replaceChildren();
  }

  /** pieces: [text, start_ms, end_ms] of a micro-turn; a leading space begins a word. */
  add(who, pieces, turn) {
    for (const [text, startMs, endMs] of pieces) {
      let line = this._open[who];
      if (!line || startMs - line.endMs > GAP_MS) line = this._begin(who, startMs);
      const span = make("span", {}, line.pieces.length ? text : text.trimStart());
      const piece = { text, endMs, turn, span, isSaid: true };
      line.words.append(span);
      line.pieces.push(piece);
      line.endMs = endMs;
      clearTimeout(line.timer);
      line.timer = setTimeout(() => this._say(who, line.pieces), SETTLED_MS);
      if (who === "model") this._recent.push(piece);
    }
    this._recent.splice(0, this._recent.length - MOST_RECENT);
  }

  /** The page has thrown away what waited to be played: the model's words in it were not said. */
  unsay(cut) {
    for (const piece of this._recent) {
      if (!piece.isSaid || !isDropped(piece, cut)) continue;
      piece.isSaid = false;
      strike(piece.span);
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
    this._open[who] = { words, endMs: startMs, pieces: [], timer: 0 };
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

  _say(who, pieces) {
    const [said, dropped] = [true, false].map((isSaid) => textOf(pieces, isSaid));
    const text = dropped ? `${said} (not said: ${dropped})` : said;
    this._spoken.append(make("p", {}, `${NAMES[who]}: ${text.trim()}`));
    while (this._spoken.children.length > 4) this._spoken.firstElementChild.remove();
  }
}

function textOf(pieces, isSaid) {
  const texts = pieces.filter((piece) => piece.isSaid === isSaid).map(({ text }) => text);
  return texts.join("").trim();
}

/** Words beside each other are one deletion, with words for who does not see the stroke. */
function strike(span) {
  let gone = span.previousElementSibling;
  if (gone?.tagName !== "DEL") {
    gone = make("del", {}, ...[" (not said: ", ")"].map((t) => make("span", { class: "unseen" }, t)));
    span.before(gone);
  }
  gone.lastElementChild.before(span);
}
