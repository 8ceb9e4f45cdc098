// paths.test.js: which path, when, and that no move breaks before it makes.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { iceConfig } from "../static/leg.js";
import { Paths } from "../static/paths.js";
import { advance, fakeTime, fakeWebRTC, now, settle, track } from "./fakes.js";

let undo, web, sent, shown, renewals, renewal, paths, states;

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

function make(options = {}) {
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

const types = () => sent.map((message) => message.type);
const asked = () => sent.filter((message) => message.type === "relayRequest").map((message) => message.reason);
const to = (target) => sent.filter((message) => message.type === "offer" && message.target === target);

/** The answer that a counterpart would give to the last offer; `from` relay or a person. */
function answer(from) {
  const { offer } = to(from === "relay" ? "relay" : undefined).at(-1);
  const sdp = offer.sdp.replace(/o=- \d+/, `o=- 9${from === "relay" ? 1 : 2}00`);
  paths.receive({ type: "answer", sender: from, senderId: "", callId: "c", answer: { type: "answer", sdp } });
}

/** Media on this connection for so long. */
async function flowing(pc, ms, how) {
  for (let done = 0; done < ms; done += 50) {
    pc.flow(how);
    await advance(50);
  }
}

/** A call that is connected directly. */
async function direct(options) {
  make(options);
  paths.prepare();
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
async function relayed(options) {
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

test("while it rings nothing is said, though everything is ready", async () => {
  make();
  paths.prepare();
  await settle();
  web.newest().gather();
  assert.deepEqual(sent, []);
  assert.equal(web.newest().config.iceCandidatePoolSize, 1);
  paths.begin("caller");
  assert.deepEqual(types(), ["offer", "iceCandidate"]);
});

test("the callee has a pool, and says nothing until it is offered something", async () => {
  make({ role: "callee" });
  paths.prepare();
  paths.begin("callee");
  await settle();
  assert.equal(web.peers.length, 1);
  assert.deepEqual(sent, []);
});

test("connected is told with the path and the time from acceptance to the first frame", async () => {
  make();
  paths.prepare();
  await advance(5_000);
  paths.begin("caller");
  await advance(200);
  answer("bob");
  await settle();
  web.newest().become("connected");
  await flowing(web.newest(), 500);
  const report = sent.find((message) => message.type === "mediaConnected");
  assert.equal(report.path, "direct");
  assert.equal(report.candidateType, "host");
  assert.ok(report.setupMs >= 200 && report.setupMs <= 400, `setupMs ${report.setupMs}`);
  assert.deepEqual(states, ["connecting", "connected"]);
});

for (const [local, remote, want] of [
  ["host", "host", "direct"],
  ["srflx", "prflx", "direct"],
  ["relay", "host", "turn"],
  ["host", "relay", "turn"],
]) {
  test(`a pair of ${local} and ${remote} is ${want}`, async () => {
    const pc = await direct();
    await flowing(pc, 300, { local, remote });
    assert.equal(paths.info.path, want);
  });
}

test("glare: the caller who turns out to be the callee does not offer", async () => {
  make({ role: "caller" });
  paths.prepare();
  await settle();
  paths.begin("callee");
  await settle();
  assert.deepEqual(sent, []);
  assert.equal(web.peers[0].closed, true);
});

test("no connection in time: the relay is asked for, once", async () => {
  make();
  paths.prepare();
  paths.begin("caller");
  await advance(7_900);
  assert.deepEqual(asked(), []);
  await advance(3_000);
  assert.deepEqual(asked(), ["ice-timeout"]);
});

test("ICE failed: the relay is asked for at once", async () => {
  make();
  paths.prepare();
  paths.begin("caller");
  await settle();
  answer("bob");
  await settle();
  web.newest().become("failed");
  await advance(200);
  assert.deepEqual(asked(), ["ice-failed"]);
});

for (const [name, options] of [["an off relay", { relay: "off" }], ["?path=direct", { force: "direct" }], ["?path=turn", { force: "turn" }]]) {
  test(`${name} is never asked for`, async () => {
    make(options);
    paths.prepare();
    paths.begin("caller");
    await settle();
    web.newest().become("failed");
    await advance(30_000);
    assert.deepEqual(asked(), []);
    assert.equal(paths.state, "failed");
  });
}

test("direct to relay: seen only when ready and decoded, the old one closes after", async () => {
  const first = await direct();
  first.become("failed");
  await advance(300);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  assert.equal(to("relay").length, 1);
  assert.equal(first.closed, false);
  answer("relay");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 500);
  const before = shown.length;
  assert.equal(before, 2, "the relay's tracks are not shown before relayReady");
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(pc, 300);
  assert.equal(shown.length, before + 1);
  assert.equal(first.closed, false, "the other side may still be looking");
  await flowing(pc, 1_200);
  assert.equal(first.closed, true);
  assert.equal(sent.findLast((m) => m.type === "mediaConnected").path, "relay");
});

test("relayReady without a decoded frame waits, but not for ever", async () => {
  const first = await direct();
  first.become("failed");
  await advance(300);
  paths.receive({ type: "relayStart", callId: "c", reason: "" });
  await settle();
  answer("relay");
  await settle();
  web.newest().become("connected");
  paths.receive({ type: "relayReady", callId: "c" });
  await advance(1_500);
  assert.notEqual(paths.info.path, "relay");
  await advance(1_000);
  assert.equal(paths.info.path, "relay");
});

test("a direct path that heals before the relay is ready makes it unnecessary", async () => {
  const pc = await direct();
  await advance(3_600); // silence: a restart, then the relay
  assert.deepEqual(asked(), ["ice-failed"]);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  await flowing(pc, 1_500);
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(pc, 300);
  assert.equal(types().at(-1), "relayStop");
  await flowing(pc, 1_500);
  assert.equal(web.newest().closed, true);
  assert.equal(pc.closed, false);
  assert.equal(paths.info.path, "direct");
});

test("mode always: no direct attempt, and the relay leg is ready before it starts", async () => {
  make({ relay: "always" });
  paths.prepare();
  await settle();
  paths.begin("caller");
  await settle();
  assert.deepEqual(sent, []);
  paths.receive({ type: "relayStart", callId: "c", reason: "always" });
  assert.deepEqual(to("relay").length, 1);
  answer("relay");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(pc, 500);
  assert.equal(paths.info.path, "relay");
  await flowing(pc, 130_000, { checks: 1 });
  assert.equal(web.peers.length, 1, "nobody probes for a way that the operator does not want");
});

test("mode always with a counterpart that knows no relay: the direct way", async () => {
  make({ relay: "always" });
  paths.prepare();
  paths.begin("caller");
  await advance(2_600);
  assert.equal(to(undefined).length, 1);
});

test("?path=relay asks for it", async () => {
  make({ force: "relay" });
  paths.prepare();
  paths.begin("caller");
  assert.deepEqual(asked(), ["user"]);
  paths.receive({ type: "relayFailed", callId: "c", code: "relay-unavailable", message: "" });
  assert.equal(paths.state, "failed");
});

test("back from the relay: tried every 60 s, taken when stable, told, the relay closes after", async () => {
  const relay = await relayed();
  const before = to(undefined).length;
  await flowing(relay, 57_000);
  assert.equal(to(undefined).length, before, "not yet");
  await flowing(relay, 4_000);
  assert.equal(to(undefined).length, before + 1);
  answer("bob");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  for (let i = 0; i < 30; i++) {
    relay.flow();
    pc.flow();
    await advance(50);
  }
  assert.ok(!types().includes("relayStop"), "not before it is stable");
  for (let i = 0; i < 30; i++) {
    relay.flow();
    pc.flow();
    await advance(50);
  }
  assert.ok(types().includes("relayStop"));
  assert.equal(paths.info.path, "direct");
  assert.equal(relay.closed, false);
  await flowing(pc, 1_500);
  assert.equal(relay.closed, true);
  assert.equal(paths.state, "connected");
});

test("a direct attempt beside the relay that fails is ended and tried again later", async () => {
  const relay = await relayed();
  const before = to(undefined).length;
  await flowing(relay, 61_000);
  const probe = web.newest();
  assert.notEqual(probe, relay);
  probe.become("failed");
  await flowing(relay, 500);
  assert.equal(probe.closed, true);
  assert.equal(paths.info.path, "relay");
  await flowing(relay, 61_000);
  assert.equal(to(undefined).length, before + 2);
});

test("after a network change the direct way is tried within 5 s", async () => {
  const relay = await relayed();
  const before = to(undefined).length;
  paths.networkChanged();
  await settle();
  assert.equal(relay.restarts, 1);
  await flowing(relay, 4_800);
  assert.equal(to(undefined).length, before);
  await flowing(relay, 600);
  assert.equal(to(undefined).length, before + 1);
});

test("the other side says relayStop: the direct leg is taken when it carries", async () => {
  const relay = await relayed();
  paths.receive({ type: "offer", caller: "bob", callerId: "", callId: "c", offer: { type: "offer", sdp: "v=0\r\no=- 777 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n" } });
  await settle();
  const pc = web.newest();
  assert.equal(types().at(-1), "answer");
  pc.become("connected");
  paths.receive({ type: "relayStop", callId: "c" });
  await flowing(relay, 300);
  assert.equal(paths.info.path, "relay", "not before it carries");
  await flowing(pc, 500);
  assert.equal(paths.info.path, "direct");
  await flowing(pc, 1_500);
  assert.equal(relay.closed, true);
});

test("an offer of a new connection replaces ours; the old picture stays until the new one comes", async () => {
  const first = await direct();
  paths.receive({ type: "offer", caller: "bob", callerId: "", callId: "c", offer: { type: "offer", sdp: "v=0\r\no=- 778 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n" } });
  await settle();
  const second = web.newest();
  assert.notEqual(second, first);
  await flowing(first, 2_500);
  assert.equal(first.closed, false);
  second.become("connected");
  for (let i = 0; i < 10; i++) {
    first.flow();
    second.flow();
    await advance(50);
  }
  await flowing(second, 1_500);
  assert.equal(first.closed, true);
  assert.equal(second.closed, false);
});

test("media that stops though ICE says connected is acted on within 3 s, after signaling was renewed", async () => {
  const pc = await direct();
  let online = () => {};
  renewal = new Promise((resolve) => (online = resolve));
  const before = now();
  while (!renewals && now() - before < 10_000) await advance(50);
  assert.ok(now() - before <= 3_000, `noticed after ${now() - before} ms`);
  await settle();
  assert.equal(pc.restarts, 0, "not before the socket is back");
  assert.deepEqual(states.at(-1), "reconnecting");
  online();
  await settle();
  assert.equal(pc.restarts, 1);
  await flowing(pc, 500);
  assert.equal(paths.state, "connected");
});

test("silence that the other side has announced is no dead path", async () => {
  const pc = await direct();
  paths.setTheirs({ audio: false, video: false, screen: false });
  for (let i = 0; i < 200; i++) {
    pc.flow({ audio: 0, video: 0, checks: i % 40 ? 0 : 1 });
    await advance(50);
  }
  assert.equal(renewals, 0);
  paths.setTheirs({ audio: true, video: false, screen: false });
  await advance(1_000);
  assert.equal(renewals, 0, "the time counts from the moment when something is to come");
  await advance(1_500);
  assert.equal(renewals, 1);
});

test("disconnected heals within the grace or is restarted", async () => {
  const pc = await direct();
  pc.become("connected", "disconnected");
  await advance(200);
  pc.become("connected");
  await flowing(pc, 500);
  assert.equal(pc.restarts, 0);
  pc.become("connected", "disconnected");
  await advance(1_000);
  assert.equal(pc.restarts, 1);
});

test("restarts are not repeated in a hurry", async () => {
  const pc = await direct({ relay: "off" });
  await advance(30_000);
  assert.ok(pc.restarts >= 3 && pc.restarts <= 6, `${pc.restarts} restarts in 30 s`);
});

test("a network change restarts at once, on a renewed socket", async () => {
  const pc = await direct();
  paths.networkChanged();
  await settle();
  assert.equal(renewals, 1);
  assert.equal(pc.restarts, 1);
});

test("a restored server has no relay: it is asked for again, and the old leg is kept meanwhile", async () => {
  const relay = await relayed();
  const before = asked().length;
  paths.restored();
  assert.equal(asked().length, before + 1);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  assert.equal(to("relay").length, 2);
  assert.notEqual(web.newest(), relay);
});

test("a restored server: flowing media is left alone, a waiting offer is said again", async () => {
  const pc = await direct();
  paths.restored();
  await settle();
  assert.equal(pc.restarts, 0);
  assert.equal(to(undefined).length, 1);
  paths.restart();
  await settle();
  assert.equal(to(undefined).length, 2);
  paths.restored();
  await settle();
  assert.equal(to(undefined).length, 3);
});

test("tracks are replaced on every leg", async () => {
  const first = await direct();
  paths.receive({ type: "relayStart", callId: "c", reason: "user" });
  await settle();
  const next = track("video");
  paths.setTrack("video", next);
  await settle();
  for (const pc of [first, web.newest()]) assert.equal(pc.getTransceivers()[1].sender.track, next);
});

test("closing closes everything and stops every timer", async () => {
  const first = await direct();
  paths.receive({ type: "relayStart", callId: "c", reason: "user" });
  await settle();
  paths.close();
  const before = sent.length;
  await advance(70_000, 1_000);
  assert.ok(web.peers.every((pc) => pc.closed) && first.closed);
  assert.equal(sent.length, before);
});

const SERVERS = [{ urls: ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], username: "u", credential: "c" }];
for (const [name, options, urls, policy] of [
  ["nothing forced", {}, ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], "all"],
  ["direct", { force: "direct" }, ["stun:s:1"], "all"],
  ["turn", { force: "turn" }, ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], "relay"],
  ["turn over tcp", { force: "turn", transport: "tcp" }, ["stun:s:1", "turn:s:1?transport=tcp"], "relay"],
  ["turn over udp", { force: "turn", transport: "udp" }, ["stun:s:1", "turn:s:1?transport=udp"], "relay"],
  ["turn over tls", { force: "turn", transport: "tls" }, ["stun:s:1", "turns:s:2"], "relay"],
  ["the relay's leg", { force: "turn", relay: true }, ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], "all"],
]) {
  test(`servers with ${name}`, () => {
    const config = iceConfig({ iceServers: SERVERS, ...options });
    assert.deepEqual(config.iceServers.flatMap((server) => server.urls), urls);
    assert.equal(config.iceTransportPolicy, policy);
  });
}
