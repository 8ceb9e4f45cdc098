// What a usual signaling server does: the twelve messages of plain clients, maps of users and calls, and nothing else: no
// session that outlives its socket, no status in the list, no limits. A list goes to everybody when somebody comes or
// goes, at most every 250 ms. It says welcome, so that the load generator learns its id. A user's send takes a message to
// it, everybody to all.
export function rules(everybody) {
  const users = new Map(); // id -> {id, username, send, peer}
  let listing = null;
  let next = 0;

  const list = () => {
    listing ??= setTimeout(() => {
      listing = null;
      everybody({ type: "userList", users: [...users.values()].map(({ id, username }) => ({ id, username })) });
    }, 250);
  };

  const find = (target) => users.get(target) ?? [...users.values()].find((user) => user.username === target);

  const part = (user) => {
    const peer = user.peer;
    if (!peer) return;
    user.peer = peer.peer = null;
    peer.send({ type: "callEnded", caller: user.username, callerId: user.id, reason: "hangup" });
  };

  const handlers = {
    join(user, { username }) {
      user.id ??= `u_${next++}`;
      user.username = username;
      users.set(user.id, user);
      user.send({ type: "welcome", id: user.id, username });
      list();
    },
    call(user, { target, media }) {
      const peer = find(target);
      if (!peer || peer.peer || user.peer) return user.send({ type: "callAnswered", accepted: false, reason: "busy" });
      user.peer = peer;
      peer.peer = user;
      peer.send({ type: "incomingCall", caller: user.username, callerId: user.id, media });
    },
    callResponse(user, { accepted }) {
      user.peer?.send({ type: "callAnswered", accepted, callee: user.username, calleeId: user.id });
      if (!accepted) part(user);
    },
    offer: (user, { offer }) => user.peer?.send({ type: "offer", offer, caller: user.username, callerId: user.id }),
    answer: (user, { answer }) => user.peer?.send({ type: "answer", answer, sender: user.id }),
    iceCandidate: (user, { candidate }) => user.peer?.send({ type: "iceCandidate", candidate, sender: user.id }),
    mediaStateChange: (user, message) => user.peer?.send({ ...message, type: "mediaStateChange", sender: user.id }),
    endCall: part,
  };

  return {
    types: Object.keys(handlers),
    received(user, type, message) {
      if (Object.hasOwn(handlers, type) && (users.has(user.id) || type === "join")) handlers[type](user, message);
    },
    gone(user) {
      part(user);
      if (users.delete(user.id)) list();
    },
    users,
  };
}
