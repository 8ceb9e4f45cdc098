// plain.test.js: a call with a client that knows the twelve messages and one connection: nothing that it has is replaced.

import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, now, settle } from "./fakes.js";
import { answer, asked, direct, flowing, make, paths, renewals, sent, shown, states, to, types, web } from "./pathlab.js";

/** What such a client says of a description of ours. */
const plain = (sdp) => sdp.replace(/^a=x-duet.*\r\n/gm, "");
const MUTE = { audio: 0, video: 0 };

/** A call with it, connected directly. @param {object} [options] */
async function called({ as = (sdp) => sdp, ...options } = {}) {
  make(options);
  paths.begin("caller");
  await settle();
  answer("cli", (sdp) => as(plain(sdp)));
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 1_000);
  assert.equal(paths.state, "connected");
  return pc;
}

/** An offer of its. */
const offer = (sdp) => paths.receive({ type: "offer", caller: "cli", callerId: "", callId: "c", offer: { type: "offer", sdp } });

const relayRefused = () => paths.receive({ type: "relayFailed", callId: "c", code: "relay-unavailable", message: "" });

for (const role of ["caller", "callee"]) {
  test(`a dead path: restarts of the one connection for as long as it takes, to the ${role}`, async () => {
    make({ role });
    paths.begin(role);
    await settle();
    if (role === "callee") offer("v=0\r\no=- 778 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n");
    else answer("cli", plain);
    await settle();
    const pc = web.newest();
    pc.become("connected");
    await flowing(pc, 1_000);
    for (let i = 0; i < 60; i++) {
      if (asked().length && i % 5 === 0) relayRefused();
      await advance(2_000);
      if (i === 3) pc.become("failed");
      if (pc.signalingState === "have-local-offer") answer("cli", plain);
    }
    const ids = new Set(to(undefined).map(({ offer: { sdp } }) => /^o=\S+ (\S+)/m.exec(sdp)[1]));
    assert.deepEqual([web.peers.length, pc.closed, ids.size, paths.state], [1, false, 1, "reconnecting"]);
    assert.ok(pc.restarts >= 5, `${pc.restarts} restarts in two minutes`);
    pc.become("connected");
    await flowing(pc, 1_000);
    assert.equal(paths.state, "connected");
  });
}

test("an answer that never comes: the same offer is said again", async () => {
  const pc = await called({ relay: "off" });
  await advance(30_000);
  assert.deepEqual([web.peers.length, pc.closed], [1, false]);
  assert.ok(to(undefined).length >= 4);
  assert.equal(new Set(to(undefined).slice(1).map(({ offer: { sdp } }) => sdp)).size, 1);
});

test("an outage that ends before anything was done leaves all as it was", async () => {
  const pc = await called();
  await advance(2_800);
  await flowing(pc, 3_000);
  assert.deepEqual([renewals, pc.restarts, to(undefined).length, paths.state, states.includes("reconnecting")], [0, 0, 1, "connected", false]);
});

test("who agrees to tell what became of ours, and does not, is alive by its checks", async () => {
  const pc = await called();
  for (let i = 0; i < 600; i++) {
    pc.flow({ ...MUTE, feedback: false, checks: i % 50 ? 0 : 1 });
    await advance(50);
  }
  assert.deepEqual([renewals, pc.restarts, states.includes("reconnecting")], [0, 0, false]);
});

test("a way through TURN that carries is left alone", async () => {
  const pc = await called();
  await flowing(pc, 70_000, { local: "relay" });
  assert.deepEqual([paths.info.path, pc.restarts, web.peers.length], ["turn", 0, 1]);
});

test("a connection of theirs in the place of one that carries: that goes on until the new one does", async () => {
  const pc = await called();
  offer("v=0\r\no=- 778 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n");
  await settle();
  const next = web.newest();
  assert.notEqual(next, pc);
  await flowing(pc, 90_000);
  assert.deepEqual([pc.closed, paths.state, web.peers.length], [false, "connected", 2]);
  next.become("connected");
  await flowing(next, 3_000);
  assert.deepEqual([pc.closed, next.closed, shown.length >= 2], [true, false, true]);
});

test("connections are told apart by their keys, whatever their o= lines say", async () => {
  const key = (text) => (sdp) => sdp.replace("t=0 0\r\n", `t=0 0\r\na=fingerprint:sha-256 ${text}\r\n`);
  const pc = await called({ as: key("AA:BB") });
  offer(pc.remoteDescription.sdp.replace(/^o=\S+ \S+/m, "o=- 4711"));
  await settle();
  assert.deepEqual([web.peers.length, types().at(-1)], [1, "answer"]);
  offer(pc.remoteDescription.sdp.replace("AA:BB", "CC:DD"));
  await settle();
  assert.equal(web.peers.length, 2, "the same o= line, and another key");
});

test("the successor of a leg that is gone has not come up: nobody says that all is well", async () => {
  const pc = await called();
  offer("v=0\r\no=- 778 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:z\r\nm=video 9 X 1\r\na=ice-ufrag:z\r\n");
  await settle();
  web.newest().become("connecting", "checking");
  pc.become("failed");
  await flowing(web.newest(), 3_000, { ...MUTE, checks: 0, feedback: false });
  assert.deepEqual([pc.closed, paths.state], [true, "reconnecting"]);
});

test("a relay that waits keeps nobody from a direct way, and is not told before both are there", async () => {
  const first = await direct();
  const told = [];
  paths.on("path", ({ path }) => told.push(path));
  await advance(2_300);
  const next = web.newest();
  assert.notEqual(next, first, "a successor");
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  answer("relay");
  await settle();
  web.newest().become("connected");
  answer("bob");
  await settle();
  next.become("connected");
  await flowing(next, 1_000);
  assert.deepEqual([paths.state, shown.at(-1).video, told.includes("relay")], ["connected", next.getTransceivers()[1].receiver.track, false]);
  assert.ok(sent.every((message) => message.type !== "mediaConnected" || message.path !== "relay"));
});

test("a relay that breaks before it is ready is asked for ever more seldom, and what crosses its end is no refusal", async () => {
  await called();
  const gaps = [];
  for (let i = 0; i < 9; i++) {
    const [before, count] = [now(), asked().length];
    while (asked().length === count && now() - before < 100_000) await advance(100, 100);
    gaps.push(Math.round((now() - before) / 1_000));
    paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
    await settle();
    paths.receive({ type: "relayFailed", callId: "c", code: "relay-failed", message: "" });
    for (let j = 0; j < 6; j++) relayRefused();
  }
  assert.deepEqual(gaps.slice(1), [1, 1, 2, 4, 8, 16, 32, 60]);
});
