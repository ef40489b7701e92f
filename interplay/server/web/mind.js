// The panel of what the model keeps in mind: timers and its latest note. Knows nothing of tokens.

import { minutes } from "./clock.js";
import { make, setText } from "./dom.js";

const DUE_SHOWN_MS = 6000;
const KINDS = { timer: "Timer", every: "Every", clock: "Clock" };

export class Mind {
  constructor({ list, note, empty }) {
    this._list = list;
    this._note = note;
    this._empty = empty;
    this._rows = new Map();
  }

  clear() {
    this.show({ timers: [], note: null }, 0);
  }

  show(act, nowMs) {
    for (const timer of act.timers) if (timer.isDue) timer.dueMs ??= nowMs;
    const shown = act.timers.filter((t) => !t.isDue || nowMs - t.dueMs < DUE_SHOWN_MS);
    for (const [timer, row] of this._rows) {
      if (!shown.includes(timer)) {
        row.item.remove();
        this._rows.delete(timer);
      }
    }
    for (const timer of shown) this._showTimer(timer, nowMs);
    setText(this._note, act.note ? `${minutes(act.note.ms)}  ${act.note.text || "nothing"}` : "");
    this._note.hidden = !act.note;
    this._empty.hidden = shown.length > 0 || Boolean(act.note);
  }

  _showTimer(timer, nowMs) {
    let row = this._rows.get(timer);
    if (!row) {
      row = { what: make("span", { class: "what" }), left: make("span", { class: "left" }) };
      row.bar = make("progress", { max: "1", "aria-hidden": "true" });
      row.item = make("li", {}, row.what, row.left, row.bar);
      this._rows.set(timer, row);
      this._list.append(row.item);
    }
    const ranMs = nowMs - timer.setMs;
    const words = timer.text.trim();
    setText(row.what, KINDS[timer.kind] + (words ? ` · ${words}` : ""));
    const ofSeconds = timer.seconds === null ? "" : ` of ${timer.seconds} s`;
    const counted = timer.left === null ? minutes(ranMs) : `${timer.left}`;
    setText(row.left, timer.isDue ? "due" : counted + ofSeconds);
    row.bar.hidden = timer.seconds === null;
    const lengthMs = 1000 * (timer.seconds || 1);
    const partMs = timer.kind === "every" ? ranMs % lengthMs : Math.min(ranMs, lengthMs);
    row.bar.value = timer.isDue ? 1 : partMs / lengthMs;
    row.item.classList.toggle("due", timer.isDue);
  }
}
