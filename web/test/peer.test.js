// peer.test.js: what peer.js promises: perfect negotiation, nothing said too early, nothing old believed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../static/peer.js";
import { fakeWebRTC, settle, track } from "./fakes.js";

/** A Peer with what it says. */
function make(options = {}) {
  const web = options.web ?? fakeWebRTC();
  const tracks = options.tracks ?? { audio: track("audio"), video: track("video") };
  const peer = new Peer({ polite: false, config: () => ({ iceServers: [] }), RTCPeerConnection: web.FakePeerConnection, ...options, tracks });
  const said = [];
  const errors = [];
  peer.on("signal", (signal) => said.push(signal));
  peer.on("error", (error) => errors.push(error));
  return { peer, said, errors, tracks, pc: web.newest() };
}

/** Two that hear each other, in order; `cut` stops the wire. */
function pair() {
  const a = make();
  const b = make({ polite: true });
  const wire = { cut: false };
  a.peer.on("signal", (signal) => wire.cut || void b.peer.receive(structuredClone(signal)));
  b.peer.on("signal", (signal) => wire.cut || void a.peer.receive(structuredClone(signal)));
  return { a, b, wire };
}

const kinds = (said) => said.map((signal) => ("candidate" in signal ? "candidate" : signal.description.type));
const description = (said, type) => said.findLast((signal) => signal.description?.type === type)?.description;

test("offer and answer: audio, then video, both ways, both tracks sent", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  assert.deepEqual(kinds(a.said), ["offer"]);
  assert.deepEqual(kinds(b.said), ["answer"]);
  assert.deepEqual(b.pc.getTransceivers().map((t) => [t.kind, t.direction, t.sender.track]), [
    ["audio", "sendrecv", b.tracks.audio],
    ["video", "sendrecv", b.tracks.video],
  ]);
  assert.equal(a.pc.signalingState, "stable");
  assert.deepEqual([a.errors, b.errors], [[], []]);
});

test("lines are made without tracks, which would lend them their ids", async () => {
  const { peer, pc, tracks } = make();
  peer.start();
  await settle();
  assert.deepEqual(pc.lines, ["audio", "video"]);
  assert.deepEqual(pc.getTransceivers().map((t) => t.sender.track), [tracks.audio, tracks.video]);
});

test("sound and picture belong to one stream at both ends, or a browser would not play them in time", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  for (const { pc } of [a, b]) {
    const [audio, video] = pc.getTransceivers().map((t) => t.sender.streams);
    assert.equal(audio.length, 1);
    assert.deepEqual(audio, video);
  }
});

test("what is held is said only when released, in its order", async () => {
  const { peer, said, pc } = make({ hold: true });
  peer.start();
  await settle();
  pc.gather();
  assert.deepEqual(said, []);
  peer.release();
  assert.deepEqual(kinds(said), ["offer", "candidate"]);
});

test("candidates that come before the description wait for it", async () => {
  const { a, b, wire } = pair();
  wire.cut = true;
  a.peer.start();
  await settle();
  a.pc.gather();
  const [offer, candidate] = a.said;
  await b.peer.receive(candidate);
  assert.deepEqual(b.pc.candidates, []);
  await b.peer.receive(offer);
  assert.equal(b.pc.candidates.length, 1);
});

test("a candidate of an older generation is dropped, the end of candidates is no error", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  await b.peer.receive({ candidate: { candidate: "candidate:1 1 udp 1 192.0.2.9 9 typ host", usernameFragment: "old" } });
  await b.peer.receive({ candidate: null });
  assert.deepEqual(b.pc.candidates, []);
  assert.deepEqual(b.errors, []);
});

/** Both restart, and neither has heard the other's offer yet. */
async function crossed() {
  const { a, b, wire } = pair();
  a.peer.start();
  await settle();
  wire.cut = true;
  a.peer.restart();
  b.peer.restart();
  await settle();
  const [fromA, fromB] = [a.said.at(-1), b.said.at(-1)];
  assert.deepEqual([fromA.description.type, fromB.description.type], ["offer", "offer"]);
  wire.cut = false;
  return { a, b, fromA, fromB };
}

test("both offer at once, one is a stranger's client: the polite one gives way, and both end stable", async () => {
  const { a, b, fromA, fromB } = await crossed();
  const { type, sdp } = fromA.description;
  const plain = { description: { type, sdp: sdp.replace(/^a=x-duet.*\r\n/m, "") } };
  await Promise.all([a.peer.receive(fromB), b.peer.receive(plain)]);
  await settle();
  assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["stable", "stable"]);
  assert.deepEqual([a.errors, b.errors], [[], []]);
});

test("both offer at once, both are ours: nothing is rolled back, the polite one says that it has to begin anew", async () => {
  const { a, b, fromA, fromB } = await crossed();
  const collisions = [];
  a.peer.on("collision", () => collisions.push("a"));
  b.peer.on("collision", () => collisions.push("b"));
  await Promise.all([a.peer.receive(fromB), b.peer.receive(fromA)]);
  await settle();
  assert.deepEqual(collisions, ["b"]);
  assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["have-local-offer", "have-local-offer"]);
  assert.deepEqual([a.errors, b.errors], [[], []]);
});

test("an ICE restart renews the credentials at both ends", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  const before = [a.pc.localDescription.sdp, b.pc.localDescription.sdp].map((sdp) => /ice-ufrag:(\S+)/.exec(sdp)[1]);
  b.peer.restart();
  await settle();
  const after = [a.pc.localDescription.sdp, b.pc.localDescription.sdp].map((sdp) => /ice-ufrag:(\S+)/.exec(sdp)[1]);
  assert.notEqual(after[0], before[0]);
  assert.notEqual(after[1], before[1]);
});

test("an answer to an offer that was replaced is not believed", async () => {
  const { a, b, wire } = pair();
  a.peer.start();
  await settle();
  const old = description(b.said, "answer");
  wire.cut = true;
  a.peer.restart();
  await settle();
  await a.peer.receive({ description: old });
  assert.equal(a.pc.signalingState, "have-local-offer");
  wire.cut = false;
  await b.peer.receive({ description: description(a.said, "offer") });
  await settle();
  assert.equal(a.pc.signalingState, "stable");
});

test("an answer of a stranger's client, without our line, is believed", async () => {
  const { a, b, wire } = pair();
  wire.cut = true;
  a.peer.start();
  await settle();
  await b.peer.receive({ description: description(a.said, "offer") });
  const { type, sdp } = description(b.said, "answer");
  await a.peer.receive({ description: { type, sdp: sdp.replace(/^a=x-duet.*\r\n/m, "") } });
  assert.equal(a.pc.signalingState, "stable");
});

test("an answer that nobody waits for changes nothing", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  await a.peer.receive({ description: description(b.said, "answer") });
  assert.equal(a.pc.signalingState, "stable");
  assert.deepEqual(a.errors, []);
});

test("a restart repeats an offer whose answer never came", async () => {
  const { a, wire } = pair();
  wire.cut = true;
  a.peer.start();
  await settle();
  a.peer.restart();
  await settle();
  assert.deepEqual(kinds(a.said), ["offer", "offer"]);
});

test("another connection's offer is told from a renegotiation", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  a.peer.restart();
  await settle();
  assert.equal(b.peer.isStranger(description(a.said, "offer")), false);
  const other = make();
  other.peer.start();
  await settle();
  assert.equal(b.peer.isStranger(description(other.said, "offer")), true);
});

test("a track is replaced without negotiation, also before there is one", async () => {
  const { a, b } = pair();
  const later = track("video");
  await b.peer.setTrack("video", later);
  a.peer.start();
  await settle();
  assert.equal(b.pc.getTransceivers()[1].sender.track, later);
  await b.peer.setTrack("video", null);
  assert.equal(b.pc.getTransceivers()[1].sender.track, null);
  assert.deepEqual(kinds(a.said), ["offer"]);
});

test("the video encoder stops while there is no track, also when the browser refuses at first", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  const { sender } = b.pc.getTransceivers()[1];
  sender.refusals = 2;
  await b.peer.setTrack("video", null);
  assert.deepEqual(sender.encodings, [{ active: false }]);
  await b.peer.setTrack("video", track("video"));
  assert.deepEqual(sender.encodings, [{ active: true }]);
  sender.refusals = 3;
  await b.peer.setTrack("video", null);
  assert.equal(b.errors.length, 1);
});

test("a leg without a track still has its line, ready for one", async () => {
  const { a, b } = pair();
  await a.peer.setTrack("video", null);
  a.peer.start();
  await settle();
  assert.deepEqual(b.pc.getTransceivers().map((t) => t.kind), ["audio", "video"]);
});

test("a description that the browser refuses is told, and the next one is heard", async () => {
  const { a, b } = pair();
  const refusing = b.pc.setRemoteDescription;
  b.pc.setRemoteDescription = async () => {
    throw new Error("no");
  };
  a.peer.start();
  await settle();
  assert.equal(b.errors.length, 1);
  b.pc.setRemoteDescription = refusing;
  await b.peer.receive({ description: description(a.said, "offer") });
  await settle();
  assert.equal(a.pc.signalingState, "stable");
});

for (const [connection, ice, want] of [
  ["new", "new", "new"],
  ["connecting", "checking", "connecting"],
  ["connected", "connected", "connected"],
  ["connected", "disconnected", "disconnected"],
  ["failed", "disconnected", "failed"],
  ["connected", "failed", "failed"],
]) {
  test(`state of ${connection} and ICE ${ice} is ${want}`, () => {
    const { peer, pc } = make();
    pc.become(connection, ice);
    assert.equal(peer.state, want);
  });
}

test("the counterpart's TURN addresses are known from candidates and descriptions", async () => {
  const { a, b } = pair();
  a.peer.start();
  await settle();
  a.pc.gather("candidate:7 1 udp 1 198.51.100.7 49160 typ relay raddr 192.0.2.1 rport 5000");
  await settle();
  assert.deepEqual([...b.peer.relayedAddresses], ["198.51.100.7 49160"]);
});

test("a closed peer is silent and deaf", async () => {
  const { peer, said, pc } = make();
  peer.start();
  peer.close();
  await settle();
  pc.gather();
  await peer.receive({ candidate: null });
  peer.restart();
  assert.deepEqual(said, []);
  assert.equal(peer.state, "closed");
});

/** What the first description of another that has this video section becomes, and the second. */
async function heard(video, known) {
  const { peer, pc } = make({ known: () => known });
  const sdp = (version) => `v=0\r\no=- 1 ${version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF ${video}a=ice-ufrag:u\r\n`;
  const got = [];
  for (const version of [1, 2]) {
    await peer.receive({ description: { type: "offer", sdp: sdp(version) } });
    got.push(pc.remoteDescription.sdp.slice(sdp(version).indexOf("SAVPF") + 6).replace("a=ice-ufrag:u\r\n", ""));
  }
  return got;
}

for (const [name, video, known, want] of [
  ["a codec without parameters", "96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n", 1234.5,
    "96 97\r\na=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=1234\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"],
  ["a codec with parameters, and much bandwidth", "45\r\na=rtpmap:45 AV1/90000\r\na=fmtp:45 profile=0\r\n", 90_000,
    "45\r\na=rtpmap:45 AV1/90000\r\na=fmtp:45 profile=0;x-google-start-bitrate=2000\r\n"],
  ["so little that another path may well take more", "96\r\na=rtpmap:96 VP8/90000\r\n", 120, "96\r\na=rtpmap:96 VP8/90000\r\n"],
  ["nothing known", "96\r\na=rtpmap:96 VP8/90000\r\n", 0, "96\r\na=rtpmap:96 VP8/90000\r\n"],
]) {
  test(`a new connection begins with the rate that is known: ${name}`, async () => {
    assert.deepEqual(await heard(video, known), [want, video], "and only its beginning");
  });
}
