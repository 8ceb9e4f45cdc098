#!/usr/bin/env bash
# libdatachannel 0.24.5 (node-datachannel 0.33.4) cannot follow an ICE restart: an offer on a running connection whose
# ice-ufrag and ice-pwd are new (RFC 8445, section 9; RFC 8829, section 5.3.1) is refused with an error. The connection
# itself goes on. So a peer that has moved to another address has no way back to such a client but a new connection.
# Seen: open: true · restart: … Invalid ICE settings from remote SDP · still open: true
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node-datachannel@0.33.4
cat >try.mjs <<'END'
import nd from "node-datachannel";

const a = new nd.PeerConnection("a", { iceServers: [] });
const b = new nd.PeerConnection("b", { iceServers: [] });
let offer;
/** Passes on what one end has to say; candidates wait for the description. */
function link(from, to) {
	let waiting = [];
	from.onLocalDescription((sdp, type) => {
		if (type === "offer") offer ??= sdp;
		to.setRemoteDescription(sdp, type);
		for (const candidate of waiting) to.addRemoteCandidate(...candidate);
		waiting = null;
	});
	from.onLocalCandidate((...candidate) => (waiting ? waiting.push(candidate) : to.addRemoteCandidate(...candidate)));
}
link(a, b);
link(b, a);
const channel = a.createDataChannel("data");
for (let i = 0; i < 500 && !channel.isOpen(); i++) await new Promise((next) => setTimeout(next, 20));
console.log("open:", channel.isOpen());
const restart = offer.replace(/a=ice-ufrag:\S+/g, "a=ice-ufrag:abcd").replace(/a=ice-pwd:\S+/g, "a=ice-pwd:abcdefghijklmnopqrstuvwx");
try {
	b.setRemoteDescription(restart, "offer");
	console.log("restart: taken");
} catch (err) {
	console.log("restart:", err.message);
}
console.log("still open:", channel.isOpen());
a.close();
b.close();
nd.cleanup();
END
node try.mjs | tee seen
grep -qx 'open: true' seen && grep -q '^restart: .*Invalid ICE settings' seen && grep -qx 'still open: true' seen ||
	{ echo "this has changed"; exit 1; }
