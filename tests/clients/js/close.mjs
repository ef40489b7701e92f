// Two sessions, one after the other: the client closes the first, the server the second. The second
// begins when a line comes in; the program ends when stdin does.

import { createInterface } from "node:readline";
import { connected, leave } from "./connected.mjs";
import { is } from "./conversation.mjs";

const first = await connected();
await first.until(is("server", { type: "session.updated" }), 0);
await leave(first);
for await (const line of createInterface({ input: process.stdin })) {
  const second = await connected();
  await second.until(is("connection", { status: "disconnected" }), 0);
}
