// Users of Socket.IO call one another and one of the plain WebSocket, with the twelve messages each way.
// node call.mjs URL TRANSPORTS [v2]
import { Plain, SocketIO, equal, run } from "./users.mjs";

const [url, list, version = "v4"] = process.argv.slice(2);
const transports = list.split(",");
const sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n";

async function call(a, b) {
  for (const x of [a, b]) {
    await x.next("connect");
    x.send("join", { username: x.name });
  }
  const { users } = await a.next("userList", (m) => m.users.some((u) => u.username === b.name));
  // An old client's id is that of its connection, which is told to nobody unless it is a WebSocket's.
  if (a.id && (version === "v4" || list === "websocket")) equal("own id", users.find((u) => u.username === a.name), { id: a.id });
  a.send("call", { target: b.name, type: "video" });
  equal("incomingCall", await b.next("incomingCall"), { caller: a.name });
  b.send("callResponse", { target: a.name, accepted: true });
  equal("callAnswered", await a.next("callAnswered"), { accepted: true, callee: b.name });
  a.send("offer", { target: b.name, offer: { type: "offer", sdp } });
  equal("offer", await b.next("offer"), { caller: a.name, offer: { type: "offer", sdp } });
  b.send("answer", { target: a.name, answer: { type: "answer", sdp } });
  equal("answer", await a.next("answer"), { sender: b.name, answer: { type: "answer", sdp } });
  for (const [x, y] of [[a, b], [b, a]]) {
    const candidates = [0, 1, 2, 3, 4].map((i) => ({ candidate: `candidate:${i} 1 udp 1 192.0.2.1 ${1000 + i} typ host`, sdpMid: "0", sdpMLineIndex: 0 }));
    for (const candidate of candidates) x.send("iceCandidate", { target: y.name, candidate });
    for (const candidate of candidates) equal("iceCandidate", await y.next("iceCandidate"), { candidate, sender: x.name });
    x.send("mediaStateChange", { mediaType: "video", enabled: false });
    equal("mediaStateChange", await y.next("mediaStateChange"), { mediaType: "video", enabled: false, sender: x.name });
  }
  a.send("offer", { target: 5 });
  equal("error", await a.next("error"), { code: "bad-message", request: "offer" });
  if (a.socket.emitWithAck) await a.socket.timeout(20000).emitWithAck("ping", {}); // an acknowledgement comes
  b.send("endCall", { target: a.name });
  equal("callEnded", await a.next("callEnded"), { caller: b.name, reason: "hangup" });
  a.close();
  b.close();
}

run(async () => {
  const own = (name) => `${name} ${process.pid}`; // others may have been here a moment ago
  const io = (name) => new SocketIO(url, own(name), transports, version);
  await call(io("Ann"), io("Bob"));
  await call(io("Cat"), new Plain(url, own("Dan")));
  await call(new Plain(url, own("Eve")), io("Fay"));
});
