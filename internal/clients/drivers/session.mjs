// What every client in JavaScript does alike, in Node and in browsers: the twelve messages, the relay's, and the lines to and
// from the test (doc.go). A client's own file says how its library makes a connection.

/** serversFor is what a path leaves of welcome's list: one URL of one kind. */
export function serversFor(list, path) {
  const wanted = { udp: /^turn:.*transport=udp/, tcp: /^turn:.*transport=tcp/, tls: /^turns:/ }[path];
  return list.flatMap((s) => {
    const urls = [s.urls].flat().filter((u) => wanted?.test(u)).slice(0, 1);
    return urls.length ? [{ ...s, urls }] : [];
  });
}

const keyOf = (sdp) => /a=fingerprint:(\S+ \S+)/.exec(sdp)?.[1];

/**
 * drive joins and does what the test's lines say. connect makes a connection: it is given {servers, relayOnly, media, muted,
 * came, candidate(init)}, and what it returns has offer(), answer(sdp), answered(sdp), candidate(init), state() and close(),
 * each of which may be async but state. Returned is what takes a line.
 */
export function drive(connect, { url, name, options, WebSocket, say }) {
  const status = { joined: false, call: "none", ended: "", error: "", peer: { audio: true, video: true } };
  const came = { audio: 0, video: 0, data: 0 };
  const muted = { audio: options.media === "receive", video: options.media === "receive" };
  const pcs = { "": null, relay: null };
  const early = { "": [], relay: [] }; // candidates that came before the description that they belong to
  let theirs; // the key of the other side's connection
  let servers = [];
  let last = Promise.resolve();

  let ws;
  const send = (m) => ws.send(JSON.stringify(m));
  const open = (to) =>
    (pcs[to] = connect({
      servers: to ? [] : serversFor(servers, options.path), relayOnly: !to && options.path !== "direct", media: options.media, muted, came,
      candidate: (c) => pcs[to] && send({ type: "iceCandidate", target: to, candidate: c }),
    }));
  const offer = async (to) => send({ type: "offer", target: to, offer: { type: "offer", sdp: await open(to).offer() } });
  const drop = async (...all) => {
    for (const to of all) {
      const pc = pcs[to];
      pcs[to] = null;
      await pc?.close();
    }
  };
  const over = (reason) => {
    Object.assign(status, { call: "none", ended: reason });
    return drop("", "relay");
  };
  const begin = async () => {
    await drop("", "relay");
    early[""] = [];
    early.relay = [];
    Object.assign(status, { call: "accepted", ended: "", peer: { audio: true, video: true } });
  };
  const from = (m) => (m.senderId === "relay" ? "relay" : "");
  const described = async (to) => {
    pcs[to].described = true;
    for (const c of early[to].splice(0)) await pcs[to].candidate(c);
  };
  const on = {
    welcome(m) {
      servers = m.iceServers;
      status.joined = true;
    },
    async incomingCall() {
      await begin();
      send({ type: "callResponse", accepted: true });
    },
    async callAnswered(m) {
      if (!m.accepted) return over(m.reason);
      await begin();
      if (!options.relay) await offer(""); // else relayStart comes
    },
    async offer(m) {
      if (pcs[""] && theirs !== keyOf(m.offer.sdp)) await drop(""); // it begins anew
      theirs = keyOf(m.offer.sdp);
      send({ type: "answer", answer: { type: "answer", sdp: await (pcs[""] ?? open("")).answer(m.offer.sdp) } });
      await described("");
    },
    async answer(m) {
      const to = from(m);
      if (to === "") theirs = keyOf(m.answer.sdp);
      if (!pcs[to]) return;
      await pcs[to].answered(m.answer.sdp);
      await described(to);
    },
    iceCandidate(m) {
      const to = from(m);
      if (!m.candidate?.candidate) return;
      if (pcs[to]?.described) return pcs[to].candidate(m.candidate);
      early[to].push(m.candidate);
    },
    mediaStateChange: (m) => void (status.peer = { audio: m.audio, video: m.video }),
    callEnded: (m) => over(m.reason),
    async relayStart() {
      if (!options.relay) return;
      await drop("relay");
      await offer("relay");
    },
    relayReady: () => drop(""),
    relayStop: () => drop("relay"),
    relayFailed: () => drop("relay"),
    error: (m) => void (status.error = `${m.request} ${m.code} ${m.message}`),
  };
  const mute = (kind, on) => {
    muted[kind] = on;
    send({ type: "mediaStateChange", mediaType: kind, enabled: !on });
  };
  const commands = {
    call: (target) => send({ type: "call", target }),
    end() {
      send({ type: "endCall" });
      return over("own");
    },
    mute: (kind) => mute(kind, true),
    unmute: (kind) => mute(kind, false),
  };
  // One thing after another: what comes while an offer is being answered waits.
  const next = (work) => (last = last.then(work).catch((e) => void (status.error = String(e?.message ?? e))));
  // A lost connection is lost with its call; the next one joins anew.
  const dial = () => {
    ws = new WebSocket(url);
    ws.onopen = () => send({ type: "join", username: name, features: options.relay ? ["call-state"] : [] });
    ws.onerror = () => {};
    ws.onclose = () => {
      status.joined = false;
      next(() => over("lost"));
      setTimeout(dial, 500);
    };
    ws.onmessage = ({ data }) => {
      const m = JSON.parse(data);
      next(() => on[m.type]?.(m));
    };
  };
  dial();
  setInterval(() => say(JSON.stringify({ ...status, ...came, state: (pcs[""] ?? pcs.relay)?.state() ?? "none" })), 100);
  return (line) => {
    const [command, ...args] = line.split(" ");
    next(() => commands[command](...args));
  };
}
