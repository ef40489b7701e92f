// The page of the tests: the SDK as a browser has it, over WebRTC or a WebSocket, with a browser's
// microphone. Knows nothing of what is expected.

import { OpenAIRealtimeWebRTC, OpenAIRealtimeWebSocket } from "@openai/agents/realtime";
import { Conversation } from "./conversation.mjs";

const TURN_SAMPLES = 4800; // 200 ms at 24 kHz

/** The SDK itself opens the microphone and plays the sound. */
window.call = async (baseUrl, apiKey) => {
  const transport = new OpenAIRealtimeWebRTC({ baseUrl });
  window.talk = new Conversation(transport);
  await talk.session.connect({ apiKey });
};

/** Sound is the page's business: 200 ms of the microphone in each message. */
window.connect = async (url, apiKey) => {
  window.talk = new Conversation(new OpenAIRealtimeWebSocket({ url }));
  await talk.session.connect({ apiKey });
  const context = new AudioContext({ sampleRate: 24000 });
  await context.audioWorklet.addModule("microphone.js");
  const media = await navigator.mediaDevices.getUserMedia({ audio: true });
  const microphone = new AudioWorkletNode(context, "microphone");
  let waiting = [];
  microphone.port.onmessage = ({ data }) => {
    for (const sample of data) waiting.push(Math.max(-1, Math.min(1, sample)) * 32767);
    if (waiting.length < TURN_SAMPLES) return;
    talk.session.sendAudio(Int16Array.from(waiting).buffer);
    waiting = [];
  };
  context.createMediaStreamSource(media).connect(microphone);
};

/** Of the sound that came over WebRTC: its energy, and in how many packets it was. */
window.received = async () => {
  const reports = await talk.transport.connectionState.peerConnection.getStats();
  const report = [...reports.values()].find((r) => r.type === "inbound-rtp" && r.kind === "audio");
  return [report?.totalAudioEnergy ?? 0, report?.packetsReceived ?? 0];
};
