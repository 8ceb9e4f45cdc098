// world.js: two Paths, a server and a network between them, all played by rules instead of packets: connections whose
// descriptions fit each other carry media while the network lets them.

import { Paths } from "../static/paths.js";
import { advance, fakeWebRTC, now, settle, track } from "./fakes.js";

const STEP = 50;

/** The o= line's session id and the first ICE user name fragment. */
const id = (description) => /^o=\S+ (\S+)/m.exec(description?.sdp ?? "")?.[1];
const ufrag = (description) => /^a=ice-ufrag:(\S+)/m.exec(description?.sdp ?? "")?.[1];

export class World {
  /** What the network lets through. */
  direct = true;
  relay = true;
  turn = false;
  signaling = true;
  /** The relay refuses whoever asks. */
  full = false;
  /** The server's relay. */
  room = false;
  #ready = false;
  #rooms = 0;
  #mode;
  log = [];

  /** @param {{mode?: string}} [options] */
  constructor({ mode = "fallback" } = {}) {
    this.#mode = mode;
    this.sides = ["caller", "callee"].map((role, index) => {
      const web = fakeWebRTC();
      const side = { role, index, web, inbox: [], states: [], waiting: [] };
      this.#page(side);
      return side;
    });
  }

  #page(side) {
    const { role, web } = side;
    const paths = (side.paths = new Paths({
      role, iceServers: [{ urls: "turn:server" }], relay: this.#mode, relayAfterMs: 8_000, tracks: { audio: track("audio"), video: track("video") },
      send: (message) => side.paths === paths && this.#send(side, structuredClone(message)),
      renew: () => (this.signaling ? Promise.resolve() : new Promise((resolve) => side.waiting.push(resolve))),
      RTCPeerConnection: web.FakePeerConnection, now,
    }));
    paths.on("state", (state) => side.states.push(state));
  }

  /** A side's page is loaded anew: what it said is said, what it has not heard waits for the next one. */
  reload(side) {
    side.paths.close();
    for (const pc of side.web.peers) pc.close();
    side.waiting = [];
    this.#page(side);
    side.paths.begin(side.role, { again: true, relayed: this.room });
  }

  begin() {
    for (const { paths, role } of this.sides) paths.begin(role);
    if (this.#mode === "always") this.#startRoom();
  }

  /** @param {number} ms */
  async run(ms) {
    for (let done = 0; done < ms; done += STEP) {
      this.#deliver();
      await settle();
      this.#connect();
      await advance(STEP, STEP);
    }
  }

  /** The server is restarted: its relay is gone, and with it what it had not yet passed on. */
  restart() {
    this.room = this.#ready = false;
    for (const side of this.sides) side.inbox = [];
    for (const side of this.sides) side.paths.restored();
  }

  close() {
    for (const { paths } of this.sides) paths.close();
  }

  /** Connections that are still open at each side. */
  get open() {
    return this.sides.map(({ web }) => web.peers.filter((pc) => !pc.closed).length);
  }

  #other(side) {
    return this.sides[1 - side.index];
  }

  /** What the server does with a client's message. */
  #send(side, message) {
    const other = this.#other(side);
    const sender = { sender: side.role, senderId: "", callId: "c" };
    if (message.target === "relay") {
      if (!this.room) return side.inbox.push({ type: "relayFailed", callId: "c", code: "relay-unavailable", message: "" });
      if (message.type !== "offer") return;
      const answer = { type: "answer", sdp: `v=0\r\no=- relay${this.#rooms} 1 IN IP4 0.0.0.0\r\ns=-\r\n${["audio", "video"].map((kind) => `m=${kind} 9 X 1\r\na=rtcp-fb:96 transport-cc\r\na=ice-ufrag:r${id(message.offer)}\r\n`).join("")}` };
      return side.inbox.push({ type: "answer", answer, ...sender, sender: "relay" });
    }
    switch (message.type) {
      case "offer":
        return other.inbox.push({ type: "offer", offer: message.offer, caller: side.role, callerId: "", callId: "c" });
      case "answer":
      case "iceCandidate":
        return other.inbox.push({ ...message, ...sender });
      case "relayRequest":
        if (this.full) return side.inbox.push({ type: "relayFailed", callId: "c", code: "relay-unavailable", message: "" });
        return this.room || this.#startRoom();
      case "relayStop":
        if (!this.room) return;
        this.room = this.#ready = false;
        return other.inbox.push({ type: "relayStop", callId: "c" });
    }
  }

  #startRoom() {
    this.room = true;
    this.#ready = false;
    this.#rooms++;
    for (const side of this.sides) side.inbox.push({ type: "relayStart", callId: "c", reason: "" });
  }

  #deliver() {
    if (!this.signaling) return;
    for (const side of this.sides) {
      for (const resolve of side.waiting.splice(0)) resolve();
      for (const message of side.inbox.splice(0)) side.paths.receive(message);
    }
  }

  /** Whatever fits and is let through carries media for this step; whatever is not goes bad as ICE would tell it. */
  #connect() {
    const [a, b] = this.sides;
    const carried = new Map(); // by what kind of candidate
    for (const x of a.web.peers) {
      for (const y of b.web.peers) {
        const fits = id(x.localDescription) && id(x.localDescription) === id(y.remoteDescription) && id(y.localDescription) === id(x.remoteDescription);
        const same = ufrag(x.localDescription) === ufrag(y.remoteDescription) && ufrag(y.localDescription) === ufrag(x.remoteDescription);
        const by = this.direct ? "host" : this.turn && [x, y].some((pc) => pc.config.iceServers.length) ? "relay" : "";
        if (fits && same && by && !x.closed && !y.closed) carried.set(x, by).set(y, by);
      }
    }
    const legs = this.sides.map(({ web }) => web.peers.find((pc) => !pc.closed && id(pc.remoteDescription) === `relay${this.#rooms}`));
    if (this.room && this.relay && legs[0] && legs[1]) {
      for (const leg of legs) carried.set(leg, "host");
      if (!this.#ready) {
        this.#ready = true;
        for (const side of this.sides) side.inbox.push({ type: "relayReady", callId: "c" });
      }
    }
    for (const { web } of this.sides) {
      for (const pc of web.peers) {
        if (pc.closed || !pc.remoteDescription) continue;
        pc.dark = carried.has(pc) ? 0 : (pc.dark ?? 0) + STEP;
        if (carried.has(pc)) {
          if (pc.connectionState !== "connected" || pc.iceConnectionState !== "connected") pc.become("connected");
          pc.flow({ local: carried.get(pc) });
        } else if (pc.connectionState === "new") pc.become("connecting", "checking");
        else if (pc.connectionState === "connected" && pc.iceConnectionState === "connected" && pc.dark > 6_000) pc.become("connected", "disconnected");
        else if (pc.connectionState !== "failed" && pc.dark > 15_000) pc.become("failed");
      }
    }
  }
}
