// Microphone and loudspeaker: one 24 kHz context for both, so that the browser can take the page's
// own voice out of what it hears. Emits block, onset, report, flushed, and trouble with a line for
// the user. Knows nothing of the server's messages, of words or of what is shown.

export const RATE_HZ = 24000;
const PER_MS = RATE_HZ / 1000;
const MIC = {
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: false, // the model has learnt noise; suppressors eat quiet words
  autoGainControl: true,
};

export class Sound extends EventTarget {
  /** Must be called while a click is handled, or the browser keeps the sound off. */
  constructor() {
    super();
    this.context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
    this.hasMicrophone = false;
    this._contexts = [this.context];
    this._position = 0;
    this._isOn = false;
  }

  /** Asks for the microphone and begins. Resolves to why there is none, "" when there is one. */
  async start() {
    await this.context.resume();
    const worklet = this.context.audioWorklet;
    await Promise.all([worklet.addModule("/web/playback_worklet.js"), addCapture(this.context)]);
    this._playback = new AudioWorkletNode(this.context, "playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this._playback.port.onmessage = ({ data }) => this._hearPlayback(data);
    this._playback.connect(this.context.destination);
    const why = await this._startMicrophone();
    this._isOn = true;
    for (const context of this._contexts) {
      context.addEventListener("statechange", () => this._checkState(context));
    }
    return why;
  }

  _checkState({ state }) {
    if (!this._isOn || state === "running" || state === "closed") return;
    this._trouble("The browser has stopped the sound; touch the page to go on.");
  }

  /** Go on after the browser has stopped the sound; of no use when it has not. */
  wake() {
    if (!this._isOn) return;
    for (const context of this._contexts) {
      if (context.state !== "running") context.resume().catch(() => {}); // the next touch may do
    }
  }

  _trouble(message) {
    this._emit("trouble", { message });
  }

  async _startMicrophone() {
    let why = "";
    try {
      this._stream = await navigator.mediaDevices.getUserMedia({ audio: MIC });
      this.hasMicrophone = true;
      const [track] = this._stream.getAudioTracks();
      const gone = "The microphone is gone; end the session and start again, or type.";
      track.addEventListener("ended", () => this._trouble(gone));
    } catch (error) {
      why = refusal(error);
    }
    const capture = await this._capture();
    capture.port.onmessage = ({ data }) => this._emit("block", data);
    return why;
  }

  /** A node that gives blocks of the microphone, or of silence. */
  async _capture() {
    if (!this.hasMicrophone) return captureNode(this.context);
    try {
      const source = this.context.createMediaStreamSource(this._stream);
      return captureNode(this.context, source);
    } catch {
      // Some browsers give the microphone at the device's rate only; then it is resampled.
      const own = new AudioContext({ latencyHint: "interactive" });
      this._contexts.push(own);
      await own.resume();
      await addCapture(own);
      return captureNode(own, own.createMediaStreamSource(this._stream));
    }
  }

  /** 200 ms of the model's voice. marginMs: how much is held against jitter. */
  play({ turn, pcm, isQuiet, marginMs }) {
    const samples = Float32Array.from(pcm, (value) => value / 32768);
    const message = {
      type: "piece",
      start: turn * samples.length,
      samples,
      isQuiet,
      margin: Math.round(marginMs * PER_MS),
    };
    this._playback.port.postMessage(message, [samples.buffer]);
  }

  /** Throw away what has not been played; `flushed` tells how much that was. */
  flush() {
    this._playback.port.postMessage({ type: "flush" });
  }

  mute(isMuted) {
    for (const track of this._stream?.getAudioTracks() ?? []) track.enabled = !isMuted;
  }

  /** Milliseconds of the session's output that have left the loudspeaker. */
  get playedMs() {
    return this._heardMs(this._position);
  }

  _heardMs(position) {
    const latencyMs = 1000 * (this.context.outputLatency || this.context.baseLatency || 0);
    return Math.max(0, Math.floor(position / PER_MS - latencyMs));
  }

  _hearPlayback(message) {
    if (message.type === "report") {
      this._position = message.position;
      this._emit("report", { ...message, levelMs: message.level / PER_MS });
    } else if (message.type === "flushed") {
      this._position = message.received;
      const receivedMs = Math.floor(message.received / PER_MS);
      this._emit("flushed", { playedMs: this._heardMs(message.played), receivedMs });
    } else {
      this._emit(message.type, message);
    }
  }

  async stop() {
    this._isOn = false;
    for (const track of this._stream?.getTracks() ?? []) track.stop();
    await Promise.all(this._contexts.map((context) => context.close()));
  }

  _emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function addCapture(context) {
  return context.audioWorklet.addModule("/web/capture_worklet.js");
}

function captureNode(context, source = null) {
  const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 1 });
  source?.connect(node);
  node.connect(context.destination); // gives nothing, but keeps it running
  return node;
}

/** Why there is no microphone or camera, for a person. */
export function refusal(error) {
  if (error.name === "NotAllowedError") return "it is blocked; allow it beside the address bar";
  if (error.name === "NotFoundError") return "none was found";
  if (error.name === "NotReadableError") return "another program uses it";
  return error.message;
}
