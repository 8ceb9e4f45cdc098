#!/usr/bin/env bash
# Firefox ESR 153.8.0: a <video> whose MediaStream gets a second video track, and then loses the first, stands still on
# the first one's last picture; the second is never shown, though it is live, unmuted and decoded. When the first is
# removed before the second is added, in the same task, the second is shown. So a page that moves a call to another
# RTCPeerConnection "without a gap", by adding the new track first, stops the picture.
# Seen, with two connections within one page and a canvas as their source: pictures in two seconds,
# before: 20 · added first: 1 · removed first: 20
# Needs Debian's firefox-esr.
set -eu
command -v firefox-esr >/dev/null || { echo "install firefox-esr first"; exit 2; }
firefox-esr --version
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ws@8.18.3
cat >page.js <<'END'
async (order) => {
	const pause = (ms) => new Promise((done) => setTimeout(done, ms));
	const canvas = document.createElement("canvas");
	const drawing = canvas.getContext("2d");
	let hue = 0;
	const timer = setInterval(() => {
		drawing.fillStyle = `hsl(${(hue += 7)}, 80%, 50%)`;
		drawing.fillRect(0, 0, canvas.width, canvas.height);
	}, 50);
	const source = canvas.captureStream();
	/** A video track that has come over a connection of its own. */
	async function received() {
		const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
		from.onicecandidate = ({ candidate }) => to.addIceCandidate(candidate);
		to.onicecandidate = ({ candidate }) => from.addIceCandidate(candidate);
		from.addTrack(source.getVideoTracks()[0], source);
		await from.setLocalDescription();
		await to.setRemoteDescription(from.localDescription);
		await to.setLocalDescription();
		await from.setRemoteDescription(to.localDescription);
		while (to.connectionState !== "connected") await pause(20);
		return to.getReceivers()[0].track;
	}
	const video = document.createElement("video");
	video.muted = true;
	document.body.append(video);
	const small = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
	/** How many different pictures the element shows in two seconds. */
	async function shown() {
		const seen = new Set();
		for (let i = 0; i < 20; i++) {
			small.drawImage(video, 0, 0, 1, 1);
			seen.add(small.getImageData(0, 0, 1, 1).data.join());
			await pause(100);
		}
		return seen.size;
	}
	const first = await received();
	const stream = new MediaStream([first]);
	video.srcObject = stream;
	await video.play();
	await pause(1000);
	const before = await shown();
	const second = await received();
	await pause(1000);
	if (order === "removed first") stream.removeTrack(first);
	stream.addTrack(second);
	if (order === "added first") stream.removeTrack(first);
	await video.play();
	await pause(500);
	const after = await shown();
	clearInterval(timer);
	return { before, after, live: second.readyState === "live" && !second.muted };
}
END
cat >try.mjs <<'END'
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import WebSocket from "ws";

const server = http.createServer((_, response) => response.end("<!doctype html><title>tracks</title>"));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
mkdirSync("profile");
writeFileSync("profile/user.js", 'user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);\nuser_pref("media.peerconnection.ice.loopback", true);\n');
const browser = spawn("firefox-esr", ["--headless", "--no-remote", "--profile", "profile", "--remote-debugging-port", "0", "about:blank"], { env: { ...process.env, HOME: process.cwd() } });
const address = await new Promise((found) => {
	let told = "";
	browser.stderr.on("data", (text) => {
		told += text;
		const line = told.match(/BiDi listening on (\S+)/);
		if (line) found(line[1]);
	});
});
const socket = new WebSocket(`${address}/session`);
await new Promise((open) => socket.on("open", open));
let count = 0;
const ask = (method, params) => new Promise((answer, fail) => {
	const id = ++count;
	socket.on("message", function hear(text) {
		const message = JSON.parse(text);
		if (message.id !== id) return;
		socket.off("message", hear);
		if (message.type === "error") fail(new Error(message.message));
		else answer(message.result);
	});
	socket.send(JSON.stringify({ id, method, params }));
});
try {
	await ask("session.new", { capabilities: {} });
	const { context } = await ask("browsingContext.create", { type: "tab" });
	await ask("browsingContext.navigate", { context, url: `http://127.0.0.1:${server.address().port}/`, wait: "complete" });
	for (const order of ["added first", "removed first"]) {
		const expression = `(${readFileSync("page.js", "utf8")})(${JSON.stringify(order)}).then(JSON.stringify)`;
		const { result, exceptionDetails } = await ask("script.evaluate", { expression, target: { context }, awaitPromise: true });
		if (exceptionDetails) throw new Error(exceptionDetails.text);
		const { before, after, live } = JSON.parse(result.value);
		console.log(`${order}: ${before > 10 ? "moves" : "stands still"}, then ${after > 10 ? "moves" : "stands still"} (${before} and ${after} pictures), the second is ${live ? "live" : "not live"}`);
	}
} finally {
	browser.kill("SIGKILL");
}
process.exit(0);
END
timeout 120 node try.mjs | tee seen
grep -q '^added first: moves, then stands still .* is live$' seen && grep -q '^removed first: moves, then moves .* is live$' seen ||
	{ echo "this has changed"; exit 1; }
