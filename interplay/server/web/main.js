// The page: which element shows what, and what each button does.

import { forget, newSecret } from "./access.js";
import { Camera } from "./camera.js";
import { Charts } from "./charts.js";
import { minutes } from "./clock.js";
import { Conversation } from "./conversation.js";
import { DelegationList } from "./delegations.js";
import { byId, make, setText } from "./dom.js";
import { Meters } from "./meters.js";
import { Mind } from "./mind.js";
import { refusal, Sound } from "./sound.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const ALERT_MS = 8000;
const SOON_MS = 400; // between two drawings for who wants less motion
const STATES = { idle: "Not connected", asking: "Connecting", live: "Live" };

const transcript = new Transcript(byId("transcript"), byId("spoken"));
const timeline = new Timeline(byId("timeline"));
const charts = new Charts(byId("charts"), byId("chart-list"));
const work = new DelegationList({ list: byId("work"), empty: byId("work-empty") });
const mind = new Mind({ list: byId("timers"), note: byId("note"), empty: byId("mind-empty") });
const camera = new Camera(byId("sight"), () => showCamera());
const names = ["answer", "median", "compute", "late", "gaps", "buffer", "jitter", "dry"];
const meters = new Meters(
  Object.fromEntries(names.map((name) => [name, byId(`m-${name}`)])),
  byId("compute"),
);
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
let talk = null; // the running conversation
let sound = null;
let isOurWork = false;
let isRecorded = false;

function setState(state, text = STATES[state]) {
  document.body.dataset.state = state;
  setText(byId("state"), text);
  const isLive = state === "live" || state === "waiting";
  for (const id of ["text", "send", "mute", "end"]) byId(id).disabled = !isLive;
  byId("camera").disabled = !isLive || !talk?.hasEyes;
  byId("start").disabled = state === "asking";
}

function warn(text) {
  const close = make("button", { type: "button", "aria-label": "Dismiss" }, "✕");
  const line = make("p", {}, make("span", {}, text), close);
  close.addEventListener("click", () => line.remove());
  setTimeout(() => line.remove(), ALERT_MS);
  byId("alerts").append(line);
}

function askKey(why) {
  const [dialog, field] = [byId("key"), byId("key-field")];
  setText(byId("key-why"), why);
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = () => resolve(dialog.returnValue === "ok" ? field.value.trim() : null);
    dialog.addEventListener("close", answer, { once: true });
  });
}

async function start() {
  setState("asking");
  sound = new Sound(); // first: it must happen while the click is handled
  try {
    const secret = await newSecret(askKey);
    if (secret === null) {
      await stopSound();
      setState("idle");
      return;
    }
    const why = await sound.start();
    if (why) warn(`No microphone: ${why}. You can still type.`);
    clear();
    const record = byId("record").checked && !byId("keep").hidden;
    talk = new Conversation({ secret, sound, camera, record });
    listen(talk);
  } catch (error) {
    await stopSound();
    setState("idle");
    warn(`Could not start: ${error.message}`);
  }
}

function clear() {
  for (const part of [transcript, timeline, charts, work, mind, meters]) part.clear();
  setMuted(false);
}

async function stopSound() {
  await sound?.stop();
  sound = null;
}

function setLive(isKept) {
  isRecorded = isKept;
  const also = [!sound.hasMicrophone && "no microphone", isKept && "recorded"].filter(Boolean);
  setState("live", [STATES.live, ...also].join(", "));
}

/** Only a server that keeps recordings is asked for one. */
async function offerRecord() {
  const { records } = await (await fetch("/readyz")).json();
  byId("keep").hidden = !records;
}

function listen(conversation) {
  const on = (name, act) => conversation.addEventListener(name, ({ detail }) => act(detail));
  on("started", ({ model, records, has_eyes: hasEyes, client_delegations: isOurs }) => {
    isOurWork = isOurs;
    if (isOurs) setText(byId("work-empty"), "No background model is connected: you answer for it.");
    setText(byId("model"), model);
    if (!hasEyes) {
      stopCamera();
      setText(byId("sight-empty"), "This model has no eyes.");
      byId("camera").title = "This model has no eyes";
    }
    setLive(records);
    byId("mute").focus({ preventScroll: true }); // the button that had the focus is gone
  });
  on("resumed", () => setLive(isRecorded));
  on("waiting", () => setState("waiting", "Reconnecting"));
  on("notice", ({ code, message }) => {
    warn(message);
    if (code === "recording_ended") setLive(false);
  });
  on("refused", ({ code, message }) => {
    if (code !== "input_backpressure") warn(message); // that one shows as sound that came late
  });
  on("ended", (about) => ended(about));
  on("heard", ({ ms, lengthMs, level }) => {
    timeline.level("user", ms, lengthMs, level);
    byId("mute").style.setProperty("--level", Math.min(1, level * 8).toFixed(2));
  });
  on("answered", ({ tookMs, medianMs }) => meters.answer(tookMs, medianMs));
  on("flushed", (cut) => {
    transcript.unsay(cut);
    timeline.unsay(cut);
  });
  on("playback", (report) => meters.playback(report));
  on("turn", showTurn);
}

function showTurn(turn) {
  for (const [ms, level] of turn.levels) timeline.level("model", ms, 20, level);
  timeline.words("heard", turn.heard, turn.index);
  timeline.words("said", turn.said, turn.index);
  timeline.marks = talk.act.marks;
  if (turn.is_gap || turn.compute_ms > 200) timeline.fault(turn.startMs - 200);
  transcript.add("user", turn.heard, turn.index);
  transcript.add("model", turn.said, turn.index);
  transcript.follow();
  for (const delegation of turn.delegations) {
    timeline.begin(delegation);
    work.begin(delegation, isOurWork);
  }
  for (const outcome of turn.outcomes) {
    if (outcome.status) timeline.end(outcome.delegation_id, turn.startMs);
    work.outcome(outcome, turn.startMs);
    if (outcome.ui) charts.show(outcome.ui);
  }
  work.show(turn.startMs);
  mind.show(talk.act, turn.startMs);
  meters.turn(turn);
  setText(byId("length"), minutes(turn.startMs));
}

async function ended({ reason, code, message }) {
  if (["unauthorized", "secret_used"].includes(code) || reason === "unreachable") forget();
  const text = reason === "asked" ? "Ended" : message ? `Ended: ${message}` : `Ended (${reason})`;
  stopCamera();
  setMuted(false);
  work.end(talk.clock.nowMs());
  mind.clear();
  await stopSound();
  talk = null;
  setText(byId("start"), "Start again");
  setText(byId("lead"), reason === "asked" ? "The session has ended." : text);
  setState("over", "Ended");
  transcript.toEnd();
  byId("start").focus();
}

function setMuted(isMuted) {
  byId("mute").setAttribute("aria-pressed", String(isMuted));
  setText(byId("mute").querySelector(".label"), isMuted ? "Muted" : "Mute");
}

function showCamera() {
  byId("camera").setAttribute("aria-pressed", String(camera.isOn));
  byId("sight").hidden = !camera.isOn;
  byId("sight-empty").hidden = camera.isOn;
}

function stopCamera() {
  camera.stop();
  showCamera();
}

async function toggleCamera() {
  if (camera.isOn) {
    stopCamera();
    return;
  }
  try {
    await camera.start();
  } catch (error) {
    warn(`No camera: ${refusal(error)}.`);
  }
  showCamera();
}

// A phone that has stopped the sound, for a call, wants to be touched before it goes on.
for (const sign of ["pointerdown", "keydown", "visibilitychange"]) {
  document.addEventListener(sign, () => sound?.wake());
}
byId("start").addEventListener("click", start);
byId("key-cancel").addEventListener("click", () => byId("key").close(""));
byId("end").addEventListener("click", () => talk?.close());
byId("camera").addEventListener("click", toggleCamera);
byId("mute").addEventListener("click", () => {
  const isMuted = byId("mute").getAttribute("aria-pressed") !== "true";
  talk?.mute(isMuted);
  setMuted(isMuted);
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text || !talk) return;
  talk.say(text);
  transcript.typed(text, talk.clock.nowMs());
  byId("text").value = "";
});
work.addEventListener("answer", ({ detail: { id, text } }) => {
  talk?.answer(id, text);
  if (talk) timeline.end(id, talk.clock.nowMs());
});

offerRecord().catch(() => {}); // who cannot ask cannot talk either

let drawnAt = 0;
function draw(now) {
  if (!isCalm.matches || now - drawnAt > SOON_MS) {
    timeline.draw(talk ? talk.clock.nowMs() : timeline.endMs);
    drawnAt = now;
  }
  requestAnimationFrame(draw);
}
requestAnimationFrame(draw);
