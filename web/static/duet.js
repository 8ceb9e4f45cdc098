// duet.js: the client library's front door: Duet is a user who is here; call.js is one call of theirs.

import { Call } from "./call.js";
import { Emitter } from "./emitter.js";
import { Roster } from "./roster.js";
import { Socket } from "./socket.js";

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Role} Role */
/** @typedef {import("./protocol.js").User} User */
/** @typedef {import("./protocol.js").Welcome} Welcome */
/** @typedef {import("./media.js").LocalMedia} LocalMedia */
/** @typedef {import("./socket.js").SocketState} SocketState */
/** @typedef {import("./socket.js").Kept} Kept */
/** @typedef {import("./call.js").CallOptions} CallOptions */

/**
 * Events: `state` of the connection; `users`: everybody else who is here; `call`: a new call, out or in;
 * `kept`: what resume() needs in another page, null for nothing; `closed`: signed out by the server or the network, by code;
 * `refused`: the server refused something, by code.
 * @extends {Emitter<{state: SocketState, users: User[], call: Call, kept: Kept | null, closed: string, refused: {code: string, request: string}}>}
 */
export class Duet extends Emitter {
  #socket;
  #media;
  #options;
  #roster = new Roster();
  /** @type {Welcome | null} */
  #welcome = null;
  /** @type {Call | null} */
  #call = null;
  /** @type {any} */
  #credentials = 0;
  #known = false; // this page has been welcomed, so a call that it does not know is none of its own

  /**
   * @param {{url: string, media: LocalMedia, socket?: Socket} & CallOptions} options
   */
  constructor({ url, media, socket = new Socket({ url }), ...options }) {
    super();
    this.#media = media;
    this.#options = options;
    this.#socket = socket;
    socket.on("state", (state) => this.emit("state", state));
    socket.on("welcome", (welcome) => this.#welcomed(welcome));
    socket.on("message", (message) => this.#receive(message));
    socket.on("kept", (kept) => this.emit("kept", kept));
    socket.on("network", () => this.#call?.networkChanged());
    socket.on("closed", (code) => this.#closed(code));
  }

  /** Ourselves, as the server knows us. */
  get self() {
    return { id: this.#welcome?.id ?? "", username: this.#welcome?.username ?? "" };
  }

  get state() {
    return this.#socket.state;
  }

  get call() {
    return this.#call;
  }

  /** Whether the server granted this feature. @param {string} feature */
  has(feature) {
    return this.#socket.has(feature);
  }

  get server() {
    return this.#welcome?.server ?? null;
  }

  /** Everybody else who is here. */
  get users() {
    return this.#roster.others(this.self);
  }

  /** @param {string} username @param {string} [token] rejects with a SignalingError */
  join(username, token) {
    return this.#socket.join(username, token);
  }

  /** Goes on where a page that is gone has been, in its call too; joins where that is no more possible. @param {Kept} kept @param {string} [token] */
  resume(kept, token) {
    return this.#socket.resume(kept, token);
  }

  /** Listens to the browser's hints about the network. @param {Parameters<Socket["watch"]>[0]} sources */
  watch(sources) {
    return this.#socket.watch(sources);
  }

  leave() {
    this.#call?.hangUp();
    this.#socket.leave();
    this.#closed("");
  }

  /** Whether this browser can make calls at all. */
  get able() {
    return typeof (this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection) === "function";
  }

  /** Calls somebody. @param {User} user */
  dial(user) {
    if (this.#call || !this.#welcome || !this.able) return null;
    const call = this.#begin({ role: "caller", peer: user.username, peerId: user.id });
    const { audio, video } = this.#media.state;
    this.send({ type: "call", target: user.id || user.username, media: { audio, video } });
    return call;
  }

  /** @param {ClientMessage} message @param {{lossy?: boolean}} [how] */
  send(message, how) {
    return this.#socket.send(message, how);
  }

  /** @param {{role: Role, peer: string, peerId: string, callId?: string}} init */
  #begin(init) {
    const call = new Call({
      ...init, duet: this, media: this.#media, options: this.#options,
      welcome: /** @type {Welcome} */ (this.#welcome),
      renew: () => this.#socket.renew(),
    });
    this.#call = call;
    this.#socket.busy = true;
    call.on("phase", (phase) => {
      if (phase !== "ended" || this.#call !== call) return;
      this.#call = null;
      this.#socket.busy = false;
    });
    this.emit("call", call);
    return call;
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.#welcome = welcome;
    this.#refreshBefore(welcome);
    this.#call?.setIceServers(welcome.iceServers ?? []);
    if (this.#call) this.#call.resumed(welcome);
    else if (welcome.call && welcome.resumed && !this.#known) {
      const { role, peer, peerId, callId } = welcome.call;
      this.#begin({ role, peer, peerId, callId }).takeOver(welcome);
    } else if (welcome.call && welcome.call.phase !== "ringing") this.send({ type: "endCall", callId: welcome.call.callId });
    this.#known = true;
  }

  /** Asks for new TURN credentials well before the old ones end: by how long they last, as this clock may be wrong. @param {{iceExpiresAt?: number, iceExpiresInMs?: number}} lasting */
  #refreshBefore({ iceExpiresAt = 0, iceExpiresInMs = iceExpiresAt - Date.now() }) {
    clearTimeout(this.#credentials);
    if (!iceExpiresAt) return;
    const wait = Math.min(Math.max(iceExpiresInMs * 0.8, 30_000), 2 ** 31 - 1);
    this.#credentials = setTimeout(() => this.send({ type: "iceServers" }), wait);
  }

  /** @param {ServerMessage} message */
  #receive(message) {
    if (this.#roster.apply(message)) {
      this.emit("users", this.users);
      return;
    }
    const call = this.#call;
    switch (message.type) {
      case "iceServers":
        if (this.#welcome) this.#welcome = { ...this.#welcome, iceServers: message.iceServers };
        this.#refreshBefore(message);
        call?.setIceServers(message.iceServers);
        return;
      case "incomingCall":
        return this.#incoming(message);
      case "error":
        return this.#refused(message.code, message.request ?? "");
    }
    if (!call) return;
    // Late messages of a call that has ended are not this call's.
    if ("callId" in message && message.callId && call.callId && message.callId !== call.callId) return;
    call.receive(message);
  }

  /** @param {Extract<ServerMessage, {type: "incomingCall"}>} message */
  #incoming(message) {
    const { caller: peer, callerId: peerId, callId } = message;
    const call = this.#call;
    if (call && call.callId === callId) return;
    if (call && call.phase !== "ended" && call.peerId === peerId && call.role === "caller") {
      // Both called at once. Theirs came first, and ours is the acceptance.
      this.send({ type: "callResponse", accepted: true, callId });
      call.crossed(callId);
      return;
    }
    if (call) {
      // A call that the server has forgotten, or should not have let through; the older one is the user's.
      this.send({ type: "callResponse", accepted: false, callId });
      return;
    }
    if (!this.able) {
      this.send({ type: "callResponse", accepted: false, reason: "unavailable", callId });
      return;
    }
    const next = this.#begin({ role: "callee", peer, peerId, callId });
    next.lookalike = message.lookalike === true;
    if (message.media) next.receive({ type: "mediaStateChange", screen: false, sender: peer, senderId: peerId, callId, ...message.media });
  }

  /** @param {string} code @param {string} request */
  #refused(code, request) {
    const call = this.#call;
    if (call && request === "call" && call.role === "caller" && call.phase !== "accepted") call.end(code);
    else if (call && (code === "no-such-call" || code === "not-your-call")) call.end("lost");
    this.emit("refused", { code, request });
  }

  /** @param {string} code */
  #closed(code) {
    clearTimeout(this.#credentials);
    this.#call?.end("lost");
    this.#roster.clear();
    this.#welcome = null;
    this.#known = false;
    if (code) this.emit("closed", code);
  }
}
