// How the programs for node begin: `node PROGRAM URL KEY …` talks to the Realtime WebSocket at URL,
// and every event becomes a line of JSON. Knows nothing of what is said.

import { OpenAIRealtimeWebSocket } from "@openai/agents/realtime";
import { Conversation, is } from "./conversation.mjs";

const [url, apiKey] = process.argv.slice(2);

export async function connected() {
  const transport = new OpenAIRealtimeWebSocket({ url });
  const talk = new Conversation(transport, (told) => console.log(JSON.stringify(told)));
  await talk.session.connect({ apiKey });
  return talk;
}

/** Closes, as a client does that has had enough. */
export async function leave(talk) {
  const gone = talk.until(is("connection", { status: "disconnected" }));
  talk.session.close();
  await gone;
}
