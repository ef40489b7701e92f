// The connection to the server: opens a session, and takes it up again when the line breaks.
// Emits started, resumed, turn, notice, refused, waiting, ended. Knows nothing of sound or of
// what is shown.

import { control, unpackTurn } from "./wire.js";

const SUBPROTOCOL = "interplay";
const SECRET_PREFIX = "openai-insecure-api-key.";
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;
const PLACED = /^rt_([a-z0-9]{1,32})\./; // a token of one server among several
const SILENT_MS = 6000; // of a line that is broken, or never comes, without saying so
const FINAL_CODES = new Set([1000, 1008, 1011, 1012, 4001]);

export class Link extends EventTarget {
  /** secret: a client secret, or "" where none is needed. start: fields of the start message. */
  constructor({ secret, start }) {
    super();
    this.lastTurn = -1;
    this.isOpen = false;
    this._secret = secret;
    this._start = start;
    this._token = null;
    this._isOver = false;
    this._lostAt = null;
    this._numTries = 0;
    this._heardAt = 0; // the newest sign that the line, or the try for one, is not dead
    this._greetedAt = 0;
    this._kept = []; // what was told while there was no line
    this._watch = setInterval(() => this._checkSilence(), 1000);
    this._connect();
  }

  get _canSend() {
    return this.isOpen && this._socket.readyState === WebSocket.OPEN;
  }

  /** Sound and pictures; what cannot be sent now is dropped, time goes on. */
  send(message) {
    if (this._canSend) this._socket.send(message);
  }

  /** What a person does; what cannot be sent now is sent when the line is back. */
  tell(type, fields) {
    const message = control(type, fields);
    if (this._canSend) this._socket.send(message);
    else this._kept.push(message);
  }

  close() {
    if (this.isOpen) this.tell("close");
    else this._finish({ reason: "asked", message: "" });
  }

  _connect() {
    const protocols = this._secret ? [SUBPROTOCOL, SECRET_PREFIX + this._secret] : [SUBPROTOCOL];
    const address = new URL("/v1/page", location.href);
    const place = PLACED.exec(this._token ?? "")?.[1];
    if (place) address.searchParams.set("replica", place); // only it can take the session up
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      if (socket === this._socket) this._greet();
    });
    socket.addEventListener("message", (event) => {
      if (socket === this._socket) this._receive(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (socket === this._socket) this._lose(event.code);
    });
    this._socket = socket;
    this._heardAt = performance.now();
  }

  _greet() {
    const isNew = this._token === null;
    const message = isNew
      ? control("start", this._start)
      : control("resume", { token: this._token, last_turn: this.lastTurn });
    this._heardAt = this._greetedAt = performance.now();
    this._socket.send(message);
  }

  _checkSilence() {
    const broken = this._socket;
    if (!broken || performance.now() - this._heardAt < SILENT_MS) return;
    this._lose(0); // whatever it still says is not for us
    broken.close();
  }

  _receive(data) {
    this._heardAt = performance.now();
    if (data instanceof ArrayBuffer) {
      const turn = unpackTurn(data);
      if (turn.index <= this.lastTurn) return;
      this.lastTurn = turn.index;
      this._emit("turn", turn);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "started" || message.type === "resumed") {
      this._token = message.resume_token;
      this._resumeMs = 1000 * message.resume_s;
      this._lostAt = null;
      this._numTries = 0;
      this.isOpen = true;
      for (const kept of this._kept.splice(0)) this.send(kept);
      const roundTripMs = this._heardAt - this._greetedAt;
      this._emit(message.type, { ...message, roundTripMs });
    } else if (message.type === "error") {
      if (!this.isOpen) this._finish({ reason: "refused", ...message.error });
      else this._emit("refused", message.error);
    } else if (message.type === "ended") {
      this._finish(message);
    } else {
      this._emit(message.type, message);
    }
  }

  _lose(code) {
    this.isOpen = false;
    this._socket = null;
    if (this._isOver) return;
    const now = performance.now();
    if (this._token === null) {
      this._finish({ reason: "unreachable", message: "the server did not accept the connection" });
      return;
    }
    this._lostAt ??= now;
    const leftMs = this._resumeMs - (now - this._lostAt);
    if (FINAL_CODES.has(code) || leftMs <= 0) {
      this._finish({ reason: "lost", message: `the connection was closed (${code})` });
      return;
    }
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** this._numTries++, LONGEST_WAIT_MS, leftMs);
    this._emit("waiting", { leftMs });
    setTimeout(() => {
      if (!this._isOver) this._connect();
    }, waitMs);
  }

  _finish(about) {
    if (this._isOver) return;
    this._isOver = true;
    this.isOpen = false;
    clearInterval(this._watch);
    this._socket?.close();
    this._emit("ended", about);
  }

  _emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
