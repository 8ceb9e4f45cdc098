// pathlab.js: a call's Paths with a server, a counterpart and media that the test plays. What is exported changes
// before each test (imports are live).

import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { Paths } from "../static/paths.js";
import { advance, fakeTime, fakeWebRTC, now, settle, track } from "./fakes.js";

export let web, sent, shown, renewals, paths, states;
let undo, renewal;

/** From now on renewing the connection takes until this resolves. */
export function renewing(promise) {
  renewal = promise;
}

beforeEach(() => {
  undo = fakeTime();
  web = fakeWebRTC();
  sent = [];
  shown = [];
  states = [];
  renewals = 0;
  renewal = Promise.resolve();
});
afterEach(() => {
  paths?.close();
  undo();
});

export function make(options = {}) {
  paths = new Paths({
    role: "caller", iceServers: [], relay: "fallback", relayAfterMs: 8_000, tracks: { audio: track("audio"), video: track("video") },
    send: (message) => sent.push(message),
    renew: () => (renewals++, renewal),
    RTCPeerConnection: web.FakePeerConnection, now, ...options,
  });
  paths.on("tracks", (tracks) => shown.push(tracks));
  paths.on("state", (state) => states.push(state));
  return paths;
}

export const types = () => sent.map((message) => message.type);
export const asked = () => sent.filter((message) => message.type === "relayRequest").map((message) => message.reason);
export const to = (target) => sent.filter((message) => message.type === "offer" && message.target === target);

/** The answer that a counterpart would give to the last offer; `from` relay or a person. @param {(sdp: string) => string} [as] */
export function answer(from, as = (sdp) => sdp) {
  const { offer } = to(from === "relay" ? "relay" : undefined).at(-1);
  const sdp = offer.sdp.replace(/o=- \d+/, `o=- 9${from === "relay" ? 1 : 2}00`);
  paths.receive({ type: "answer", sender: from, senderId: "", callId: "c", answer: { type: "answer", sdp: as(sdp) } });
}

/** Media on this connection for so long. */
export async function flowing(pc, ms, how) {
  for (let done = 0; done < ms; done += 50) {
    pc.flow(how);
    await advance(50);
  }
}

/** A call that is connected directly. */
export async function direct(options) {
  make(options);
  paths.begin("caller");
  await settle();
  answer("bob");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 500);
  assert.equal(paths.state, "connected");
  return pc;
}

/** A call that has moved to the relay since. */
export async function relayed(options) {
  const first = await direct(options);
  first.become("failed");
  await advance(300);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  answer("relay");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(pc, 2_500);
  assert.equal(paths.info.path, "relay");
  assert.equal(first.closed, true);
  return pc;
}
