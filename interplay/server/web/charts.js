// Charts, each in a frame that has no origin and no network. Knows nothing of how they are drawn.

import { make } from "./dom.js";

const MOST = 6;
const MAX_HEIGHT = 600;

export class Charts {
  constructor(section, list) {
    this._section = section;
    this._list = list;
    this._shown = new Map(); // by id: {figure, frame, spec}
    this._dark = matchMedia("(prefers-color-scheme: dark)");
    this._dark.addEventListener("change", () => {
      for (const chart of this._shown.values()) this._send(chart);
    });
    addEventListener("message", (event) => this._receive(event));
  }

  clear() {
    this._shown.clear();
    this._list.replaceChildren();
    this._section.hidden = true;
  }

  /** The same id takes the place of an earlier one. */
  show({ id, spec }) {
    const old = this._shown.get(id);
    if (old) {
      old.spec = spec;
      this._send(old);
      return;
    }
    const title = titleOf(spec);
    const frame = make("iframe", { sandbox: "allow-scripts", src: "/web/chart.html", title });
    const figure = make("figure", {}, frame);
    this._shown.set(id, { figure, frame, spec });
    this._list.prepend(figure);
    this._section.hidden = false;
    if (this._shown.size > MOST) {
      const [first] = this._shown.keys();
      this._shown.get(first).figure.remove();
      this._shown.delete(first);
    }
  }

  _send({ frame, spec }) {
    frame.title = titleOf(spec);
    const message = { spec, isDark: this._dark.matches };
    frame.contentWindow.postMessage(message, "*"); // a frame without origin has no other name
  }

  _receive({ source, data }) {
    const chart = [...this._shown.values()].find(({ frame }) => frame.contentWindow === source);
    if (!chart || typeof data !== "object" || data === null) return;
    if (data.type === "ready") this._send(chart);
    else if (data.type === "drawn") this._fit(chart, data);
    else if (data.type === "failed") {
      const text = `This chart could not be drawn: ${String(data.message).slice(0, 200)}`;
      chart.figure.replaceChildren(chart.frame, make("figcaption", {}, text));
    }
  }

  _fit({ figure, frame }, { height }) {
    figure.querySelector("figcaption")?.remove();
    const px = Math.min(MAX_HEIGHT, Math.max(80, Number(height) || 0));
    frame.style.height = `${px}px`;
    figure.dataset.drawn = "true";
    this._section.parentElement.scrollTop = 0; // charts are on top
  }
}

function titleOf(spec) {
  const title = typeof spec.title === "object" ? spec.title?.text : spec.title;
  return title ? `Chart: ${title}` : "Chart";
}
