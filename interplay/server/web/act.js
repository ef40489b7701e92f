// What the model writes on `act`, read token by token: timers, their countdown, notes.
// Knows nothing of how it is shown.

const WITH_WORDS = new Set(["delegate", "timer", "every", "note"]);
const MOST = 20;

export class Act {
  constructor() {
    this.timers = []; // {kind, seconds, text, setMs, isDue, isOpen}
    this.note = null; // {text, ms}
    this.marks = []; // {kind, ms, text}: for the timeline
    this._open = null;
    this._latest = null; // what a count on its own counts
  }

  /** tokens: as a person reads them, "<timer>", " tea"; ms: of the session. */
  push(tokens, ms) {
    for (const token of tokens) {
      const name = /^<(.+)>$/.exec(token)?.[1];
      const count = name && /^t\d+$/.test(name) ? Number(name.slice(1)) : null;
      if (name === undefined) this._word(token);
      else if (name === "end") this._close(ms);
      else if (this._open?.kind === "note") this._word(count === null ? ` ${name}` : ` ${count} s`);
      else if (count !== null) this._count(count, ms);
      else this._begin(name, ms);
    }
  }

  _word(token) {
    if (this._open) this._open.text += token;
  }

  _begin(name, ms) {
    if (name === "pad") return;
    if (WITH_WORDS.has(name)) {
      this._open = { kind: name, seconds: null, text: "", setMs: ms, isDue: false, left: null };
      if (name === "timer" || name === "every") this._add(this._open);
    } else if (name === "clock") {
      this._add({ kind: "clock", seconds: null, text: "", setMs: ms, isDue: false, left: null });
      this._mark("clock", ms, "clock");
    } else if (name === "due") {
      const timer = this.timers.find((one) => one.kind !== "clock" && !one.isDue);
      if (timer?.kind === "timer") timer.isDue = true;
      else if (timer) timer.setMs = ms;
      this._mark("due", ms, timer?.text.trim() || "due");
    } else if (name === "cancel") {
      this.timers = [];
      this._latest = null;
      this._mark("cancel", ms, "cancelled");
    }
  }

  _add(timer) {
    this.timers.push(timer);
    if (this.timers.length > MOST) this.timers.shift();
    this._latest = timer;
  }

  /** The first count after `<timer>` is its length, later ones are what the model counts aloud
   * to itself. */
  _count(seconds) {
    const open = this._open;
    if (open && open.seconds === null && (open.kind === "timer" || open.kind === "every")) {
      open.seconds = seconds;
    } else if (this._latest) {
      this._latest.left = seconds;
    }
  }

  _close(ms) {
    const open = this._open;
    this._open = null;
    if (!open) return;
    if (open.kind === "note") this.note = { text: open.text.trim(), ms };
    else if (open.kind !== "delegate") this._mark(open.kind, open.setMs, label(open));
  }

  _mark(kind, ms, text) {
    this.marks.push({ kind, ms, text });
    if (this.marks.length > 200) this.marks.shift();
  }
}

/** "timer 3 s · tea" */
export function label({ kind, seconds, text }) {
  const length = seconds === null ? "" : ` ${seconds} s`;
  return kind + length + (text.trim() ? ` · ${text.trim()}` : "");
}
