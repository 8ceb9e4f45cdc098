// duet.js: the client library's front door: Duet is a user who is here; call.js is one call of theirs.

import * as calls from "./call.js";
import { Emitter } from "./emitter.js";
import { CODES, DuetError } from "./errors.js";
import { LocalMedia } from "./media.js";
import { Outside } from "./outside.js";
import { OwnMedia } from "./own.js";
import { USER_ID } from "./protocol.js";
import { Roster } from "./roster.js";
import { Socket } from "./socket.js";
import { Token } from "./token.js";

/** @import { ClientMessage, Role, ServerMessage, Welcome } from "./protocol.js" */
/** @import { CallOptions, Inside } from "./call.js" */

// What a program that uses this may want to name.
/** @typedef {calls.Call} Call */
/** @typedef {import("./call.js").Phase} Phase */
/** @typedef {import("./call.js").Wishes} Wishes */
/** @typedef {import("./errors.js").Code} Code */
/** @typedef {import("./own.js").Media} Media */
/** @typedef {import("./paths.js").PathInfo} PathInfo */
/** @typedef {import("./paths.js").PathState} PathState */
/** @typedef {import("./peer.js").Tracks} Tracks */
/** @typedef {import("./protocol.js").MediaState} MediaState */
/** @typedef {import("./protocol.js").User} User */
/** @typedef {import("./check.js").Check} Check */
/** @typedef {import("./quality.js").Sample} Sample */
/** @typedef {import("./quality.js").Warning} Warning */
/** @typedef {import("./simulate.js").Simulation} Simulation */
/** @typedef {import("./socket.js").Kept} Kept */
/** @typedef {import("./socket.js").SocketState} SocketState */
/** @typedef {import("./token.js").TokenFunction} TokenFunction */

export { CODES, DuetError, LocalMedia, OwnMedia };

/**
 * `url`: the server, https://call.example.org/ or wss://call.example.org/ws; where it is missing, the one that this file has come
 * from. `media`: what is sent: a stream, a LocalMedia or OwnMedia that the caller looks after, or, where it is missing, camera
 * and microphone during calls, with stand-ins where there are none. `lasting`: the session outlives this page, in one that
 * calls resume() with what the event `kept` brought; else a page that goes leaves.
 * @typedef {{url?: string | URL, media?: Media | MediaStream, lasting?: boolean}} DuetOptions
 */

/**
 * A user who is here, or is about to be.
 *
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

  /** @type {Inside | null} of that call */
  #inside = null;
  /** Whether this browser can make calls at all. */
  able;
  #outside;
  /** @type {Token | null} */
  #token = null;
  #lasting;
  /** Devices that are open during calls; null: what is sent is the caller's affair. @type {LocalMedia | null} */
  #ours;
  #started = false;
  #undo = () => {};

  /** @param {DuetOptions & {socket?: Socket, WebSocket?: typeof globalThis.WebSocket} & CallOptions} [options] socket, WebSocket and what CallOptions has beside are for tests */
  constructor({ url = import.meta.url, media, lasting = false, socket, WebSocket, ...options } = {}) {
    super();
    this.#ours = media === undefined ? new LocalMedia() : null;
    this.#media = this.#ours ?? (isStream(media) ? new OwnMedia(media) : /** @type {Media} */ (media));
    this.#lasting = lasting;
    const { RTCPeerConnection } = options;
    this.able = typeof (RTCPeerConnection ?? globalThis.RTCPeerConnection) === "function";
    this.#outside = new Outside({ WebSocket, RTCPeerConnection });
    this.#options = { ...options, RTCPeerConnection: this.#outside.RTCPeerConnection };
    this.#socket = socket ??= new Socket({ url: address(url), WebSocket: this.#outside.WebSocket });
    socket.on("state", (state) => this.emit("state", state));
    socket.on("welcome", (welcome) => this.#welcomed(welcome));
    socket.on("message", (message) => this.#receive(message));
    socket.on("kept", (kept) => this.emit("kept", kept));
    socket.on("network", () => this.#call?.networkChanged());
    socket.on("closed", (code) => this.#closed(code));
  }

  /** Where the server is asked. */
  get url() {
    return this.#socket.url;
  }

  /** Ourselves, as the server knows us. */
  get self() {
    return { id: this.#welcome?.id ?? "", username: this.#welcome?.username ?? "" };
  }

  /** Of the connection to the server. */
  get state() {
    return this.#socket.state;
  }

  /** What is sent. */
  get media() {
    return this.#media;
  }

  /** The call that there is, if there is one. */
  get call() {
    return this.#call;
  }

  /** Whether the server granted this feature. @param {string} feature */
  has(feature) {
    return this.#socket.has(feature);
  }

  /** What the server says of itself. */
  get server() {
    return this.#welcome?.server ?? null;
  }

  /** Everybody else who is here. */
  get users() {
    return this.#roster.others(this.self);
  }

  /**
   * Comes in. Lost connections are found again from then on, until leave() or the event `closed`. Rejects with a DuetError, or as
   * the caller's own function does.
   * @param {string} username
   * @param {string | TokenFunction} [token] where the operator wants one; a function is asked again before it expires
   */
  async join(username, token) {
    this.#watch();
    const given = typeof token === "function" ? await this.#invite(token) : token;
    await this.#socket.join(username, given);
    return this.self;
  }

  /** Goes on where a page that is gone has been, in its call too; joins where that is no more possible. @param {Kept} kept @param {string | TokenFunction} [token] */
  async resume(kept, token) {
    this.#watch();
    const given = typeof token === "function" ? await this.#invite(token) : token;
    await this.#socket.resume(kept, given);
    return this.self;
  }

  /** @param {TokenFunction} ask */
  #invite(ask) {
    this.#token?.close();
    this.#token = new Token(ask, (token) => void this.renewToken(token));
    return this.#token.first();
  }

  /** Shows the server a newer token of the same user, before the one of join() expires and ends the session. @param {string} token */
  renewToken(token) {
    return this.#socket.renewToken(token);
  }

  /** Ends the call, if there is one, and goes. */
  leave() {
    this.#call?.hangUp();
    this.#socket.leave();
    this.#closed("");
  }

  /**
   * Makes something go wrong, for trying how a program takes it; resolves with a function that ends what lasts.
   * @param {import("./simulate.js").Simulation} name
   */
  async simulate(name) {
    const { simulate } = await import("./simulate.js");
    return simulate(name, { outside: this.#outside, options: this.#options, media: this.#media, send: (message) => this.#send(message) });
  }

  /** Tries the server, and once joined STUN and TURN, and looks for devices. Nothing is asked of the user. */
  async checkConnection() {
    const { check } = await import("./check.js");
    const { WebSocket, RTCPeerConnection } = this.#outside;
    return check({ url: this.url, online: this.state === "online", iceServers: this.able ? this.#welcome?.iceServers ?? [] : [], WebSocket, RTCPeerConnection });
  }

  /**
   * Calls somebody. Throws a DuetError: not-joined, in-a-call or unable; what the server has against it ends the call.
   * @param {string | User} who a name, an id, or somebody from `users`
   * @param {Wishes} [wishes] such as {video: false}, for sound only
   */
  dial(who, wishes = {}) {
    if (!this.#welcome) throw new DuetError("not-joined");
    if (this.#call) throw new DuetError("in-a-call");
    if (!this.able) throw new DuetError("unable");
    const { id, username } = typeof who === "string" ? this.#find(who) : who;
    if (wishes.audio !== undefined) void this.#media.setAudio(wishes.audio);
    if (wishes.video !== undefined) void this.#media.setVideo(wishes.video);
    const call = this.#begin({ role: "caller", peer: username, peerId: id });
    const { audio, video } = { ...this.#media.state, ...wishes };
    this.#send({ type: "call", target: id || username, media: { audio, video } });
    this.#start();
    return call;
  }

  /** @param {string} name or id */
  #find(name) {
    const known = this.users.find((user) => user.id === name) ?? this.users.find((user) => user.username === name);
    return known ?? (USER_ID.test(name) ? { id: name, username: "" } : { id: "", username: name });
  }

  /** @param {ClientMessage} message @param {{lossy?: boolean}} [how] */
  #send(message, how) {
    return this.#socket.send(message, how);
  }

  /** Listens to what the browser says of the network and of the page, until the session is over. */
  #watch() {
    const { window, document, navigator } = globalThis;
    const connection = /** @type {{connection?: EventTarget}} */ (navigator ?? {}).connection;
    this.#undo();
    const undo = this.#socket.watch({ window, document, connection });
    /** @param {PageTransitionEvent} event */
    const gone = ({ persisted }) => !persisted && !this.#lasting && this.leave();
    window?.addEventListener("pagehide", gone);
    this.#undo = () => {
      window?.removeEventListener("pagehide", gone);
      undo();
    };
  }

  /** Opens the devices for a call, where nobody else does. */
  #start() {
    if (this.#started || !this.#ours) return;
    this.#started = true;
    void this.#ours.start({ source: "camera", name: this.self.username });
  }

  /** @param {{role: Role, peer: string, peerId: string, callId?: string}} init */
  #begin(init) {
    const call = new calls.Call({
      ...init, duet: this, media: this.#media, options: this.#options,
      welcome: /** @type {Welcome} */ (this.#welcome),
      renew: () => this.#socket.renew(),
      say: (message, how) => void this.#send(message, how),
      begin: () => this.#start(),
      inside: (inside) => (this.#inside = inside),
    });
    this.#call = call;
    this.#socket.busy = true;
    call.on("phase", (phase) => {
      if (phase !== "ended" || this.#call !== call) return;
      this.#call = this.#inside = null;
      this.#socket.busy = false;
      if (!this.#ours) return;
      this.#ours.stop();
      this.#started = false;
    });
    this.emit("call", call);
    return call;
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.#welcome = welcome;
    this.#refreshBefore(welcome);
    this.#inside?.setIceServers(welcome.iceServers ?? []);
    if (this.#call) this.#inside?.resumed(welcome);
    else if (welcome.call && welcome.resumed && !this.#known) {
      const { role, peer, peerId, callId } = welcome.call;
      this.#begin({ role, peer, peerId, callId });
      this.#inside?.takeOver(welcome);
    } else if (welcome.call && welcome.call.phase !== "ringing") this.#send({ type: "endCall", callId: welcome.call.callId });
    this.#known = true;
  }

  /** Asks for new TURN credentials well before the old ones end: by how long they last, as this clock may be wrong. @param {{iceExpiresAt?: number, iceExpiresInMs?: number}} lasting */
  #refreshBefore({ iceExpiresAt = 0, iceExpiresInMs = iceExpiresAt - Date.now() }) {
    clearTimeout(this.#credentials);
    if (!iceExpiresAt) return;
    const wait = Math.min(Math.max(iceExpiresInMs * 0.8, 30_000), 2 ** 31 - 1);
    this.#credentials = setTimeout(() => this.#send({ type: "iceServers" }), wait);
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
        this.#inside?.setIceServers(message.iceServers);
        return;
      case "incomingCall":
        return this.#incoming(message);
      case "error":
        return this.#refused(message.code, message.request ?? "");
    }
    if (!call) return;
    // Late messages of a call that has ended are not this call's.
    if ("callId" in message && message.callId && call.callId && message.callId !== call.callId) return;
    this.#inside?.receive(message);
  }

  /** @param {Extract<ServerMessage, {type: "incomingCall"}>} message */
  #incoming(message) {
    const { caller: peer, callerId: peerId, callId } = message;
    const call = this.#call;
    if (call && call.callId === callId) return;
    if (call && call.phase !== "ended" && call.peerId === peerId && call.role === "caller") {
      // Both called at once. Theirs came first, and ours is the acceptance.
      this.#send({ type: "callResponse", accepted: true, callId });
      this.#inside?.crossed(callId);
      return;
    }
    if (call) {
      // A call that the server has forgotten, or should not have let through; the older one is the user's.
      this.#send({ type: "callResponse", accepted: false, callId });
      return;
    }
    if (!this.able) {
      this.#send({ type: "callResponse", accepted: false, reason: "unavailable", callId });
      return;
    }
    const next = this.#begin({ role: "callee", peer, peerId, callId });
    next.lookalike = message.lookalike === true;
    if (this.has("rings")) this.#send({ type: "ringing", callId });
    if (message.media) this.#inside?.receive({ type: "mediaStateChange", screen: false, sender: peer, senderId: peerId, callId, ...message.media });
  }

  /** @param {string} code @param {string} request */
  #refused(code, request) {
    const call = this.#call;
    if (call && request === "call" && call.role === "caller" && call.phase !== "accepted") this.#inside?.end(code);
    else if (call && (code === "no-such-call" || code === "not-your-call")) this.#inside?.end("lost");
    this.emit("refused", { code, request });
  }

  /** @param {string} code */
  #closed(code) {
    clearTimeout(this.#credentials);
    this.#undo();
    this.#token?.close();
    this.#inside?.end("lost");
    this.#roster.clear();
    this.#welcome = null;
    this.#known = false;
    if (code) this.emit("closed", code);
  }
}

/** The WebSocket of a server. @param {string | URL} url */
function address(url) {
  const { protocol } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return String(url);
  const socket = new URL("ws", url);
  socket.protocol = protocol === "https:" ? "wss:" : "ws:";
  return socket.href;
}

/** @param {Media | MediaStream | undefined} media @returns {media is MediaStream} */
function isStream(media) {
  return typeof MediaStream === "function" && media instanceof MediaStream;
}
