// A robot in Node: it calls somebody, or answers whoever calls, with a tone and a still picture. README.md has more.
import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, RtpPacket } from "werift";
import WebSocket from "ws";

// 20 ms of 400 Hz in Opus, and a blue key frame of VP8 behind the one byte of its payload header.
const tone = Buffer.from("+LvtelxK5ak5/xnrfWNEKciqNPwIwDhthNHtAvdcInzbA1HrPcXzuQ==", "base64");
const picture = Buffer.from("ENACAJ0BKkAAMAADhwiFhYiZhIgTggJ08ma6NHm/FnfA/vPfZ/7Kx//pWP/9Kx+8F1VT19+g", "base64");

const [url, name, ...rest] = process.argv.slice(2);
const relays = rest[0] === "-relay"; // it wants the relay
const whom = rest[relays ? 1 : 0];

// The connection to the other party, "", and the one to the server, "relay", while there is use for them.
const pcs = { "": null, relay: null };
let theirs; // the key of the other party's connection
const early = { "": [], relay: [] }; // candidates whose description has not come
const came = { audio: 0, video: 0 }; // packets
let iceServers = [];

const ws = new WebSocket(url);
const send = (message) => ws.send(JSON.stringify(message));
const sound = new MediaStreamTrack({ kind: "audio" });
const film = new MediaStreamTrack({ kind: "video" });

// The connections that are of no more use after a message.
const ends = { relayReady: [""], relayStop: ["relay"], relayFailed: ["relay"], callEnded: ["", "relay"] };
const keyOf = ({ sdp }) => /a=fingerprint:(.*)/.exec(sdp)[1];
// werift wants one URL for each server.
const single = (servers) => servers.flatMap(({ urls, ...rest }) => [urls].flat().map((urls) => ({ urls, ...rest })));

function connect(to) {
  const pc = new RTCPeerConnection({
    iceServers: to === "" ? single(iceServers) : [],
    codecs: {
      audio: [new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48000, channels: 2 })],
      video: [new RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90000, rtcpFeedback: [{ type: "nack", parameter: "pli" }] })],
    },
  });
  pcs[to] = pc;
  pc.addTransceiver(sound, { direction: "sendrecv" });
  pc.addTransceiver(film, { direction: "sendrecv" });
  pc.onicecandidate = ({ candidate }) => candidate && send({ type: "iceCandidate", target: to, candidate: candidate.toJSON() });
  pc.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(() => came[track.kind]++));
  return pc;
}

async function offer(to) {
  const pc = connect(to);
  await pc.setLocalDescription(await pc.createOffer());
  send({ type: "offer", target: to, offer: { type: "offer", sdp: pc.localDescription.sdp } });
}

async function drop(to) {
  await pcs[to]?.close();
  pcs[to] = null;
}

async function on(m) {
  const from = m.senderId === "relay" ? "relay" : "";
  switch (m.type) {
    case "welcome":
      ({ iceServers } = m);
      if (whom) send({ type: "call", target: whom });
      break;
    case "incomingCall":
      send({ type: "callResponse", accepted: true });
      break;
    case "callAnswered":
      if (m.accepted && relays) send({ type: "relayRequest", reason: "user" });
      else if (m.accepted) await offer("");
      break;
    case "offer": { // the first, or a later one: for the same connection, unless its key is another
      if (theirs !== (theirs = keyOf(m.offer))) await drop("");
      const pc = pcs[""] ?? connect("");
      await pc.setRemoteDescription(m.offer);
      await pc.setLocalDescription(await pc.createAnswer());
      send({ type: "answer", answer: { type: "answer", sdp: pc.localDescription.sdp } });
      break;
    }
    case "answer":
      if (from === "") theirs = keyOf(m.answer);
      await pcs[from]?.setRemoteDescription(m.answer);
      break;
    case "iceCandidate":
      if (m.candidate) early[from].push(m.candidate);
      break;
    case "relayStart":
      if (relays) await drop("relay").then(() => offer("relay"));
      break;
    case "callEnded":
      [early[""], early.relay] = [[], []];
  }
  for (const to of ends[m.type] ?? []) await drop(to);
  if (pcs[from]?.remoteDescription) for (const c of early[from].splice(0)) await pcs[from].addIceCandidate(c);
  if (m.reason || m.type === "error") console.log(m.type, m.reason ?? "", m.message ?? "");
}

// One message after another: what comes while an offer is being answered waits.
let last = Promise.resolve();
ws.on("open", () => send({ type: "join", username: name, features: relays ? ["call-state"] : [] })); // who takes part in relaying
ws.on("message", (data) => (last = last.then(() => on(JSON.parse(data))).catch((e) => console.error(e.message))));
ws.on("close", () => process.exit(1));

// play sends one thing again and again; werift puts in SSRC, payload type and the rest.
function play(track, payload, ms, clock) {
  let n = 0;
  setInterval(() => {
    const header = new RtpHeader({ sequenceNumber: n & 0xffff, timestamp: (n * ms * clock) >>> 0, marker: true });
    n++;
    track.writeRtp(new RtpPacket(header, payload));
  }, ms);
}
play(sound, tone, 20, 48);
play(film, picture, 100, 90);
setInterval(() => console.log("packets of sound and pictures:", came.audio, came.video), 1000);
