// stats.test.js: numbers out of getStats, and what a flow of them means.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Flow, emptyReading, read } from "../static/stats.js";

const report = (...stats) => new Map(stats.map((stat) => [stat.id, stat]));
const pair = { id: "P", type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", responsesReceived: 3, requestsReceived: 4, currentRoundTripTime: 0.05 };
const transport = { id: "T", type: "transport", selectedCandidatePairId: "P" };
const local = (more) => ({ id: "L", type: "local-candidate", candidateType: "host", protocol: "udp", ...more });
const remote = (more) => ({ id: "R", type: "remote-candidate", candidateType: "host", address: "192.0.2.2", port: 7, ...more });

for (const [name, stats, relayed, want] of [
  ["nothing yet", [], [], { way: null }],
  ["a transport without a pair", [{ id: "T", type: "transport" }], [], { way: null }],
  ["direct", [transport, pair, local(), remote()], [], { way: "direct", candidateType: "host", protocol: "udp", checks: 7, rttMs: 50 }],
  ["our TURN over TLS", [transport, pair, local({ candidateType: "relay", relayProtocol: "tls" }), remote()], [], { way: "turn", candidateType: "relay", protocol: "tls" }],
  ["their TURN", [transport, pair, local(), remote({ candidateType: "relay" })], [], { way: "turn" }],
  ["their TURN, seen before it was signalled", [transport, pair, local(), remote({ candidateType: "prflx" })], ["192.0.2.2 7"], { way: "turn" }],
  ["a peer-reflexive address that is no TURN's", [transport, pair, local(), remote({ candidateType: "prflx" })], ["192.0.2.2 8"], { way: "direct" }],
  ["Firefox, which marks the pair", [{ ...pair, selected: true }, local(), remote()], [], { way: "direct" }],
  ["what may be sent", [transport, { ...pair, availableOutgoingBitrate: 1_500_000 }, local(), remote()], [], { estimate: 1_500 }],
  ["packets", [
    { id: "A", type: "inbound-rtp", kind: "audio", packetsReceived: 5, packetsLost: 1, bytesReceived: 50, jitter: 0.01 },
    { id: "V", type: "inbound-rtp", kind: "video", packetsReceived: 7, framesDecoded: 3, bytesReceived: 70, jitter: 0.02 },
    { id: "O", type: "outbound-rtp", bytesSent: 9 },
  ], [], { packets: 12, audioPackets: 5, lost: 1, frames: 3, bytes: 120, bytesSent: 9, jitterMs: 20 }],
]) {
  test(`a report with ${name}`, () => {
    const got = read(report(...stats), new Set(relayed));
    for (const [key, value] of Object.entries(want)) assert.equal(got[key], value, key);
  });
}

test("a flow knows its first packet, its first frame, its silence and its steadiness", () => {
  const flow = new Flow();
  const at = (now, packets, frames) => flow.update({ ...emptyReading(), packets, frames }, now);
  at(100, 0, 0);
  assert.deepEqual([flow.firstAt, flow.silentFor(5_000)], [0, 0]);
  at(200, 3, 0);
  at(300, 6, 1);
  assert.deepEqual([flow.firstAt, flow.frameAt, flow.steadySince], [200, 300, 200]);
  at(900, 6, 1);
  assert.deepEqual([flow.silentFor(900), flow.steadySince], [0, 200], "one look is not enough, and a short pause is none");
  at(1_000, 6, 1);
  at(1_200, 6, 1);
  at(1_600, 6, 1);
  assert.deepEqual([flow.silentFor(1_600), flow.steadySince], [1_300, 0]);
  at(1_700, 9, 2);
  assert.deepEqual([flow.steadySince, flow.frameAt], [1_700, 300]);
});

test("a summary covers the time since the last one", () => {
  const flow = new Flow();
  flow.update({ ...emptyReading(), packets: 100, bytes: 10_000 }, 1_000);
  flow.summary(1_000);
  flow.update({ ...emptyReading(), packets: 190, lost: 10, bytes: 20_000 }, 2_000);
  assert.deepEqual(flow.summary(2_000), { rttMs: 0, jitterMs: 0, lossPct: 10, bitrateKbps: 80 });
});
