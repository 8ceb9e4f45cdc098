// socket.test.js: what socket.js promises: back soon, nothing lost, nothing twice.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { DuetError } from "../static/errors.js";
import { Socket } from "../static/socket.js";
import { advance, fakeNetwork, fakeTime, now, settle, welcome } from "./fakes.js";

let undo, net, socket, heard, states;

beforeEach(() => {
  undo = fakeTime();
  net = fakeNetwork();
  socket = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
  heard = [];
  states = [];
  socket.on("message", (message) => heard.push(message));
  socket.on("state", (state) => states.push(state));
});
afterEach(() => {
  socket.leave();
  undo();
});

/** Joins, and gives the connection. */
async function joined(more) {
  const promise = socket.join("alice");
  net.newest().accept();
  net.newest().say(welcome(more));
  await promise;
  return net.newest();
}

/** Answers a resume on the newest connection. */
function resumed(more) {
  net.newest().accept();
  net.newest().say(welcome({ resumed: true, ...more }));
  return net.newest();
}

test("join asks for features and resolves with the welcome", async () => {
  const ws = await joined();
  assert.deepEqual(ws.sent[0], { type: "join", username: "alice", features: ["resume", "call-state", "presence-delta", "verdict", "rings"] });
  assert.equal(socket.state, "online");
  assert.deepEqual(states, ["connecting", "online"]);
});

for (const [what, play, code] of [
  ["a refusal", (ws) => (ws.accept(), ws.say({ type: "error", code: "username-taken", message: "taken", request: "join" })), "username-taken"],
  ["no connection", (ws) => ws.drop(), "unreachable"],
  ["a connection that closes before welcome", (ws) => (ws.accept(), ws.drop(1011)), "unreachable"],
]) {
  test(`join rejects after ${what}`, async () => {
    const promise = socket.join("alice");
    play(net.newest());
    await assert.rejects(promise, (error) => error instanceof DuetError && error.code === code);
    assert.equal(socket.state, "closed");
    await advance(10_000);
    assert.equal(net.sockets.length, 1, "nothing more is tried");
  });
}

test("join rejects when nothing answers at all", async () => {
  const promise = socket.join("alice");
  const refused = assert.rejects(promise, { code: "unreachable" });
  await advance(29_000, 500);
  await refused;
  assert.equal(net.sockets.length, 3, "4, 8 and 16 s");
});

test("a way that is slow is slow, not impossible: an attempt has twice the time of the one before", async () => {
  const promise = socket.join("alice");
  await advance(4_500);
  assert.equal(net.sockets.length, 2);
  await advance(7_000);
  net.newest().accept();
  net.newest().say(welcome());
  await promise;
  net.newest().drop();
  await advance(300);
  const opened = [];
  const before = net.sockets.length;
  for (let i = 0; i < 100; i++) {
    if (net.sockets.length - before > opened.length) opened.push(now());
    await advance(1_000, 500);
  }
  const gaps = opened.slice(1).map((at, i) => Math.round((at - opened[i]) / 1_000));
  assert.ok(gaps[0] >= 8 && gaps.slice(1).every((gap) => gap >= 16 && gap < 23), String(gaps));
});

test("a server without welcome is a server of the twelve messages", async () => {
  const promise = socket.join("alice");
  net.newest().accept();
  net.newest().say({ type: "userList", users: [{ id: "u1", username: "alice", status: "available" }] });
  const greeting = await promise;
  assert.equal(greeting.id, "u1");
  assert.equal(socket.resumable, false);
  assert.deepEqual(heard.map((m) => m.type), ["userList"]);
  socket.send({ type: "call", target: "bob" });
  assert.deepEqual(net.newest().last("call"), { type: "call", target: "bob" }, "no numbers for those who did not ask");
});

test("messages are numbered from 1, pings are not, and both acknowledge", async () => {
  const ws = await joined();
  ws.say({ type: "ringing", seq: 1, callId: "c" });
  socket.send({ type: "call", target: "bob" });
  socket.send({ type: "endCall" });
  assert.deepEqual([ws.last("call").seq, ws.last("endCall").seq, ws.last("endCall").ack], [1, 2, 1]);
  await advance(15_000);
  assert.equal(ws.last("ping").seq, undefined);
  assert.equal(ws.last("ping").ack, 1);
});

test("a message heard twice counts once, and a gap brings a resume", async () => {
  const ws = await joined();
  ws.say({ type: "ringing", seq: 1, callId: "c" });
  ws.say({ type: "ringing", seq: 1, callId: "c" });
  assert.equal(heard.length, 1);
  ws.say({ type: "relayStart", seq: 3, callId: "c" });
  assert.equal(heard.length, 1, "what follows a gap waits for the replay");
  net.newest().accept();
  assert.deepEqual(net.newest().sent[0], { type: "resume", session: "token-1", ack: 1 });
});

test("many messages are acknowledged without being asked", async () => {
  const ws = await joined();
  for (let seq = 1; seq <= 40; seq++) ws.say({ type: "iceCandidate", seq, candidate: null });
  assert.equal(ws.last("ping").ack, 32);
});

test("what was not acknowledged is sent again after a resume, once and in order", async () => {
  const ws = await joined();
  socket.send({ type: "call", target: "bob" });
  socket.send({ type: "mediaStateChange", audio: false });
  socket.send({ type: "endCall" });
  ws.say({ type: "pong", ack: 1 });
  ws.drop();
  assert.equal(socket.state, "reconnecting");
  assert.equal(socket.send({ type: "call", target: "carol" }), true, "kept while away");
  await advance(250);
  const next = resumed({ ack: 2 });
  assert.deepEqual(next.sent.filter((m) => m.seq).map((m) => [m.seq, m.type]), [[3, "endCall"], [4, "call"]]);
  assert.deepEqual(states, ["connecting", "online", "reconnecting", "online"]);
});

test("a restored session numbers anew, both ways", async () => {
  const ws = await joined();
  ws.say({ type: "ringing", seq: 1, callId: "c" });
  ws.say({ type: "callStarted", seq: 2, callId: "c" });
  socket.send({ type: "mediaStateChange", audio: false });
  socket.send({ type: "mediaStateChange", audio: true });
  ws.say({ type: "pong", ack: 1 });
  ws.drop();
  await advance(250);
  const next = resumed({ restored: true, ack: 0 });
  assert.deepEqual(next.sent.filter((m) => m.seq).map((m) => [m.seq, m.audio]), [[1, true]]);
  next.say({ type: "callEnded", seq: 1, callId: "c" });
  assert.equal(heard.at(-1).type, "callEnded", "the new epoch's first message is not taken for an old one");
  socket.send({ type: "iceServers" });
  assert.deepEqual([next.sent.at(-1).seq, next.sent.at(-1).ack], [2, 1]);
});

test("what a restarted server has done is not asked of it again, acknowledged or not", async () => {
  const ws = await joined();
  for (const target of ["bob", "carol", "dan", "eve"]) socket.send({ type: "call", target });
  ws.say({ type: "pong", ack: 1 });
  ws.drop();
  await advance(250);
  const next = resumed({ restored: true, ack: 0, applied: 3 });
  assert.deepEqual(next.sent.filter((m) => m.seq).map((m) => [m.seq, m.target]), [[1, "eve"]]);
});

test("a newer token is shown when the session is resumed, and its expiry is told as what it is", async () => {
  const ws = await joined();
  const closed = [];
  socket.on("closed", (code) => closed.push(code));
  void socket.renewToken("newer");
  assert.deepEqual(ws.closed, undefined);
  const next = resumed();
  assert.equal(next.sent[0].token, "newer");
  next.say({ type: "error", seq: 1, code: "unauthorized", message: "the token has expired" });
  next.drop(4004);
  assert.deepEqual(closed, ["unauthorized"]);
});

test("lossy messages are not kept", async () => {
  const ws = await joined();
  ws.drop();
  assert.equal(socket.send({ type: "callStats" }, { lossy: true }), false);
  await advance(250);
  assert.deepEqual(resumed().types().filter((type) => type === "callStats"), []);
});

test("the first try comes within 250 ms, later ones back off to 5 s at most", async () => {
  const ws = await joined();
  ws.drop();
  const tries = [now()];
  let seen = net.sockets.length;
  for (let i = 0; i < 3_000; i++) {
    await advance(20, 20);
    if (net.sockets.length > seen) {
      seen = net.sockets.length;
      tries.push(now());
      net.newest().drop();
    }
    if (tries.length > 9) break;
  }
  const gaps = tries.slice(1).map((at, i) => at - tries[i]);
  assert.ok(gaps[0] <= 250, `first after ${gaps[0]} ms`);
  assert.ok(gaps.at(-1) <= 5_000 && gaps.at(-1) >= 2_500, `last gap ${gaps.at(-1)} ms`);
  for (let i = 2; i < gaps.length; i++) assert.ok(gaps[i] >= gaps[i - 1] - 20, `gaps ${gaps}`);
});

test("a dead socket is noticed within 6 s in a call", async () => {
  await joined();
  socket.busy = true;
  const before = now();
  while (net.sockets.length === 1 && now() - before < 20_000) await advance(50);
  assert.ok(now() - before < 6_000, `noticed after ${now() - before} ms`);
});

test("a socket whose answers come is left alone", async () => {
  const ws = await joined();
  socket.busy = true;
  for (let i = 0; i < 60; i++) {
    await advance(500);
    ws.say({ type: "pong", ack: 0 });
  }
  assert.equal(net.sockets.length, 1);
});

test("renew replaces the connection without ending the session", async () => {
  const old = await joined();
  let done = false;
  void socket.renew().then(() => (done = true));
  assert.equal(old.closedWith, "", "1000 would have been a farewell");
  void socket.renew();
  assert.equal(net.sockets.length, 2, "two doubts, one connection");
  await settle();
  assert.equal(done, false);
  resumed();
  await settle();
  assert.equal(done, true);
  old.say({ type: "callEnded", seq: 1 });
  assert.equal(heard.length, 0, "the old connection has no say any more");
});

test("a connection attempt that hangs is given up", async () => {
  const ws = await joined();
  ws.drop();
  await advance(250);
  assert.equal(net.sockets.length, 2);
  await advance(5_000);
  assert.ok(net.sockets.length > 2);
});

test("in a call an attempt that takes longer than usual is begun again, ever later", async () => {
  const ws = await joined();
  socket.busy = true;
  ws.drop();
  await advance(250);
  const at = [];
  let known = net.sockets.length;
  for (let done = 0; done < 8_000; done += 50) {
    await advance(50);
    if (net.sockets.length > known) at.push(done + 50);
    known = net.sockets.length;
  }
  for (const [i, gap] of [1_000, 2_000].entries()) assert.ok(Math.abs(at[i + 1] - at[i] - gap) <= 50, `${at}`);
  assert.ok(at[0] <= 500 && at.length <= 4, `${at}`);
  net.newest().accept();
  await advance(3_000);
  assert.equal(net.newest().last("resume").type, "resume", "one that came up may take its time for the welcome");
});

test("going online renews at once and tells of the network, once for a burst, and not while there is no network", async () => {
  await joined();
  const page = new EventTarget();
  const networks = [];
  socket.on("network", (how) => networks.push(how));
  const stop = socket.watch({ window: page });
  page.dispatchEvent(new Event("online"));
  page.dispatchEvent(new Event("online"));
  await advance(20);
  assert.equal(net.sockets.length, 2);
  assert.deepEqual(networks, ["online"]);
  page.dispatchEvent(new Event("online"));
  await advance(20);
  assert.equal(net.sockets.length, 3, "the one that hangs on the network before is replaced, however young");
  const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { onLine: false }, configurable: true });
  page.dispatchEvent(new Event("online"));
  await advance(20);
  if (navigator) Object.defineProperty(globalThis, "navigator", navigator);
  else Reflect.deleteProperty(globalThis, "navigator");
  assert.equal(net.sockets.length, 3);
  assert.deepEqual(networks, ["online", "online"]);
  stop();
  page.dispatchEvent(new Event("online"));
  await advance(20);
  assert.deepEqual(networks, ["online", "online"]);
});

test("becoming visible probes a living socket and hurries a lost one", async () => {
  const ws = await joined();
  const doc = Object.assign(new EventTarget(), { visibilityState: "visible" });
  socket.watch({ document: doc });
  const pings = ws.types().filter((type) => type === "ping").length;
  ws.say({ type: "pong" });
  doc.dispatchEvent(new Event("visibilitychange"));
  assert.equal(ws.types().filter((type) => type === "ping").length, pings + 1);
  await advance(1_600);
  assert.equal(net.sockets.length, 2, "no answer: renewed");
  for (let i = 0; i < 6; i++) {
    net.newest().drop();
    await advance(2_600);
  }
  net.newest().drop();
  const before = net.sockets.length;
  doc.dispatchEvent(new Event("visibilitychange"));
  assert.equal(net.sockets.length, before + 1);
});

test("goingAway brings a new connection at the time that the server says", async () => {
  const ws = await joined();
  ws.say({ type: "goingAway", reconnectInMs: 700 });
  await advance(650);
  assert.equal(net.sockets.length, 1);
  await advance(100);
  assert.equal(net.sockets.length, 2);
});

test("a newer token replaces the old one", async () => {
  const ws = await joined();
  ws.say({ type: "session", session: "token-2" });
  ws.drop();
  await advance(250);
  net.newest().accept();
  assert.equal(net.newest().sent[0].session, "token-2");
});

test("an expired session joins anew on the same connection, with nothing of the old one", async () => {
  const ws = await joined();
  socket.send({ type: "endCall" });
  ws.drop();
  await advance(250);
  const next = net.newest();
  const welcomes = [];
  socket.on("welcome", (message) => welcomes.push(message));
  next.accept();
  next.say({ type: "error", code: "session-expired", message: "", request: "resume" });
  assert.deepEqual(next.types(), ["resume", "join"]);
  next.say(welcome({ session: "token-9" }));
  assert.equal(welcomes[0].resumed, false);
  assert.deepEqual(next.types().filter((type) => type === "endCall"), []);
  socket.send({ type: "endCall" });
  assert.equal(next.last("endCall").seq, 1);
});

test("a name that our own lost session still holds is asked for again", async () => {
  const ws = await joined({ features: [], session: "" });
  ws.drop();
  for (let i = 0; i < 4; i++) {
    await advance(5_000);
    net.newest().accept();
    net.newest().say({ type: "error", code: "username-taken", message: "", request: "join" });
  }
  assert.equal(socket.state, "reconnecting");
  await advance(5_000);
  net.newest().accept();
  net.newest().say(welcome());
  assert.equal(socket.state, "online");
});

for (const [code, reason] of [[4001, "taken-over"], [4004, "session-ended"]]) {
  test(`close code ${code} is the end`, async () => {
    const ws = await joined();
    const ends = [];
    socket.on("closed", (why) => ends.push(why));
    ws.drop(code);
    await advance(10_000);
    assert.deepEqual(ends, [reason]);
    assert.equal(net.sockets.length, 1);
  });
}

for (const code of [1001, 1006, 4003]) {
  test(`close code ${code} brings a resume`, async () => {
    const ws = await joined();
    ws.drop(code);
    await advance(250);
    net.newest().accept();
    assert.equal(net.newest().sent[0].type, "resume");
  });
}

test("after a rate limit nobody hurries", async () => {
  const ws = await joined();
  ws.drop(1008);
  await advance(4_900);
  assert.equal(net.sockets.length, 1);
  await advance(200);
  assert.equal(net.sockets.length, 2);
});

test("leaving says so and closes with 1000", async () => {
  const ws = await joined();
  socket.leave();
  assert.equal(ws.sent.at(-1).type, "leave");
  assert.equal(ws.closedWith, 1000);
  assert.equal(socket.send({ type: "endCall" }), false);
});

test("junk from the server is no reason to stop", async () => {
  const ws = await joined();
  for (const junk of ["", "{", "null", "7", "[]", '"x"']) ws.onmessage({ data: junk });
  ws.say({ type: "ringing", seq: 1, callId: "c" });
  assert.equal(heard.at(-1).type, "ringing");
});

test("another page goes on with a session: what it missed is heard, what the old one said is not said again, and numbers go on", async () => {
  const first = await joined();
  let kept = null;
  socket.on("kept", (next) => (kept = next));
  socket.send({ type: "call", target: "bob" });
  first.say({ type: "ringing", callId: "c_1", callee: "bob", calleeId: "u", seq: 1 });
  first.say({ type: "session", session: "token-2" });
  assert.deepEqual(kept, { session: "token-2", heard: 1, username: "alice" });

  const other = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
  const got = [];
  other.on("message", (message) => got.push(message.type));
  const resuming = other.resume(kept);
  const ws = net.newest();
  ws.accept();
  assert.deepEqual(ws.sent, [{ type: "resume", session: "token-2", ack: 1 }]);
  ws.say(welcome({ resumed: true, ack: 7, session: "token-3" }));
  assert.equal((await resuming).resumed, true);
  ws.say({ type: "callEnded", caller: "bob", callerId: "u", callId: "c_1", seq: 4 }); // the old page had acknowledged 2 and 3
  assert.deepEqual(got, ["callEnded"]);
  other.send({ type: "call", target: "bob" });
  assert.equal(ws.last("call").seq, 8);
  ws.say({ type: "ringing", callId: "c_2", callee: "bob", calleeId: "u", seq: 9 });
  assert.equal(other.state, "reconnecting", "a gap after that is a gap");
  other.leave();
});

test("a session that is no more: the same page joins under its name", async () => {
  const other = new Socket({ url: "ws://test/ws", WebSocket: net.FakeWebSocket, random: () => 0.5, now });
  const resuming = other.resume({ session: "old", heard: 5, username: "alice" });
  const ws = net.newest();
  ws.accept();
  ws.say({ type: "error", code: "session-expired", message: "", request: "resume" });
  assert.deepEqual([ws.last("join").username, ws.last("join").seq], ["alice", undefined]);
  ws.say(welcome());
  assert.equal((await resuming).resumed, false);
  other.send({ type: "call", target: "bob" });
  assert.equal(ws.last("call").seq, 1);
  other.leave();
});

test("signing out leaves nothing to go on with", async () => {
  await joined();
  const kept = [];
  socket.on("kept", (next) => kept.push(next));
  socket.leave();
  assert.deepEqual(kept, [null]);
});
