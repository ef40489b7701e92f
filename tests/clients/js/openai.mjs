// openai-node, `node openai.mjs BASE_URL KEY CERTIFICATE`: a session of the Live protocol, then one of
// the Realtime protocol, which it speaks over wss only. Every event becomes a line of JSON. Knows
// nothing of what is said.

import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { LiveWS } from "openai/resources/live/ws";

const [baseURL, apiKey, certificate] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });
const options = { ca: readFileSync(certificate) };
const silence = Buffer.alloc(9600).toString("base64"); // 200 ms
const ASK = {
  type: "function",
  name: "ask",
  parameters: { type: "object", properties: { question: { type: "string" } } },
};

function tell(protocol, { type, delta, reason, name, arguments: words, response, error }) {
  if (type.endsWith("audio.delta")) return;
  const why = reason ?? response?.status_details?.reason;
  console.log(JSON.stringify({ protocol, type, delta, reason: why, name, words, error }));
}

function live() {
  const session = new LiveWS(client, options);
  session.on("error", (error) => tell("live", { type: "error", error: error.message }));
  session.on("event", (event) => {
    tell("live", event);
    if (event.type === "session.started") {
      session.send({ type: "session.input_audio.append", audio: silence });
    } else if (event.type === "session.delegation.created") {
      const delegation_id = event.delegation.id;
      session.send({ type: "session.commentary.append", delegation_id, content: "one" });
    } else if (event.type === "session.output_transcript.delta" && event.delta === " one") {
      session.send({ type: "session.close" });
    }
  });
  session.send({ type: "session.start", session: { model: "any" } });
  return new Promise((resolve) => session.on("close", resolve));
}

function realtime() {
  const session = new OpenAIRealtimeWS({ model: "any", options }, client);
  session.on("error", (error) => tell("realtime", { type: "error", error: error.message }));
  let item_id = "";
  session.on("event", (event) => {
    tell("realtime", event);
    if (event.type === "session.created") {
      session.send({ type: "session.update", session: { type: "realtime", tools: [ASK] } });
      session.send({ type: "input_audio_buffer.append", audio: silence });
    } else if (event.type === "response.output_audio.delta") {
      item_id = event.item_id;
    } else if (event.type === "response.function_call_arguments.done") {
      const item = { type: "function_call_output", call_id: event.call_id, output: "one" };
      session.send({ type: "conversation.item.create", item });
      session.send({ type: "response.create" });
    } else if (event.type === "input_audio_buffer.speech_started") {
      const cut = { item_id, content_index: 0, audio_end_ms: 100 };
      session.send({ type: "conversation.item.truncate", ...cut });
    } else if (event.type === "conversation.item.truncated") {
      session.close();
    }
  });
  return new Promise((resolve) => session.socket.on("close", resolve));
}

await live();
await realtime();
