// alive.test.js: what a living connection is: one on which ICE and DTLS stand, and on which somebody tells what became of
// our media. That no media comes is no sign of death.

import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, settle } from "./fakes.js";
import { answer, asked, direct, flowing, make, paths, relayed, renewals, states, to, types, web } from "./pathlab.js";

const OFF = { audio: false, video: false, screen: false };
const ON = { audio: true, video: true, screen: false };
const MUTE = { audio: 0, video: 0 };

/** Nothing was done about a connection that had nothing wrong. */
function untouched(pc) {
  assert.deepEqual([renewals, pc.restarts, web.peers.length, asked(), paths.state], [0, 0, 1, [], "connected"]);
}

/** So many seconds in which only these checks come. */
async function checked(pc, seconds, every, how = {}) {
  for (let i = 0; i < seconds * 20; i++) {
    pc.flow({ ...MUTE, feedback: false, checks: i % (every * 20) === 0 ? 1 : 0, ...how });
    await advance(50);
  }
}

test("hold: the counterpart offers inactive, and thirty seconds later to go on", async () => {
  const pc = await direct();
  const offer = (version, direction) => paths.receive({
    type: "offer", caller: "bob", callerId: "", callId: "c",
    offer: { type: "offer", sdp: pc.remoteDescription.sdp.replace(/^(o=\S+ \S+) \d+/m, `$1 ${version}`).replace(/a=(sendrecv|inactive)/g, `a=${direction}`) },
  });
  offer(50, "inactive");
  await settle();
  await checked(pc, 30, 2.5);
  untouched(pc);
  offer(51, "sendrecv");
  await settle();
  await flowing(pc, 1_000);
  untouched(pc);
});

test("a counterpart that stops sending without a word, and hears us", async () => {
  const pc = await direct();
  await flowing(pc, 5_000);
  await flowing(pc, 30_000, MUTE);
  untouched(pc);
});

test("a phone that sends one black picture a second while it rings", async () => {
  const pc = await direct();
  for (let i = 0; i < 60; i++) {
    pc.flow({ audio: 0, video: 1 });
    for (let j = 0; j < 4; j++) {
      await advance(250);
      pc.flow({ ...MUTE, checks: 0 });
    }
  }
  untouched(pc);
});

test("a counterpart that only listens is connected at once", async () => {
  make();
  paths.begin("caller");
  await settle();
  answer("bob", (sdp) => sdp.replaceAll("a=sendrecv", "a=recvonly"));
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 500, MUTE);
  untouched(pc);
  await flowing(pc, 30_000, MUTE);
  untouched(pc);
});

test("a counterpart that says it sends, and does not, is connected after a moment", async () => {
  make();
  paths.begin("caller");
  await settle();
  answer("bob");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 2_000, MUTE);
  assert.equal(paths.state, "connecting");
  await flowing(pc, 2_000, MUTE);
  untouched(pc);
  await flowing(pc, 20_000, MUTE);
  untouched(pc);
});

test("both off before a relayed call: connected when the server says that both are there", async () => {
  make({ relay: "always" });
  paths.setTheirs(OFF);
  paths.setOurs(OFF);
  paths.begin("caller");
  paths.receive({ type: "relayStart", callId: "c", reason: "always" });
  await settle();
  answer("relay");
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await checked(pc, 1, 2.5);
  assert.equal(paths.state, "connecting");
  paths.receive({ type: "relayReady", callId: "c" });
  await checked(pc, 30, 2.5);
  assert.deepEqual([paths.state, paths.info.path, states.includes("failed"), renewals], ["connected", "relay", false, 0]);
});

test("a move while the other side is mute ends connected", async () => {
  const first = await direct();
  paths.setTheirs(OFF);
  first.become("failed");
  await advance(300);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  answer("relay");
  await settle();
  const relay = web.newest();
  relay.become("connected");
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(relay, 3_000, MUTE);
  assert.deepEqual([paths.state, paths.info.path], ["connected", "relay"]);
});

test("back from the relay while both are mute, once the direct way has stood for a while", async () => {
  const relay = await relayed();
  for (const set of ["setTheirs", "setOurs"]) paths[set](OFF);
  await checked(relay, 4, 2.5);
  answer("bob");
  await settle();
  const pc = web.newest();
  assert.notEqual(pc, relay);
  pc.become("connected");
  for (let i = 0; i < 80; i++) {
    relay.flow({ ...MUTE, feedback: false });
    pc.flow({ ...MUTE, feedback: false });
    await advance(50);
    if (i === 30) assert.ok(!types().includes("relayStop"), "not before it is stable");
  }
  assert.ok(types().includes("relayStop"));
  assert.deepEqual([paths.state, paths.info.path], ["connected", "direct"]);
});

test("Firefox tells of a check in 4 to 6 s, and one may be lost", async () => {
  const pc = await direct();
  for (const set of ["setTheirs", "setOurs"]) paths[set](OFF);
  await checked(pc, 60, 11.5, { firefox: true });
  untouched(pc);
  pc.become("connected", "disconnected");
  await advance(1_000);
  assert.equal(pc.restarts, 1, "ICE's own state is believed");
});

test("both mute: checks that cease are a dead path", async () => {
  const pc = await direct();
  for (const set of ["setTheirs", "setOurs"]) paths[set](OFF);
  await checked(pc, 20, 2.5);
  assert.equal(renewals, 0);
  await advance(3_000);
  assert.equal(renewals, 0);
  await advance(4_000);
  assert.equal(renewals, 1);
});

test("who does not tell at once what became of ours is not dead before the checks say so", async () => {
  make();
  paths.begin("caller");
  await settle();
  answer("bob", (sdp) => sdp.replaceAll("a=rtcp-fb:96 transport-cc\r\n", ""));
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 1_000);
  await checked(pc, 30, 2.5);
  untouched(pc);
  await advance(7_000);
  assert.equal(renewals, 1);
});

test("a counterpart that makes up another o= line for each description keeps its connection, by its key", async () => {
  const key = "a=fingerprint:sha-256 AA:BB\r\n";
  make();
  paths.begin("caller");
  await settle();
  answer("bob", (sdp) => sdp.replace("t=0 0\r\n", `t=0 0\r\n${key}`));
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 500);
  const offer = (sdp) => paths.receive({ type: "offer", caller: "bob", callerId: "", callId: "c", offer: { type: "offer", sdp } });
  offer(pc.remoteDescription.sdp.replace(/^o=\S+ \S+/m, "o=- 4711"));
  await flowing(pc, 500);
  untouched(pc);
  assert.equal(types().at(-1), "answer");
  offer(pc.remoteDescription.sdp.replace(/^o=\S+ \S+/m, "o=- 4712").replace("AA:BB", "CC:DD"));
  await settle();
  assert.equal(web.peers.length, 2, "another key is another connection");
});

test("media that goes on one way only is no reason to tear the other down", async () => {
  const pc = await direct();
  paths.setTheirs({ ...ON, video: false });
  await flowing(pc, 20_000, { video: 0 });
  untouched(pc);
  assert.equal(to(undefined).length, 1);
});

test("a picture that stands still on a connection that is up is told, and told back; one of a screen may stand", async () => {
  const pc = await direct();
  const still = [];
  paths.on("still", (on) => still.push(on));
  await flowing(pc, 5_000, { video: 0 });
  assert.deepEqual(still, [true]);
  await flowing(pc, 500);
  assert.deepEqual(still, [true, false]);
  paths.setTheirs({ ...ON, screen: true });
  await flowing(pc, 5_000, { video: 0 });
  paths.setTheirs({ ...ON, video: false });
  await flowing(pc, 5_000, { video: 0 });
  assert.deepEqual(still, [true, false]);
  untouched(pc);
});
