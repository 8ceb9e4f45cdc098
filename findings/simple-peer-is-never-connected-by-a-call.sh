#!/usr/bin/env bash
# simple-peer 9.11.1 (on @roamhq/wrtc 0.10.0) that is called by something else than simple-peer, with media and without
# a data channel, gets the media and never says "connect": that event waits for a data channel, which the side that
# offers has to make. Its `connected` stays false for the whole call, and what an application does on "connect" never
# happens.
# Seen: state connected · events track,stream · connected false
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund simple-peer@9.11.1 @roamhq/wrtc@0.10.0
cat >try.mjs <<'END'
import wrtc from "@roamhq/wrtc";
import Peer from "simple-peer";

const track = new wrtc.nonstandard.RTCAudioSource().createTrack();
const caller = new wrtc.RTCPeerConnection();
caller.addTrack(track, new wrtc.MediaStream([track]));
const called = new Peer({ initiator: false, wrtc });
const events = [];
for (const name of ["connect", "track", "stream", "error", "close"]) called.on(name, () => events.push(name));
called.on("signal", (data) => {
	if (data.type === "answer") caller.setRemoteDescription(data);
	else if (data.candidate) caller.addIceCandidate(data.candidate).catch(() => {});
});
caller.onicecandidate = ({ candidate }) => candidate && called.signal({ type: "candidate", candidate });
await caller.setLocalDescription(await caller.createOffer());
called.signal({ type: "offer", sdp: caller.localDescription.sdp });
for (let i = 0; i < 500 && caller.connectionState !== "connected"; i++) await new Promise((next) => setTimeout(next, 20));
await new Promise((next) => setTimeout(next, 5000)); // a "connect" would follow within this time
console.log("state:", caller.connectionState);
console.log("events:", events.sort().join(","));
console.log("connected:", called.connected);
process.exit(0);
END
node try.mjs | tee seen
grep -qx 'state: connected' seen && grep -qx 'events: stream,track' seen && grep -qx 'connected: false' seen ||
	{ echo "this has changed"; exit 1; }
