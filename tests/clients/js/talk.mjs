// A whole session: a wav (24 kHz, 16 bit, mono) is sent, both sides are heard, the client leaves.

import { readFileSync } from "node:fs";
import { connected, leave } from "./connected.mjs";
import { is, says } from "./conversation.mjs";

const HEADER_BYTES = 44;
const TURN_BYTES = 2 * 4800; // 200 ms
const sound = readFileSync(process.argv[4]).subarray(HEADER_BYTES);

const talk = await connected();
for (let at = 0; at < sound.length; at += TURN_BYTES) {
  talk.session.sendAudio(new Uint8Array(sound.subarray(at, at + TURN_BYTES)).buffer);
}
await talk.until(says("user", "ten"), 0);
await talk.until(says("assistant", "ten"), 0);
await talk.until(is("server", { type: "response.done" }), 0);
await leave(talk);
