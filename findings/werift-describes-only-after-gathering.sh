#!/usr/bin/env bash
# werift 0.25.2 does not trickle its own description: setLocalDescription resolves only when gathering has ended. W3C
# WebRTC (4.4.1.5) resolves it when the description is applied, and gathers afterwards. Its candidates do come as events
# at once. So an application that sends its offer behind `await setLocalDescription(offer)`, as pages do, sends it
# seconds late where a STUN server is silent.
# Seen, with a STUN server on loopback that never answers: candidates after 15 ms, resolved after 5021 ms, with all of
# them in the description.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund werift@0.25.2
cat >try.mjs <<'END'
import dgram from "node:dgram";
import { RTCPeerConnection } from "werift";

const silent = dgram.createSocket("udp4");
await new Promise((bound) => silent.bind(0, "127.0.0.1", bound));
const pc = new RTCPeerConnection({ iceServers: [{ urls: `stun:127.0.0.1:${silent.address().port}` }] });
pc.createDataChannel("data");
let told = 0;
let before = 0;
pc.onIceCandidate.subscribe((candidate) => candidate && told++);
const offer = await pc.createOffer();
const start = Date.now();
let resolved = false;
setTimeout(() => (before = resolved ? 0 : told), 2000);
await pc.setLocalDescription(offer);
resolved = true;
const took = Date.now() - start;
const described = (pc.localDescription.sdp.match(/^a=candidate:/gm) ?? []).length;
console.log(`candidates told within 2 s, before it resolved: ${before}`);
console.log(`resolved after ${took} ms with ${described} candidates in the description`);
console.log(took > 3000 && before > 0 && described > 0 ? "waits for gathering" : "does not wait");
await pc.close();
silent.close();
process.exit(0);
END
node try.mjs | tee seen
grep -qx 'waits for gathering' seen || { echo "this has changed"; exit 1; }
