// diagnosis.test.js: what a failed attempt shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Findings } from "../static/diagnosis.js";
import { Peer } from "../static/peer.js";
import { fakeWebRTC } from "./fakes.js";

const HOST4 = "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host generation 0";
const HOST6 = "candidate:2 1 udp 2122260223 2001:db8::1 50000 typ host generation 0";
const HIDDEN = "candidate:3 1 tcp 2122260223 5b7a1f3c-1111-4222-8333-444455556666.local 9 typ host tcptype active generation 0";
const SRFLX = "candidate:4 1 udp 1686052607 203.0.113.1 50000 typ srflx raddr 192.0.2.1 rport 50000";

test("each kind, protocol and family is told once", () => {
  const findings = new Findings();
  for (const line of [HOST4, HOST4, HIDDEN, SRFLX]) findings.own(line);
  findings.other(HOST6);
  findings.blocked({ url: "turn:s:3478?transport=udp", code: 701 });
  assert.deepEqual(findings.tell("silent"), {
    candidates: ["host", "srflx"], protocols: ["udp", "tcp"], families: ["ip4", "hidden"], theirFamilies: ["ip6"], answered: true,
    blocked: [{ url: "turn:s:3478?transport=udp", code: 701 }], relay: "silent",
  });
});

test("a whole description is read for its addresses", () => {
  const findings = new Findings();
  findings.other(`v=0\r\na=${HOST4}\r\na=${HOST6}\r\n`);
  assert.deepEqual(findings.tell("").theirFamilies, ["ip4", "ip6"]);
});

const TURN = "candidate:5 1 udp 41885439 198.51.100.1 49200 typ relay raddr 203.0.113.1 rport 50000";
const URLS = ["stun:s:3478", "turn:s:3478?transport=udp", "turn:s:3478?transport=tcp", "turns:s:443?transport=tcp"];
for (const [name, own, waiting, silent] of [
  ["nobody answered", [[HOST4]], URLS, URLS],
  ["STUN answered", [[HOST4], [SRFLX]], URLS, URLS.slice(1)],
  ["TURN answered over TCP, by the name that the browser has for it", [[HOST4], [TURN, "turn:192.0.2.99:3478?transport=tcp"]], URLS, [URLS[0], URLS[1], URLS[3]]],
  ["a browser does not say which TURN answered", [[HOST4], [TURN]], URLS, [URLS[0]]],
  ["gathering is complete", [[HOST4]], [], []],
]) {
  test(`who has not answered when ${name}`, () => {
    const findings = new Findings();
    for (const [line, url] of own) findings.own(line, url);
    assert.deepEqual(findings.tell("", waiting).blocked, silent.map((url) => ({ url, code: 701 })));
  });
}

test("what the browser has said of a server is not said again", () => {
  const findings = new Findings();
  findings.blocked({ url: "turn:192.0.2.99:3478?transport=udp", code: 401 });
  assert.deepEqual(findings.tell("", URLS.slice(0, 2)).blocked.map(({ code }) => code), [401, 701]);
});

test("what is kept is bounded, and the same thing is kept once", () => {
  const findings = new Findings();
  for (let i = 0; i < 100; i++) findings.blocked({ url: `turn:s:${i >> 1}`, code: 701 });
  assert.equal(findings.tell("").blocked.length, 16);
});

// The old search took seconds for each of these, and a counterpart may send a hundred a second.
test("64 KiB that are made to be searched cost as little as any", { timeout: 20_000 }, () => {
  const findings = new Findings();
  const peer = new Peer({ polite: false, config: () => ({}), tracks: { audio: null, video: null }, RTCPeerConnection: fakeWebRTC().FakePeerConnection });
  const texts = ["candidate:", "candidate:1 1 udp 1 1.2.3.4 5 typ ", "a=candidate:x x x x ", "candidate:\n", "o=x ", "a=fingerprint:", "m=video ", "\r\nm=audio 9 X 1\r\na=rtcp-fb:"].map((piece) => piece.repeat(65_536 / piece.length));
  for (let i = 0; i < 50; i++) {
    for (const text of texts) {
      findings.other(text);
      findings.own(text);
      peer.isStranger({ type: "offer", sdp: text });
    }
  }
  for (const sdp of texts) void peer.receive({ description: { type: "offer", sdp } });
  peer.close();
});

test("a line that is too long is no candidate", () => {
  const findings = new Findings();
  findings.other(`v=0\r\na=${HOST4} ${"x".repeat(2_000)}\r\na=${HOST6}\r\n`);
  assert.deepEqual(findings.tell("").theirFamilies, ["ip6"]);
});

test("codes are what a server takes: Firefox's for a 5xx, and what is no code", () => {
  const findings = new Findings();
  for (const [i, code] of [65_535, 508, -1, NaN, 1e9].entries()) findings.blocked({ url: `turn:s:${i}`, code });
  assert.deepEqual(findings.tell("").blocked.map(({ code }) => code), [65_535, 508, 65_535, 65_535, 65_535]);
});

test("junk is no candidate", () => {
  const findings = new Findings();
  for (const junk of ["", "candidate:", "candidate:1 1 udp", "a=b"]) findings.own(junk);
  assert.deepEqual(findings.tell("").candidates, []);
});
