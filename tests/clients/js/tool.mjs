// The model hands work to a tool of the client, and speaks about the result.

import { connected, leave } from "./connected.mjs";
import { is, says } from "./conversation.mjs";

const talk = await connected();
await talk.until(is("tool_end"), 0);
await talk.until(says("assistant", "one"), 0);
await leave(talk);
