// lookout.test.js: this machine is at other addresses than its connections know.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hosts } from "../static/fresh.js";
import { advance, now, settle } from "./fakes.js";
import { answer, direct, flowing, paths, renewals, shown, to, web } from "./pathlab.js";

const WIFI = "192.0.2.1";
const MOBILE = "198.51.100.7";

/** A call whose leg was made at WIFI; looks tell `at`. */
async function called(at) {
  const place = { looks: [], ended: 0, at };
  const look = () => {
    place.looks.push(now());
    return { RTCPeerConnection: web.FakePeerConnection, addresses: Promise.resolve(new Set(place.at)), end: () => place.ended++ };
  };
  const pc = await direct({ look });
  pc.localDescription.sdp += `a=candidate:1 1 udp 1 ${WIFI} 5000 typ host\r\n`;
  return { pc, place };
}

test("none of its addresses is left: the leg is begun anew at once, beside the old one, and not restarted", async () => {
  const { pc, place } = await called([MOBILE]);
  void paths.networkChanged();
  await settle();
  const next = web.newest();
  assert.deepEqual([web.peers.length, pc.restarts, to(undefined).length], [2, 0, 2]);
  answer("bob");
  await settle();
  next.become("connected");
  await flowing(next, 3_000);
  assert.deepEqual([pc.closed, shown.at(-1).video, place.ended], [true, next.getTransceivers()[1].receiver.track, 0]);
  place.at = [WIFI]; // and back, before this one has told of any address
  void paths.networkChanged();
  await settle();
  assert.equal(web.peers.length, 3);
  paths.close();
  assert.equal(place.ended, 2, "each place ends with its leg");
});

test("a change in two steps: what is asked for during a look is looked at once more", async () => {
  const { pc, place } = await called([WIFI, MOBILE]);
  void paths.networkChanged();
  void paths.networkChanged();
  place.at = [MOBILE];
  await settle();
  assert.deepEqual([place.looks.length, web.peers.length, pc.restarts], [2, 2, 0]);
});

test("the same after a restart that has gathered nothing yet", async () => {
  const { pc, place } = await called([WIFI, MOBILE]);
  void paths.networkChanged();
  await settle();
  assert.equal(pc.restarts, 1);
  place.at = [MOBILE];
  void paths.networkChanged();
  await settle();
  assert.equal(web.peers.length, 2);
});

for (const [name, at] of [["another came beside it", [WIFI, MOBILE]], ["none is seen", []]]) {
  test(`${name}: a restart is enough`, async () => {
    const { pc, place } = await called(at);
    void paths.networkChanged();
    await settle();
    assert.deepEqual([web.peers.length, pc.restarts, place.ended], [1, 1, 1]);
  });
}

test("nobody tells of the change: silence has it looked for, ever more seldom", async () => {
  const { place } = await called([WIFI]);
  const since = now();
  await advance(500);
  assert.equal(place.looks.length, 0);
  await advance(5_000);
  const [first] = place.looks;
  assert.ok(first - since < 1_000 && place.looks.length >= 2 && place.looks.length <= 4, `${place.looks.map((at) => at - since)}`);
});

test("silence, and another address: begun anew, and the socket as well", async () => {
  const { pc } = await called([MOBILE]);
  await advance(1_000);
  assert.deepEqual([web.peers.length, pc.restarts, renewals], [2, 0, 1]);
});

test("who has stopped sending and is there needs no look", async () => {
  const { place } = await called([MOBILE]);
  await flowing(web.newest(), 20_000, { audio: 0, video: 0 });
  assert.equal(place.looks.length, 0);
});

test("addresses of host candidates; names tell nothing", () => {
  const line = (address, type = "host", protocol = "udp") => `a=candidate:1 1 ${protocol} 1 ${address} 5000 typ ${type}\r\n`;
  assert.deepEqual(hosts([line(WIFI), line("2001:db8::1"), line("x-y.local"), line(MOBILE, "srflx"), line(MOBILE, "host", "tcp")].join("")), [WIFI, "2001:db8::1"]);
});
