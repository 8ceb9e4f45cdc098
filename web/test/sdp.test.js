// sdp.test.js: the order of codecs on machines that have one of them in hardware.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../static/peer.js";
import { h264First, prefersH264 } from "../static/sdp.js";
import { fakeWebRTC, settle, track } from "./fakes.js";

const LINES = [
  "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2", "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 106 45",
  "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", "a=rtpmap:102 H264/90000", "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
  "a=rtpmap:103 H264/90000", "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f", "a=rtpmap:106 H264/90000",
  "a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", "a=rtpmap:45 AV1/90000", "",
];
const SDP = LINES.join("\r\n");

test("H.264 comes first in its common form, and everything stays", () => {
  const ordered = h264First(SDP);
  assert.equal(ordered, SDP.replace("96 97 102 103 106 45", "106 96 97 102 103 45"));
  assert.equal(h264First(ordered), ordered);
});

test("without such a codec nothing changes, and junk stays what it is", () => {
  for (const text of [SDP.replace(/42e01f/g, "64001f"), "", "v=0\r\n", "m=video", "x".repeat(1_000), "a=b\r\n\r\n"]) assert.equal(h264First(text), text);
});

for (const [who, agent, want] of [
  ["an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", true],
  ["Chrome on an iPhone, which is Safari inside", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1", true],
  ["Safari on a Mac, as an iPad says it is", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", true],
  ["Chrome on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", false],
  ["Firefox on a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0", false],
  ["Chrome on Android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", false],
]) {
  test(`${who}: ${want ? "H.264 first" : "as the browser likes it"}`, () => assert.equal(prefersH264(agent), want));
}

test("the order holds for what is heard and for what is said", async () => {
  const web = fakeWebRTC();
  const said = [];
  const peer = new Peer({ polite: true, config: () => ({}), tracks: { audio: track("audio"), video: track("video") }, order: h264First, RTCPeerConnection: web.FakePeerConnection });
  peer.on("signal", (signal) => said.push(signal));
  await peer.receive({ description: { type: "offer", sdp: SDP } });
  await settle();
  assert.match(web.newest().remoteDescription.sdp, /^m=video \S+ \S+ 106 96/m);
  const own = new Peer({ polite: false, config: () => ({}), tracks: { audio: null, video: null }, order: (sdp) => `${sdp}ordered`, RTCPeerConnection: web.FakePeerConnection });
  own.on("signal", (signal) => said.push(signal));
  own.start();
  await settle();
  assert.ok(said.at(-1).description.sdp.endsWith("ordered"));
  assert.ok(!web.newest().localDescription.sdp.endsWith("ordered"), "the browser keeps its own");
});
