// simulate.test.js: what can be made to go wrong goes wrong, and what lasts ends.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Duet } from "../static/duet.js";
import { Emitter } from "../static/emitter.js";
import { Outside } from "../static/outside.js";
import { simulate } from "../static/simulate.js";
import { advance, fakeNetwork, fakeTime, fakeWebRTC, now, settle, welcome } from "./fakes.js";

const BOB = { id: "u_BBBBBBBBBBBBBBBBBBBBBB", username: "bob", status: "available" };
const ON = { audio: true, video: true, screen: false };

class Track extends EventTarget {
  stopped = false;
  stop() {
    this.stopped = true;
  }
}

class FakeMedia extends Emitter {
  tracks = { audio: Object.assign(new Track(), { kind: "audio", id: "a" }), video: Object.assign(new Track(), { kind: "video", id: "v" }) };
  state = ON;
}

let undo, net, web, duet, media, seq;

beforeEach(async () => {
  undo = fakeTime();
  net = fakeNetwork();
  web = fakeWebRTC();
  media = new FakeMedia();
  seq = 0;
  duet = new Duet({ url: "ws://test/ws", media, WebSocket: net.FakeWebSocket, RTCPeerConnection: web.FakePeerConnection, now });
  const joining = duet.join("alice");
  net.newest().accept();
  net.newest().say(welcome({ features: ["resume", "call-state"] }));
  await joining;
});
afterEach(() => {
  duet.leave();
  undo();
});

const say = (message) => net.newest().say({ ...message, seq: ++seq });
const last = (type) => net.newest().last(type);

async function called() {
  const call = duet.dial(BOB);
  say({ type: "callStarted", callId: "c_1", role: "caller", peer: "bob", peerId: BOB.id, media: { self: ON, peer: ON } });
  await settle();
  return call;
}

test("socket-loss: the connection is closed under the session, which comes back", async () => {
  const [first] = net.sockets;
  await duet.simulate("socket-loss");
  assert.equal(first.closedWith, "", "without a code, which would end the session");
  first.drop(1005);
  assert.equal(duet.state, "reconnecting");
  await advance(300);
  net.newest().accept();
  assert.equal(last("resume").session, "token-1");
});

test("resume-refused: the server has nothing to resume, and the call is lost", async () => {
  const call = await called();
  await duet.simulate("resume-refused");
  assert.equal(last("leave").type, "leave");
  net.newest().drop(1000);
  await advance(300);
  net.newest().accept();
  assert.ok(last("resume"));
  say({ type: "error", code: "session-expired", message: "", request: "resume" });
  net.newest().say(welcome({ session: "token-2" }));
  assert.deepEqual([call.reason, duet.state], ["lost", "online"]);
});

test("relay-only: the calls that begin from then on, until it ends", async () => {
  const end = await duet.simulate("relay-only");
  const call = await called();
  assert.equal(last("relayRequest").reason, "user");
  call.hangUp();
  end();
  await called();
  assert.ok(last("offer"));
});

test("tls-only and turn-only: only such servers, and no other way", async () => {
  const iceServers = [{ urls: ["stun:s", "turn:s?transport=udp", "turns:s?transport=tcp"], username: "u", credential: "c" }];
  say({ type: "iceServers", iceServers });
  for (const [name, urls] of [["turn-only", ["stun:s", "turn:s?transport=udp", "turns:s?transport=tcp"]], ["tls-only", ["stun:s", "turns:s?transport=tcp"]]]) {
    const end = await duet.simulate(name);
    const call = await called();
    const { config } = web.newest();
    assert.deepEqual([config.iceTransportPolicy, config.iceServers.flatMap((server) => server.urls)], ["relay", urls], name);
    call.hangUp();
    end();
  }
});

test("device-loss: the tracks end as they do when they are unplugged", async () => {
  const ended = [];
  for (const track of Object.values(media.tracks)) track.addEventListener("ended", () => ended.push(track.kind));
  await duet.simulate("device-loss");
  assert.deepEqual([ended, media.tracks.audio.stopped, media.tracks.video.stopped], [["audio", "video"], true, true]);
});

/** A connection that notes what it is told. */
class Peer {
  connectionState = "new";
  described = [];
  set = [];
  async setRemoteDescription(description) {
    this.described.push(description.sdp);
  }
  getSenders() {
    return [{ track: { kind: "video" }, getParameters: () => ({ encodings: [{ maxBitrate: this.set.at(-1) }] }), setParameters: async ({ encodings: [{ maxBitrate }] }) => void this.set.push(maxBitrate) }];
  }
}

test("ice-failure: the other side's password is another, the relay's is not", async () => {
  const outside = new Outside({ RTCPeerConnection: /** @type {any} */ (Peer) });
  const end = simulate("ice-failure", { outside, options: {}, media, send: () => {} });
  const peer = new outside.RTCPeerConnection();
  await peer.setRemoteDescription({ type: "answer", sdp: "a=ice-ufrag:x\r\na=ice-pwd:right\r\n" });
  await peer.setRemoteDescription({ type: "answer", sdp: "a=ice-lite\r\na=ice-pwd:right\r\n" });
  end();
  const after = new outside.RTCPeerConnection();
  await after.setRemoteDescription({ type: "answer", sdp: "a=ice-pwd:right\r\n" });
  assert.deepEqual([...peer.described, ...after.described], ["a=ice-ufrag:x\r\na=ice-pwd:simulatedsimulatedsimulated\r\n", "a=ice-lite\r\na=ice-pwd:right\r\n", "a=ice-pwd:right\r\n"]);
});

test("bandwidth-cap: what there is and what comes is limited, until it ends", async () => {
  const outside = new Outside({ RTCPeerConnection: /** @type {any} */ (Peer) });
  const first = new outside.RTCPeerConnection();
  const end = simulate("bandwidth-cap", { outside, options: {}, media, send: () => {} });
  const second = new outside.RTCPeerConnection();
  await advance(1_000);
  assert.deepEqual([first.set, second.set], [[150_000, 150_000], [150_000]]);
  end();
  assert.deepEqual([first.set.at(-1), second.set.at(-1)], [undefined, undefined]);
  first.connectionState = "closed";
  new outside.RTCPeerConnection();
  assert.equal(outside.peers.has(first), false, "what is over is forgotten");
});
