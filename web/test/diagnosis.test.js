// diagnosis.test.js: what a failed attempt shows, and what is made of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Findings, judge } from "../static/diagnosis.js";

const URLS = ["stun:s:3478", "turn:s:3478?transport=udp", "turn:s:3478?transport=tcp", "turns:s:443"];
const HOST4 = "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host generation 0";
const HOST6 = "candidate:2 1 udp 2122260223 2001:db8::1 50000 typ host generation 0";
const HIDDEN = "candidate:3 1 udp 2122260223 5b7a1f3c-1111-4222-8333-444455556666.local 50000 typ host generation 0";
const SRFLX = "candidate:4 1 udp 1686052607 203.0.113.1 50000 typ srflx raddr 192.0.2.1 rport 50000";
const RELAY = "candidate:5 1 udp 41885439 198.51.100.1 49200 typ relay raddr 203.0.113.1 rport 50000";

/** @param {{own?: string[], other?: string[], blocked?: [string, number][], relay?: string}} seen */
function verdict({ own = [], other = [], blocked = [], relay = "" }) {
  const findings = new Findings();
  for (const line of own) findings.own(line);
  for (const text of other) findings.other(text);
  for (const [url, code] of blocked) findings.blocked({ url, code });
  return judge(findings.tell(relay), URLS);
}

for (const [name, seen, want] of [
  ["no candidate at all", {}, "browser-blocked"],
  ["TURN refused the credentials", { own: [HOST4, SRFLX], other: [HOST4], blocked: [[URLS[1], 401]] }, "credentials-refused"],
  ["the other side never said anything", { own: [HOST4, SRFLX, RELAY] }, "peer-gone"],
  ["IPv4 here, IPv6 there", { own: [HOST4, SRFLX], other: [HOST6] }, "ip-mismatch"],
  ["IPv4 here, IPv6 there, but a TURN between", { own: [HOST4, SRFLX, RELAY], other: [HOST6] }, "unknown"],
  ["hidden addresses say nothing of their family", { own: [HIDDEN, SRFLX], other: [HOST6] }, "unknown"],
  ["no server answered", { own: [HOST4], other: [HOST4], blocked: [[URLS[1], 701], [URLS[2], 701]] }, "turn-unreachable"],
  ["only TURN over TCP answered", { own: [HOST4, RELAY], other: [HOST4], blocked: [[URLS[0], 701], [URLS[1], 701]] }, "no-udp"],
  ["the relay was started and its leg never came up", { own: [HOST4, SRFLX, RELAY], other: [HOST4], relay: "silent" }, "relay-firewalled"],
  ["nothing that explains it", { own: [HOST4, SRFLX, RELAY], other: [HOST4] }, "unknown"],
]) {
  test(name, () => assert.equal(verdict(seen), want));
}

test("a whole description is read for its addresses", () => {
  const findings = new Findings();
  findings.other(`v=0\r\na=${HOST4}\r\na=${HOST6}\r\n`);
  assert.deepEqual(findings.tell("").theirFamilies, ["ip4", "ip6"]);
});

test("what is kept is bounded, and the same thing is kept once", () => {
  const findings = new Findings();
  for (let i = 0; i < 100; i++) findings.blocked({ url: `turn:s:${i >> 1}`, code: 701 });
  assert.equal(findings.tell("").blocked.length, 16);
});

test("junk is no candidate", () => {
  const findings = new Findings();
  for (const junk of ["", "candidate:", "candidate:1 1 udp", "a=b"]) findings.own(junk);
  assert.deepEqual(findings.tell("").candidates, []);
});
