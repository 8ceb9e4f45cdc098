// A usual signaling server, to compare with: `ws`, the twelve messages of plain clients, maps of users and calls, and
// nothing else: no session that outlives its socket, no status in the list, no limits. A list goes to everybody when
// somebody comes or goes, at most every 250 ms. It says welcome, so that the load generator learns its id.
import { WebSocketServer } from "ws";

const users = new Map(); // id -> {id, username, ws, peer}
let listing = null;
let next = 0;

const send = (user, message) => user?.ws.send(JSON.stringify(message));

function list() {
  listing ??= setTimeout(() => {
    listing = null;
    const text = JSON.stringify({ type: "userList", users: [...users.values()].map(({ id, username }) => ({ id, username })) });
    for (const user of users.values()) user.ws.send(text);
  }, 250);
}

const find = (target) => users.get(target) ?? [...users.values()].find((user) => user.username === target);

function part(user) {
  const peer = user.peer;
  if (!peer) return;
  user.peer = peer.peer = null;
  send(peer, { type: "callEnded", caller: user.username, callerId: user.id, reason: "hangup" });
}

const handlers = {
  join(user, { username }) {
    user.id = `u_${next++}`;
    user.username = username;
    users.set(user.id, user);
    send(user, { type: "welcome", id: user.id, username });
    list();
  },
  call(user, { target, media }) {
    const peer = find(target);
    if (!peer || peer.peer || user.peer) return send(user, { type: "callAnswered", accepted: false, reason: "busy" });
    user.peer = peer;
    peer.peer = user;
    send(peer, { type: "incomingCall", caller: user.username, callerId: user.id, media });
  },
  callResponse(user, { accepted }) {
    send(user.peer, { type: "callAnswered", accepted, callee: user.username, calleeId: user.id });
    if (!accepted) part(user);
  },
  offer: (user, { offer }) => send(user.peer, { type: "offer", offer, caller: user.username, callerId: user.id }),
  answer: (user, { answer }) => send(user.peer, { type: "answer", answer, sender: user.id }),
  iceCandidate: (user, { candidate }) => send(user.peer, { type: "iceCandidate", candidate, sender: user.id }),
  mediaStateChange: (user, message) => send(user.peer, { ...message, sender: user.id }),
  endCall: part,
};

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.PORT), perMessageDeflate: false, maxPayload: 128 << 10 });
server.on("connection", (ws) => {
  const user = { ws, peer: null };
  ws.on("message", (data) => {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (Object.hasOwn(handlers, message.type) && (user.id || message.type === "join")) handlers[message.type](user, message);
  });
  ws.on("close", () => {
    part(user);
    if (users.delete(user.id)) list();
  });
  ws.on("error", () => ws.terminate());
});
