// The model yields and the SDK stops playing; when the model speaks again, the client interrupts
// it, types, and leaves.

import { connected, leave } from "./connected.mjs";
import { is, says } from "./conversation.mjs";

const truncated = is("server", { type: "conversation.item.truncated" });

const talk = await connected();
await talk.until(is("audio_interrupted"), 0);
await talk.until(is("server", { reason: "turn_detected" }), 0);
await talk.until(truncated, 0);

await talk.until(is("audio"));
const begin = talk.seen.length;
talk.tell("interrupts");
talk.session.interrupt();
await talk.until(is("server", { reason: "client_cancelled" }), begin);
await talk.until(truncated, begin);

talk.session.sendMessage("six");
await talk.until(says("user", "six"));
await leave(talk);
