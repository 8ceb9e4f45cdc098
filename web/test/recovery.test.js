// recovery.test.js: paths that die, networks that change, servers that restart: what is noticed, and what is done.

import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, now, settle } from "./fakes.js";
import { answer, asked, direct, flowing, make, paths, relayed, renewals, renewing, shown, states, to, types, web } from "./pathlab.js";

test("a dead path: a restart, then a new connection, then the relay; the direct way is kept if it comes first", async () => {
  const pc = await direct();
  await advance(1_500);
  assert.equal(pc.restarts, 1);
  await advance(800);
  const second = web.newest();
  assert.notEqual(second, pc, "an old pair does not hold back a new connection");
  assert.equal(pc.closed, false);
  await advance(1_300);
  assert.deepEqual(asked(), ["ice-failed"]);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  const relay = web.newest();
  answer("bob");
  await settle();
  second.become("connected");
  await flowing(second, 500);
  paths.receive({ type: "relayReady", callId: "c" });
  await flowing(second, 300);
  assert.equal(paths.info.path, "direct", "no move to the relay and back");
  await flowing(second, 1_000);
  assert.ok(types().includes("relayStop"));
  await flowing(second, 1_500);
  assert.deepEqual([relay.closed, pc.closed, second.closed], [true, true, false]);
  assert.equal(paths.state, "connected");
});

test("who did not ask for the relay stays on a direct path that carries, but not for ever", async () => {
  const pc = await direct();
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  const relay = web.newest();
  answer("relay");
  await settle();
  relay.become("connected");
  paths.receive({ type: "relayReady", callId: "c" });
  const both = async (ms) => {
    for (let done = 0; done < ms; done += 50) {
      relay.flow();
      await flowing(pc, 50);
    }
  };
  await both(3_500);
  assert.equal(paths.info.path, "direct");
  await both(1_000);
  assert.equal(paths.info.path, "relay");
});

test("a successor that does not come up is succeeded, and the old leg may come back meanwhile", async () => {
  const pc = await direct({ relay: "off" });
  await advance(2_500);
  assert.equal(web.peers.length, 2);
  await flowing(pc, 1_000);
  assert.equal(paths.state, "connected", "on the old leg");
  await flowing(pc, 6_000);
  assert.equal(web.peers.length, 3);
  assert.equal(web.peers[1].closed, true);
  answer("bob");
  await settle();
  web.newest().become("connected");
  await flowing(web.newest(), 3_000);
  assert.deepEqual([pc.closed, web.newest().closed], [true, false]);
});

test("a restart by the other side serves both", async () => {
  const pc = await direct();
  let online = () => {};
  renewing(new Promise((resolve) => (online = resolve)));
  await advance(1_500);
  paths.receive({ type: "offer", caller: "bob", callerId: "", callId: "c", offer: { type: "offer", sdp: "v=0\r\no=- 9200 2 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 X 1\r\na=ice-ufrag:new\r\n" } });
  await settle();
  online();
  await settle();
  assert.equal(pc.restarts, 0);
  assert.equal(types().at(-1), "answer");
});

test("on TURN a better way is looked for after 5 s, then every 60 s, by the caller", async () => {
  const pc = await direct();
  await flowing(pc, 4_000, { local: "relay" });
  assert.equal(pc.restarts, 0);
  await flowing(pc, 2_000, { local: "relay" });
  assert.equal(pc.restarts, 1);
  await flowing(pc, 57_000, { local: "relay" });
  assert.equal(pc.restarts, 1);
  await flowing(pc, 4_000, { local: "relay" });
  assert.equal(pc.restarts, 2);
});

test("where Firefox is at one end, a TURN path that carries is not restarted in search of a better one", async () => {
  make();
  paths.begin("caller");
  await settle();
  answer("bob", (sdp) => sdp.replace(/^o=-/m, "o=mozilla...THIS_IS_SDPARTA-153.0"));
  await settle();
  const pc = web.newest();
  pc.become("connected");
  await flowing(pc, 70_000, { local: "relay" });
  assert.deepEqual([paths.info.path, pc.restarts, web.peers.length], ["turn", 0, 1]);
  await advance(1_500);
  assert.equal(pc.restarts, 1, "one that is dead is");
});

test("after a network change the direct way is tried within 5 s", async () => {
  const relay = await relayed();
  await flowing(relay, 3_500);
  web.newest().become("failed"); // the first attempt to come back
  await flowing(relay, 500);
  const before = to(undefined).length;
  paths.networkChanged();
  await settle();
  assert.equal(relay.restarts, 1);
  await flowing(relay, 4_800);
  assert.equal(to(undefined).length, before);
  await flowing(relay, 600);
  assert.equal(to(undefined).length, before + 1);
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
  renewing(new Promise((resolve) => (online = resolve)));
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

test("over TCP silence is believed later", async () => {
  const pc = await direct({ relay: "off" });
  pc.report.get("L").protocol = "tcp";
  await advance(2_300);
  assert.equal(renewals, 0);
  await advance(700);
  assert.equal(renewals, 1);
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
  assert.equal(pc.restarts, 1);
  assert.ok(web.peers.length >= 3 && web.peers.length <= 6, `${web.peers.length} connections in 30 s`);
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

test("a relay that is lost in a call is asked for again, and an offer without a room is not made", async () => {
  const relay = await relayed();
  const offers = to("relay").length;
  const before = asked().length;
  paths.receive({ type: "relayFailed", callId: "c", code: "relay-failed", message: "" });
  await settle();
  assert.equal(to(undefined).length > 1, true, "the caller tries the direct way, too");
  await advance(4_000);
  assert.equal(to("relay").length, offers);
  assert.equal(asked().length, before + 1);
  paths.receive({ type: "relayStart", callId: "c", reason: "ice-failed" });
  await settle();
  assert.equal(to("relay").length, offers + 1);
  assert.equal(relay.closed, false, "the last picture stays until there is another");
});

test("both sides restart at once: the callee offers a new connection, and an offer of the old one is left alone", async () => {
  make();
  paths.begin("callee");
  const offer = (version, ufrag) => paths.receive({
    type: "offer", caller: "bob", callerId: "", callId: "c",
    offer: { type: "offer", sdp: `v=0\r\no=- 555 ${version} IN IP4 0.0.0.0\r\ns=-\r\na=x-duet:1\r\nm=audio 9 X 1\r\na=ice-ufrag:${ufrag}\r\nm=video 9 X 1\r\na=ice-ufrag:${ufrag}\r\n` },
  });
  offer(1, "u1");
  await settle();
  const first = web.newest();
  first.become("connected");
  await flowing(first, 500);
  paths.restart();
  await settle();
  assert.equal(to(undefined).length, 1, "our restart");
  offer(2, "u2"); // theirs met it
  await settle();
  const second = web.newest();
  assert.notEqual(second, first);
  assert.equal(to(undefined).length, 2, "the new connection's offer");
  assert.equal(first.signalingState, "have-local-offer", "nothing was rolled back");
  offer(3, "u3"); // said before they heard of the new one
  await settle();
  assert.equal(web.newest(), second);
  answer("bob");
  await settle();
  second.become("connected");
  await flowing(second, 500);
  assert.deepEqual(shown.at(-1).video, second.getTransceivers()[1].receiver.track);
  await flowing(second, 1_500);
  assert.equal(first.closed, true);
});
