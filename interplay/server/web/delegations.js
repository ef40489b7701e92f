// The panel of work that was handed over: what was asked, how long it takes, what came of it.
// Emits answer where this page has to do the work. Knows nothing of sockets.

import { make, setText } from "./dom.js";

const MOST = 8;
const STATES = { done: "done", failed: "failed", cancelled: "cancelled" };

export class DelegationList extends EventTarget {
  constructor({ list, empty }) {
    super();
    this._list = list;
    this._empty = empty;
    this._rows = new Map();
  }

  clear() {
    this._rows.clear();
    this._list.replaceChildren();
    this._empty.hidden = false;
  }

  /** isOurs: nobody but the user of this page can answer. */
  begin({ id, question, offset_ms: beginMs }, isOurs) {
    const row = { id, beginMs, state: null, text: "" };
    row.status = make("span", { class: "left", "aria-live": "off" }, "…"); // it counts
    row.answer = make("p", { class: "answer" });
    row.answer.hidden = true;
    row.item = make("li", {}, make("span", { class: "what" }, question), row.status, row.answer);
    row.item.dataset.state = "open";
    if (isOurs) row.item.append(this._form(row));
    this._rows.set(id, row);
    this._list.prepend(row.item);
    this._empty.hidden = true;
    while (this._list.children.length > MOST) this._list.lastElementChild.remove();
  }

  _form(row) {
    const field = make("input", {
      "aria-label": "Your answer",
      placeholder: "Answer in its place",
      autocomplete: "off",
    });
    const form = (row.form = make("form", {}, field, make("button", {}, "Answer")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (!text) return;
      this.dispatchEvent(new CustomEvent("answer", { detail: { id: row.id, text } }));
      this.outcome({ delegation_id: row.id, content: text, status: "done" }, row.nowMs ?? 0);
    });
    return form;
  }

  outcome({ delegation_id: id, content, status }, nowMs) {
    const row = this._rows.get(id);
    if (!row) return;
    if (content) {
      row.text = row.text ? `${row.text} ${content}` : content;
      setText(row.answer, row.text);
      row.answer.hidden = false;
    }
    if (status) {
      row.state = STATES[status];
      row.item.dataset.state = status;
      row.form?.remove();
      row.status.removeAttribute("aria-live"); // how it ended is told
      setText(row.status, `${row.state}, ${seconds(nowMs - row.beginMs)}`);
    }
  }

  /** The session is over, and nobody works any more. */
  end(nowMs) {
    for (const row of this._rows.values()) {
      if (!row.state) this.outcome({ delegation_id: row.id, status: "cancelled" }, nowMs);
    }
  }

  /** The elapsed times go on. */
  show(nowMs) {
    for (const row of this._rows.values()) {
      row.nowMs = nowMs;
      if (!row.state) setText(row.status, seconds(nowMs - row.beginMs));
    }
  }
}

function seconds(ms) {
  return `${Math.max(0, ms / 1000).toFixed(1)} s`;
}
