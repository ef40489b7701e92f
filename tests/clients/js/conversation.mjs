// A conversation of the OpenAI Agents SDK: an agent with one tool, and everything that happens as
// plain objects. Knows nothing of node, of browsers or of what is expected.

import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents/realtime";
import { z } from "zod";

export class Conversation {
  /** report: is told every event, each with its name as `event`. */
  constructor(transport, report = () => {}) {
    this.seen = [];
    this.transport = transport;
    this.waiting = new Set();
    this.report = report;
    const ask = tool({
      name: "ask",
      description: "Answers questions.",
      parameters: z.object({ question: z.string() }),
      execute: ({ question }) => {
        this.tell("asked", { question });
        return "one";
      },
    });
    const agent = new RealtimeAgent({ name: "helper", instructions: "be kind", tools: [ask] });
    this.session = new RealtimeSession(agent, { transport });
    this.listen();
  }

  listen() {
    const { session, transport } = this;
    transport.on("connection_change", (status) => this.tell("connection", { status }));
    session.on("transport_event", (event) => this.tell("server", summary(event)));
    session.on("audio", ({ data }) => this.tell("audio", loudness(new Int16Array(data))));
    session.on("audio_interrupted", () => this.tell("audio_interrupted"));
    session.on("agent_tool_end", (...[, , , result]) => this.tell("tool_end", { result }));
    session.on("history_updated", (items) => this.tell("history", { words: items.flatMap(words) }));
    session.on("error", ({ error }) => this.tell("error", { message: JSON.stringify(error) }));
  }

  tell(event, about = {}) {
    const told = { event, ...about };
    this.seen.push(told);
    this.report(told);
    for (const look of [...this.waiting]) look();
  }

  /** Resolves with the first event that `fits` among those that come from now on, or that came at
   * the place `from` or later. */
  until(fits, from = this.seen.length) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.seen.slice(from).find(fits);
        if (found === undefined) return;
        this.waiting.delete(look);
        resolve(found);
      };
      this.waiting.add(look);
      look();
    });
  }
}

export const is = (event, about = {}) => (told) =>
  told.event === event && Object.entries(about).every(([key, value]) => told[key] === value);

export const says = (role, text) => (told) =>
  told.event === "history" && told.words.some(([who, what]) => who === role && what === text);

/** Of a server's event: its type, how a response ended, what was truncated. */
function summary({ type, response, item_id, audio_end_ms, error }) {
  const reason = response?.status_details?.reason;
  return { type, status: response?.status, reason, item_id, audio_end_ms, error };
}

/** Duration [ms] and energy (squared samples of full scale 1, summed [s]) of PCM at 24 kHz. */
function loudness(samples) {
  const power = samples.reduce((sum, sample) => sum + (sample / 32768) ** 2, 0);
  return { ms: samples.length / 24, energy: power / 24000 };
}

function words(item) {
  if (item.type !== "message") return [];
  return item.content.map((part) => [item.role, part.transcript ?? part.text ?? ""]);
}
