// library.test.js: the library as its users meet it: what is public, names, wishes, streams of one's own, codes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { Call } from "../static/call.js";
import { CODES, Duet, DuetError, OwnMedia } from "../static/duet.js";
import { Socket } from "../static/socket.js";
import { advance, fakeNetwork, fakeTime, fakeWebRTC, now, settle, welcome } from "./fakes.js";

const BOB = { id: "u_BBBBBBBBBBBBBBBBBBBBBB", username: "bob", status: "available" };

/** A track that says what becomes of it. */
class Track extends EventTarget {
  readyState = "live";
  muted = false;
  enabled = true;
  stopped = false;
  constructor(kind) {
    super();
    this.kind = kind;
  }
  stop() {
    this.stopped = true;
  }
}

/** A stream, which node has none of. */
class Stream extends EventTarget {
  constructor(tracks) {
    super();
    this.tracks = tracks;
  }
  getTracks = () => this.tracks;
  getAudioTracks = () => this.tracks.filter(({ kind }) => kind === "audio");
  getVideoTracks = () => this.tracks.filter(({ kind }) => kind === "video");
}

let undo, net, web, duet, stream, seq;
const realStream = globalThis.MediaStream;

beforeEach(() => {
  undo = fakeTime();
  globalThis.MediaStream = /** @type {any} */ (Stream);
  net = fakeNetwork();
  web = fakeWebRTC();
  seq = 0;
  stream = new Stream([new Track("audio"), new Track("video")]);
  const socket = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
  duet = new Duet({ media: stream, socket, RTCPeerConnection: web.FakePeerConnection, now });
});
afterEach(() => {
  duet.leave();
  globalThis.MediaStream = realStream;
  undo();
});

async function online() {
  const joining = duet.join("alice");
  net.newest().accept();
  net.newest().say(welcome());
  net.newest().say({ type: "userList", users: [BOB] });
  return joining;
}
const say = (message) => net.newest().say({ ...message, seq: ++seq });
const last = (type) => net.newest().last(type);

test("imports and constructs without a browser, and says so in a code", () => {
  const script = `import { Duet } from ${JSON.stringify(new URL("../static/duet.js", import.meta.url).href)};
    const duet = new Duet({ url: "https://call.example.org/" });
    delete globalThis.WebSocket;
    duet.join("x").catch(({ name, code }) => console.log(duet.state, duet.able, duet.users.length, name, code));`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", timeout: 60_000 });
  assert.equal(out, "closed false 0 DuetError unreachable\n");
});

test("nothing is public that is not meant to be", () => {
  const names = (of) => Object.getOwnPropertyNames(of.prototype).filter((name) => name !== "constructor").sort();
  assert.deepEqual(names(Duet), ["call", "checkConnection", "dial", "has", "join", "leave", "media", "renewToken", "resume", "self", "server", "simulate", "state", "url", "users"]);
  assert.deepEqual(names(Call), ["accept", "attach", "decline", "hangUp", "networkChanged", "path", "setAudio", "setVideo", "shareScreen", "state", "switchDevice", "useRelay", "warnings"]);
});

test("every code that a server knows has its words", () => {
  const refusals = readFileSync(new URL("../../signaling/protocol/refusal.go", import.meta.url), "utf8").matchAll(/= Refusal\{"([a-z-]+)"/g);
  const reasons = readFileSync(new URL("../static/protocol.js", import.meta.url), "utf8").matchAll(/typedef \{((?: \| )?"[^}]*)\} (?:RefusalReason|EndReason)/g);
  const all = [...[...refusals].map(([, code]) => code), ...[...reasons].flatMap(([, union]) => [...union.matchAll(/"([a-z-]+)"/g)].map(([, code]) => code))];
  assert.ok(all.length > 20, "they were found");
  assert.deepEqual(all.filter((code) => !(code in CODES)), []);
  assert.equal(new DuetError("unable").message, CODES.unable);
});

test("join gives us ourselves", async () => {
  assert.deepEqual(await online(), { id: "u_AAAAAAAAAAAAAAAAAAAAAA", username: "alice" });
});

test("a token function is asked before joining, and what it gives later is shown to the server", async () => {
  const jwt = (n) => `x.${Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1_000) + 100, n })).toString("base64url")}.x`;
  let n = 0;
  const joining = duet.join("alice", async () => jwt(++n));
  await settle();
  net.newest().accept();
  assert.equal(last("join").token, jwt(1));
  net.newest().say(welcome());
  await joining;
  for (let seconds = 0; seconds < 90; seconds++) {
    await advance(1_000, 1_000);
    if (net.newest().sent.length === 0) net.newest().accept();
    if (last("resume")) break;
    net.newest().say({ type: "pong" });
  }
  assert.deepEqual([n, last("resume").token.split(".")[1]], [2, jwt(2).split(".")[1]]);
  await assert.rejects(duet.join("alice", () => Promise.reject(new Error("no"))), { message: "no" });
});

test("a page that goes leaves, one that may come back does not, nor does one whose session is to last", async () => {
  globalThis.window = /** @type {any} */ (new EventTarget());
  try {
    for (const [lasting, persisted, leaves] of [[false, true, false], [false, false, true], [true, false, false]]) {
      duet = new Duet({ url: "ws://test/ws", media: stream, lasting, WebSocket: net.FakeWebSocket, RTCPeerConnection: web.FakePeerConnection, now });
      await online();
      window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted }));
      assert.equal(Boolean(last("leave")), leaves, JSON.stringify({ lasting, persisted }));
      duet.leave();
    }
  } finally {
    delete globalThis.window;
  }
});

for (const [what, who, target, peer] of [
  ["by name", "bob", BOB.id, "bob"],
  ["by id", BOB.id, BOB.id, "bob"],
  ["by a name that is not in the list", "Carol", "Carol", "Carol"],
  ["somebody from the list", BOB, BOB.id, "bob"],
]) {
  test(`dials ${what}`, async () => {
    await online();
    const call = duet.dial(who);
    assert.deepEqual([last("call").target, call.peer, duet.call], [target, peer, call]);
    assert.throws(() => duet.dial("bob"), { name: "DuetError", code: "in-a-call" });
  });
}

test("dialling before joining is said in a code", () => {
  assert.throws(() => duet.dial("bob"), { name: "DuetError", code: "not-joined" });
});

test("a call with sound only: asked for so, and no picture is sent", async () => {
  await online();
  duet.dial("bob", { video: false });
  assert.deepEqual(last("call").media, { audio: true, video: false });
  assert.deepEqual(duet.media.tracks, { audio: stream.tracks[0], video: null });
});

test("accepting with sound only, and declining", async () => {
  await online();
  const calls = [];
  duet.on("call", (call) => calls.push(call));
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  calls[0].accept({ video: false });
  await settle();
  assert.deepEqual([last("callResponse").accepted, duet.media.state.video, last("mediaStateChange").video], [true, false, false]);
  calls[0].hangUp();
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_2" });
  calls[1].decline();
  assert.deepEqual([last("callResponse").accepted, last("callResponse").callId, calls[1].reason], [false, "c_2", "hangup-self"]);
});

test("a stream of one's own: sent as it is, switched off without touching it, exchanged", async () => {
  await online();
  const call = duet.dial("bob");
  say({ type: "callStarted", callId: "c_1", role: "caller", peer: "bob", peerId: BOB.id, media: { self: { audio: true, video: true, screen: false }, peer: { audio: true, video: true, screen: false } } });
  await settle();
  const sent = () => web.newest().getTransceivers().map(({ sender }) => sender.track);
  assert.deepEqual(sent(), stream.tracks);
  await call.setAudio(false);
  await settle();
  assert.deepEqual([sent()[0], stream.tracks[0].enabled, last("mediaStateChange").audio], [null, true, false]);
  await call.setAudio(true);
  const other = new Stream([new Track("audio"), new Track("video")]);
  duet.media.use(other);
  await settle();
  assert.deepEqual(sent(), other.tracks);
  other.tracks[1].readyState = "ended";
  other.tracks[1].dispatchEvent(new Event("ended"));
  assert.equal(last("mediaStateChange").video, false);
  await assert.rejects(call.switchDevice("camera", "x"), { code: "no-devices" });
  call.hangUp();
  assert.equal([...stream.tracks, ...other.tracks].some(({ stopped }) => stopped), false, "they are not ours to stop");
  assert.ok(duet.media instanceof OwnMedia);
});
