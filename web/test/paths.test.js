// paths.test.js: which path, when, and that no move breaks before it makes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { iceConfig } from "../static/leg.js";
import { advance, now, settle, track } from "./fakes.js";
import { answer, asked, direct, flowing, make, paths, relayed, sent, shown, states, to, types, web } from "./pathlab.js";

test("while it rings nothing is made and nothing is said", async () => {
  make();
  await advance(5_000);
  assert.deepEqual([sent, web.peers.length], [[], 0]);
  paths.begin("caller");
  await settle();
  web.newest().gather();
  assert.deepEqual(types(), ["offer", "iceCandidate"]);
});

test("the callee has a pool, and says nothing until it is offered something", async () => {
  make({ role: "callee" });
  assert.equal(web.peers.length, 0);
  paths.begin("callee");
  await settle();
  assert.equal(web.peers.length, 1);
  assert.deepEqual(sent, []);
});

test("connected is told with the path and the time from acceptance to the first frame", async () => {
  make();
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
  await settle();
  paths.begin("callee");
  await settle();
  assert.deepEqual(sent, []);
  assert.equal(web.peers.length, 1);
});

test("no connection in time: the relay is asked for, once", async () => {
  make();
  paths.begin("caller");
  await advance(7_900);
  assert.deepEqual(asked(), []);
  await advance(3_000);
  assert.deepEqual(asked(), ["ice-timeout"]);
});

test("ICE failed: the relay is asked for at once", async () => {
  make();
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

test("mode always: no direct attempt, and the relay leg is ready before it starts", async () => {
  make({ relay: "always" });
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

test("mode always with a counterpart that knows no relay: the relay is asked for, and nothing else is tried", async () => {
  make({ relay: "always" });
  paths.begin("caller");
  await advance(2_600);
  assert.deepEqual(asked(), ["ice-failed"]);
  await advance(60_000, 1_000);
  assert.deepEqual([to(undefined).length, web.peers.length, paths.state], [0, 1, "failed"]);
});

for (const force of [null, "direct", "turn", "relay"]) {
  test(`mode always with ?path=${force ?? ""}: whatever the counterpart tries, no address is told`, async () => {
    make({ relay: "always", force });
    paths.begin("callee");
    paths.receive({ type: "offer", caller: "bob", callerId: "", callId: "c", offer: { type: "offer", sdp: "v=0\r\no=- 778 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n" } });
    paths.receive({ type: "iceCandidate", sender: "bob", senderId: "", callId: "c", candidate: { candidate: "candidate:1 1 udp 1 192.0.2.1 5000 typ host" } });
    paths.receive({ type: "relayStart", callId: "c", reason: "always" });
    await settle();
    answer("relay");
    await settle();
    const relay = web.newest();
    relay.become("connected");
    paths.receive({ type: "relayReady", callId: "c" });
    await flowing(relay, 1_000);
    assert.deepEqual([paths.info.path, to(undefined).length, types().includes("answer")], ["relay", 0, false]);
    paths.receive({ type: "relayStop", callId: "c" });
    paths.useDirect();
    paths.networkChanged();
    await advance(60_000, 1_000);
    assert.ok(asked().length > 0, "the relay is asked for again");
    for (const message of sent) assert.ok(!["offer", "answer", "iceCandidate"].includes(message.type) || message.target === "relay", JSON.stringify(message));
  });
}

test("mode always without a relay: nobody's address is told to the other; it is asked for again, ever more seldom", async () => {
  make({ relay: "always" });
  paths.begin("caller");
  paths.receive({ type: "relayStart", callId: "c", reason: "always" });
  await settle();
  const lost = (code) => paths.receive({ type: "relayFailed", callId: "c", code, message: "" });
  lost("relay-failed");
  await advance(700);
  assert.equal(asked().length, 1);
  const gaps = [];
  for (let i = 0; i < 7; i++) {
    const before = now();
    const count = asked().length;
    lost("relay-unavailable");
    while (asked().length === count && now() - before < 100_000) await advance(500, 500);
    gaps.push(Math.round((now() - before) / 1_000));
  }
  assert.deepEqual(gaps, [2, 4, 8, 16, 32, 60, 60]);
  assert.equal(to(undefined).length, 0);
  assert.equal(paths.state, "failed");
});

test("?path=relay asks for it", async () => {
  make({ force: "relay" });
  paths.begin("caller");
  assert.deepEqual(asked(), ["user"]);
  paths.receive({ type: "relayFailed", callId: "c", code: "relay-unavailable", message: "" });
  assert.equal(paths.state, "failed");
});

test("back from the relay: a way that had worked is tried after 5 s, taken when stable, told, the relay closes after", async () => {
  const relay = await relayed();
  const before = to(undefined).length;
  await flowing(relay, 1_500);
  assert.equal(to(undefined).length, before, "not yet");
  await flowing(relay, 2_000);
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

test("the same where the direct way was already succeeded by one that had no media yet", async () => {
  const first = await direct();
  await advance(2_300);
  assert.equal(web.peers.length, 2, "the successor");
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  answer("relay");
  await settle();
  const relay = web.newest();
  relay.become("connected");
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(relay, 3_000);
  assert.deepEqual([paths.info.path, first.closed], ["relay", true]);
  const before = to(undefined).length;
  await flowing(relay, 4_000);
  assert.equal(to(undefined).length, before + 1);
});

test("a direct way that has just come up is not left for the relay before it can carry", async () => {
  await direct();
  await advance(2_300);
  const next = web.newest();
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  answer("bob");
  answer("relay");
  await settle();
  const relay = web.newest();
  relay.become("connected");
  next.become("connected");
  await flowing(relay, 300);
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(relay, 500);
  assert.notEqual(paths.info.path, "relay");
  for (let i = 0; i < 10; i++) {
    relay.flow();
    await flowing(next, 50);
  }
  assert.deepEqual([paths.info.path, next.closed], ["direct", false]);
});

test("a direct attempt beside the relay that fails is ended and tried again later", async () => {
  const relay = await relayed();
  const before = to(undefined).length;
  await flowing(relay, 3_500);
  const probe = web.newest();
  assert.notEqual(probe, relay);
  probe.become("failed");
  await flowing(relay, 500);
  assert.equal(probe.closed, true);
  assert.equal(paths.info.path, "relay");
  await flowing(relay, 57_000);
  assert.equal(to(undefined).length, before + 1, "the second time not so soon");
  await flowing(relay, 4_000);
  assert.equal(to(undefined).length, before + 2);
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

test("mode prefer: a relay that is refused leaves a direct path that carries alone, and TURN is there when it dies", async () => {
  const pc = await direct({ relay: "prefer", iceServers: [{ urls: ["turn:s:1"] }] });
  assert.deepEqual(pc.config.iceServers, []);
  paths.useRelay();
  paths.receive({ type: "relayFailed", callId: "c", code: "relay-unavailable", message: "" });
  await flowing(pc, 500);
  assert.equal(pc.restarts, 0);
  await advance(1_500);
  assert.equal(pc.restarts, 1);
  assert.equal(pc.config.iceServers.length, 1);
});

for (const [name, silent, start] of [["a move begins with what the path before it takes", 0, "1500"], ["of a path that is dead nothing is known", 2_000, undefined]]) {
  test(name, async () => {
    const pc = await direct();
    await flowing(pc, 500, { estimate: 1_500 });
    await advance(silent);
    paths.receive({ type: "relayStart", callId: "c", reason: "user" });
    await settle();
    answer("relay");
    await settle();
    const begun = [pc, web.newest()].map(({ remoteDescription }) => /x-google-start-bitrate=(\d+)/.exec(remoteDescription.sdp)?.[1]);
    assert.deepEqual(begun, [undefined, start]);
  });
}

const SERVERS = [{ urls: ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], username: "u", credential: "c" }];
for (const [name, options, urls, policy] of [
  ["nothing forced", {}, ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], "all"],
  ["direct", { force: "direct" }, ["stun:s:1"], "all"],
  ["turn", { force: "turn" }, ["stun:s:1", "turn:s:1?transport=udp", "turn:s:1?transport=tcp", "turns:s:2"], "relay"],
  ["the relay preferred", { turn: false }, ["stun:s:1"], "all"],
  ["the relay preferred, its leg", { turn: false, relay: true }, ["turn:s:1?transport=tcp", "turns:s:2"], "all"],
  ["turn over tcp", { force: "turn", transport: "tcp" }, ["stun:s:1", "turn:s:1?transport=tcp"], "relay"],
  ["turn over udp", { force: "turn", transport: "udp" }, ["stun:s:1", "turn:s:1?transport=udp"], "relay"],
  ["turn over tls", { force: "turn", transport: "tls" }, ["stun:s:1", "turns:s:2"], "relay"],
  ["the relay's leg", { force: "turn", relay: true }, ["turn:s:1?transport=tcp", "turns:s:2"], "all"],
]) {
  test(`servers with ${name}`, () => {
    const config = iceConfig({ iceServers: SERVERS, ...options });
    assert.deepEqual(config.iceServers.flatMap((server) => server.urls), urls);
    assert.equal(config.iceTransportPolicy, policy);
  });
}
