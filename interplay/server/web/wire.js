// The messages between this page and its server, as docs/protocol.md draws them.
// Knows nothing of sockets, sound or what is shown.

export const TURN_MS = 200;
const VERSION = 1;
const FLUSHED = 1;
const INPUT_BYTES = 16;
const OUTPUT_BYTES = 12;

/** One binary message: sound (Int16Array), picture (Uint8Array or null) and what was played.
 * receivedMs: null, or of the first so many milliseconds what was not played was thrown away. */
export function packInput({ pcm, picture = null, playedMs, receivedMs = null }) {
  const sound = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const message = new Uint8Array(INPUT_BYTES + sound.length + (picture?.length ?? 0));
  const head = new DataView(message.buffer);
  head.setUint8(0, VERSION);
  head.setUint8(1, receivedMs === null ? 0 : FLUSHED);
  head.setUint32(4, playedMs, true);
  head.setUint32(8, receivedMs ?? 0, true);
  head.setUint32(12, sound.length, true);
  message.set(sound, INPUT_BYTES);
  if (picture) message.set(picture, INPUT_BYTES + sound.length);
  return message;
}

/** An ArrayBuffer to {index, pcm: Int16Array, heard, said, act, …}. Throws for another version. */
export function unpackTurn(buffer) {
  const head = new DataView(buffer);
  if (head.getUint8(0) !== VERSION) throw new Error("the server speaks another version; reload");
  const numBytes = head.getUint32(8, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, OUTPUT_BYTES, numBytes));
  const pcm = new Int16Array(buffer.slice(OUTPUT_BYTES + numBytes));
  return { index: head.getUint32(4, true), pcm, ...JSON.parse(text) };
}

/** Whether words were not said: {turn, endMs} of them, on the session; cut: of the first receivedMs
 * of the model's sound only playedMs were played. It plays one micro-turn after it was made. */
export function isDropped({ turn, endMs }, { playedMs, receivedMs }) {
  return (turn + 1) * TURN_MS <= receivedMs && endMs > playedMs + TURN_MS;
}

export function control(type, fields = {}) {
  return JSON.stringify({ type, ...fields });
}
