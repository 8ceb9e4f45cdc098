// duet.test.js: a user and their calls, from messages to messages.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Duet } from "../static/duet.js";
import { Emitter } from "../static/emitter.js";
import { Socket } from "../static/socket.js";
import { advance, fakeNetwork, fakeTime, fakeWebRTC, now, settle, track, welcome } from "./fakes.js";

/** LocalMedia without devices. */
class FakeMedia extends Emitter {
  tracks = { audio: track("audio"), video: track("video") };
  state = { audio: true, video: true, screen: false };
  set(change) {
    this.state = { ...this.state, ...change };
    this.emit("change", undefined);
  }
}

const BOB = { id: "u_BBBBBBBBBBBBBBBBBBBBBB", username: "bob", status: "available" };
const ON = { audio: true, video: true, screen: false };
const started = (more = {}) => ({ type: "callStarted", callId: "c_1", role: "caller", peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON }, ...more });

let undo, net, web, media, duet, seq, calls;

beforeEach(() => {
  undo = fakeTime();
  net = fakeNetwork();
  web = fakeWebRTC();
  media = new FakeMedia();
  seq = 0;
  calls = [];
});
afterEach(() => {
  duet.leave();
  undo();
});

async function online(more) {
  const socket = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
  duet = new Duet({ media, socket, RTCPeerConnection: web.FakePeerConnection, now });
  duet.on("call", (call) => calls.push(call));
  const joining = duet.join("alice");
  net.newest().accept();
  net.newest().say(welcome(more));
  await joining;
  say({ type: "userList", users: [{ id: "u_AAAAAAAAAAAAAAAAAAAAAA", username: "alice", status: "available" }, BOB] });
}

function say(message) {
  const numbered = ["userList", "presence", "welcome"].includes(message.type) ? message : { ...message, seq: ++seq };
  net.newest().say(numbered);
}

const types = () => net.newest().types().filter((type) => type !== "ping");
const last = (type) => net.newest().last(type);

test("the roster leaves ourselves out and follows deltas in their order", async () => {
  await online();
  assert.deepEqual(duet.users.map((user) => user.username), ["bob"]);
  say({ type: "presence", joined: [{ id: "u_C", username: "carol", status: "available" }], status: [{ id: "u_C", status: "busy" }, { id: "u_none", status: "busy" }], left: [BOB.id] });
  assert.deepEqual(duet.users, [{ id: "u_C", username: "carol", status: "busy" }]);
});

test("a call: asked for by id, rings, is accepted, offers, and ends", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  assert.deepEqual([last("call").target, last("call").media], [BOB.id, { audio: true, video: true }]);
  assert.equal(call.phase, "calling");
  say({ type: "ringing", callId: "c_1", callee: "bob", calleeId: BOB.id });
  assert.equal(call.phase, "ringing");
  await settle();
  assert.equal(types().includes("offer"), false, "nothing before acceptance");
  say({ type: "callAnswered", accepted: true, callee: "bob", calleeId: BOB.id, callId: "c_1" });
  say(started());
  await settle();
  assert.equal(call.phase, "accepted");
  assert.deepEqual(net.newest().sent.filter((m) => m.type === "offer").map((m) => [m.callId, m.target]), [["c_1", undefined]]);
  say({ type: "callEnded", caller: "bob", callerId: BOB.id, callId: "c_1", reason: "hangup" });
  assert.equal(call.reason, "hangup");
  assert.equal(duet.call, null);
  assert.ok(web.newest().closed);
});

test("being called: that it rings is said by the page itself, to a server that asks for it", async () => {
  await online({ features: ["resume", "call-state", "presence-delta", "rings"] });
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  assert.deepEqual([types(), last("ringing").callId], [["join", "ringing"], "c_1"]);
});

test("a refusal takes its note along, and the caller's page has it", async () => {
  await online();
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  calls[0].decline("in-an-hour");
  assert.deepEqual([last("callResponse").accepted, last("callResponse").note], [false, "in-an-hour"]);
  const call = duet.dial(duet.users[0]);
  say({ type: "callAnswered", accepted: false, callee: "bob", calleeId: BOB.id, reason: "declined", note: "will-call" });
  assert.deepEqual([call.reason, call.note], ["declined", "will-call"]);
});

test("being called: nothing of us is said before we accept", async () => {
  await online();
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1", lookalike: true });
  assert.equal(duet.call.lookalike, true);
  await settle();
  assert.deepEqual([types(), web.peers.length], [["join"], 0], "no connection is made, so nothing is asked of any server either");
  calls[0].accept();
  assert.deepEqual([last("callResponse").accepted, last("callResponse").callId], [true, "c_1"]);
  say(started({ role: "callee" }));
  await settle();
  assert.equal(types().includes("offer"), false, "the caller offers first");
  say({ type: "offer", caller: "bob", callerId: BOB.id, callId: "c_1", offer: { type: "offer", sdp: "v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n" } });
  await settle();
  assert.equal(last("answer").callId, "c_1");
});

for (const [what, message, reason] of [
  ["declined", { type: "callAnswered", accepted: false, callee: "bob", calleeId: BOB.id, callId: "c_1", reason: "declined" }, "declined"],
  ["busy", { type: "callAnswered", accepted: false, callee: "bob", calleeId: BOB.id, reason: "busy" }, "busy"],
  ["timeout", { type: "callAnswered", accepted: false, callee: "bob", calleeId: BOB.id, callId: "c_1", reason: "timeout" }, "timeout"],
  ["an error to the call", { type: "error", code: "unknown-target", message: "", request: "call" }, "unknown-target"],
]) {
  test(`a call ends with ${what}`, async () => {
    await online();
    const call = duet.dial(duet.users[0]);
    say(message);
    assert.deepEqual([call.phase, call.reason, duet.call], ["ended", reason, null]);
  });
}

test("refusing, cancelling and hanging up are told", async () => {
  await online();
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  await settle();
  calls[0].decline();
  assert.equal(last("callResponse").accepted, false);
  await settle();
  assert.equal(web.peers.length, 0);
  assert.deepEqual(types(), ["join", "callResponse"], "nobody learns an address by ringing");
  const call = duet.dial(duet.users[0]);
  call.hangUp();
  assert.equal(types().at(-1), "endCall");
  assert.equal(duet.call, null);
});

test("a call that does not connect: what was seen is told once, and the verdict is passed on with where it lies", async () => {
  await online({ features: ["resume", "call-state", "presence-delta", "verdict"] });
  const call = duet.dial(duet.users[0]);
  const notices = [];
  call.on("notice", (code) => notices.push(code));
  say({ type: "callAnswered", accepted: true, callee: "bob", calleeId: BOB.id, callId: "c_1" });
  say(started());
  await settle();
  web.newest().gather();
  const passes = async (seconds) => {
    for (; seconds; seconds--) {
      net.newest().say({ type: "pong" });
      await advance(1_000);
    }
  };
  await passes(19);
  assert.equal(last("diagnosis"), undefined);
  await passes(2);
  const { type, callId, candidates, answered } = last("diagnosis");
  assert.deepEqual([type, callId, candidates, answered], ["diagnosis", "c_1", ["host"], false]);
  await passes(20);
  assert.equal(types().filter((one) => one === "diagnosis").length, 1);
  say({ type: "verdict", callId: "c_1", code: "no-udp", where: "peer" });
  assert.deepEqual(notices, ["no-udp_peer"]);
});

test("both call at once: theirs counts as ours accepted", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  say(started({ role: "callee" }));
  await settle();
  assert.deepEqual([call.phase, call.role, call.callId], ["accepted", "callee", "c_1"]);
  assert.equal(types().includes("offer"), false);
});

test("a second caller is refused, a late message of an old call is not ours", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say({ type: "ringing", callId: "c_1", callee: "bob", calleeId: BOB.id });
  say({ type: "incomingCall", caller: "carol", callerId: "u_C", callId: "c_2" });
  assert.deepEqual([last("callResponse").accepted, last("callResponse").callId], [false, "c_2"]);
  say({ type: "callEnded", caller: "x", callerId: "y", callId: "c_0", reason: "hangup" });
  assert.equal(call.phase, "ringing");
});

test("muted before the call: told when it is asked for, and not undone by anything", async () => {
  await online();
  media.set({ audio: false });
  const call = duet.dial(duet.users[0]);
  say({ type: "ringing", callId: "c_1", callee: "bob", calleeId: BOB.id });
  say(started());
  const told = net.newest().sent.filter((m) => m.type === "mediaStateChange");
  assert.deepEqual(told.map(({ audio, video }) => ({ audio, video })), [{ audio: false, video: undefined }]);
  say({ type: "mediaStateChange", audio: true, video: false, screen: false, sender: "bob", senderId: BOB.id, callId: "c_1" });
  assert.deepEqual(call.theirs, { audio: true, video: false, screen: false });
  assert.equal(media.state.audio, false);
});

test("why something is off is told, and told again when the cause is another; theirs is known until it is on", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say({ type: "ringing", callId: "c_1", callee: "bob", calleeId: BOB.id });
  say(started({ media: { self: ON, peer: { ...ON, audio: false, audioCause: "missing" } } }));
  assert.deepEqual(call.theirs, { audio: false, video: true, screen: false, audioCause: "missing" });
  say({ type: "mediaStateChange", ...ON, sender: "bob", senderId: BOB.id, callId: "c_1" });
  assert.deepEqual(call.theirs, ON);
  media.set({ audio: false, audioCause: "muted" });
  media.set({ audio: false, audioCause: "ended" });
  media.set({ audio: false, audioCause: undefined });
  const told = net.newest().sent.filter((m) => m.type === "mediaStateChange").map(({ audio, audioCause }) => [audio, audioCause]);
  assert.deepEqual(told, [[false, "muted"], [false, "ended"], [false, undefined]]);
});

test("states that the other side set while it rang come with callStarted", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say(started({ media: { self: ON, peer: { audio: false, video: true, screen: false } } }));
  assert.equal(call.theirs.audio, false);
});

test("a connection lost in a call: the call goes on, and what was said meanwhile is said once", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say(started());
  net.newest().drop();
  media.set({ video: false });
  await advance(250);
  net.newest().accept();
  const known = { callId: "c_1", role: "caller", phase: "accepted", peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON }, relay: false };
  net.newest().say(welcome({ resumed: true, ack: 99, call: known }));
  assert.equal(call.phase, "accepted");
});

test("after a server restart media states are restated", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say(started());
  media.set({ audio: false });
  net.newest().say({ type: "pong", ack: 99 });
  net.newest().drop();
  await advance(250);
  net.newest().accept();
  const known = { callId: "c_1", role: "caller", phase: "accepted", peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON }, relay: false };
  net.newest().say(welcome({ resumed: true, restored: true, call: known }));
  const { audio, video, screen } = last("mediaStateChange");
  assert.deepEqual({ audio, video, screen }, { audio: false, video: true, screen: false });
  assert.equal(call.phase, "accepted");
});

for (const [what, phase, want] of [["that they accepted", "accepted", "accepted"], ["nothing", "ringing", "ringing"]]) {
  test(`a server that died after it had heard ${what}: the caller is ${want}`, async () => {
    await online();
    const call = duet.dial(duet.users[0]);
    say({ type: "ringing", callId: "c_1", callee: "bob", calleeId: BOB.id });
    net.newest().drop();
    await advance(250);
    net.newest().accept();
    const known = { callId: "c_1", role: "caller", phase, peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON }, relay: false };
    net.newest().say(welcome({ resumed: true, restored: true, call: known }));
    assert.equal(call.phase, want);
  });
}

test("a server that died before it had kept our acceptance hears it again", async () => {
  await online();
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  calls[0].accept();
  net.newest().say({ type: "pong", ack: 99 });
  net.newest().drop();
  await advance(250);
  net.newest().accept();
  const known = { callId: "c_1", role: "callee", phase: "ringing", peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON }, relay: false };
  net.newest().say(welcome({ resumed: true, restored: true, call: known }));
  assert.deepEqual([last("callResponse").accepted, last("callResponse").callId], [true, "c_1"]);
});

test("a session that is gone takes the call with it, and the user stays online", async () => {
  await online();
  const call = duet.dial(duet.users[0]);
  say(started());
  net.newest().drop();
  await advance(250);
  net.newest().accept();
  net.newest().say({ type: "error", code: "session-expired", message: "", request: "resume" });
  net.newest().say(welcome({ session: "token-2" }));
  assert.deepEqual([call.phase, call.reason, duet.state], ["ended", "lost", "online"]);
});

for (const [what, phase, role, want, offers] of [
  ["accepted, ours", "connected", "caller", "accepted", true],
  ["accepted, theirs", "accepted", "callee", "accepted", true],
  ["that rings at the other side", "ringing", "caller", "ringing", false],
  ["that rings here", "ringing", "callee", "incoming", false],
]) {
  test(`a page that is loaded anew goes on with a call ${what}`, async () => {
    const known = { callId: "c_9", role, phase, peer: "bob", peerId: BOB.id, media: { self: { ...ON, video: false }, peer: { ...ON, audio: false } }, relay: false };
    const socket = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
    duet = new Duet({ media, socket, RTCPeerConnection: web.FakePeerConnection, now });
    duet.on("call", (call) => calls.push(call));
    void duet.resume({ session: "token", heard: 3, username: "alice" });
    net.newest().accept();
    net.newest().say(welcome({ resumed: true, ack: 11, call: known }));
    await settle();
    const [call] = calls;
    assert.deepEqual([call.phase, call.callId, call.role, call.peer, call.theirs.audio], [want, "c_9", role, "bob", false]);
    assert.equal(types().includes("offer"), offers);
    if (offers) assert.deepEqual([last("mediaStateChange").video, last("offer").seq > 11], [true, true]);
    assert.equal(types().includes("endCall"), false);
    if (want === "incoming") call.accept();
    else call.hangUp();
    assert.equal(types().at(-1), want === "incoming" ? "callResponse" : "endCall");
  });
}

test("a call that our page knows nothing of is hung up", async () => {
  await online();
  net.newest().drop();
  await advance(250);
  net.newest().accept();
  const known = { callId: "c_9", role: "caller", phase: "accepted", peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON }, relay: false };
  net.newest().say(welcome({ resumed: true, call: known }));
  assert.deepEqual([last("endCall").callId, duet.call], ["c_9", null]);
});

test("a server of the twelve messages: a whole call", async () => {
  await online({ features: [], session: "" });
  const call = duet.dial(duet.users[0]);
  net.newest().say({ type: "callAnswered", accepted: true, callee: "bob", calleeId: BOB.id, callId: "c_1" });
  await settle();
  assert.equal(call.phase, "accepted");
  assert.equal(last("offer").seq, undefined);
  net.newest().say({ type: "callEnded", caller: "bob", callerId: BOB.id, callId: "c_1" });
  assert.equal(call.reason, "hangup");
});

for (const hours of [-1, 9]) {
  test(`a clock that is wrong by ${hours} h does not keep credentials from being renewed in time`, async () => {
    await online({ iceExpiresAt: Date.now() - hours * 3_600_000 + 100_000, iceExpiresInMs: 100_000 });
    for (let seconds = 0; seconds < 82; seconds++) {
      await advance(1_000, 1_000);
      net.newest().say({ type: "pong" });
      if (seconds === 70) assert.equal(types().includes("iceServers"), false);
    }
    assert.equal(types().filter((type) => type === "iceServers").length, 1);
  });
}

test("credentials are renewed before they end", async () => {
  await online({ iceExpiresAt: Date.now() + 100_000 });
  for (let seconds = 0; seconds < 82; seconds++) {
    await advance(1_000, 1_000);
    net.newest().say({ type: "pong" });
  }
  assert.equal(types().filter((type) => type === "iceServers").length, 1);
});

test("a browser that cannot make calls makes none, and says so to whoever calls", async () => {
  web.FakePeerConnection = null;
  const socket = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
  duet = new Duet({ media, socket, RTCPeerConnection: /** @type {any} */ ("missing"), now });
  duet.on("call", (call) => calls.push(call));
  void duet.join("alice");
  net.newest().accept();
  net.newest().say(welcome());
  assert.equal(duet.able, false);
  assert.throws(() => duet.dial(BOB), { name: "DuetError", code: "unable" });
  say({ type: "incomingCall", caller: "bob", callerId: BOB.id, callId: "c_1" });
  const { accepted, reason, callId } = last("callResponse");
  assert.deepEqual([accepted, reason, callId, calls, types().includes("call")], [false, "unavailable", "c_1", [], false]);
});
