// socket.js: a WebSocket that comes back, resumes, and sends again what was lost.
//
// Socket is the only owner of the connection's recovery: whoever doubts the connection calls renew(), and a
// connection that is already being made is not made twice. With the feature `resume` every message is numbered,
// kept until the server has acknowledged it, and heard once; without it a lost connection is a lost session, and the
// next welcome says so with resumed: false.

import { Emitter } from "./emitter.js";
import { DuetError } from "./errors.js";
import { Heart } from "./heart.js";
import { watchBrowser } from "./hints.js";
import { Numbers } from "./numbers.js";
import { plainWelcome } from "./plain.js";
import { CLOSE, FEATURES } from "./protocol.js";

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Welcome} Welcome */
/** @typedef {"closed" | "connecting" | "online" | "reconnecting"} SocketState */

/** What another page needs to go on with a session. @typedef {{session: string, heard: number, username: string}} Kept */

/** Times in milliseconds. `busy` holds during a call: a dead socket is noticed within busy ping + busy pong < 6 s. */
export const TIMES = Object.freeze({
  firstRetry: 250, // the first try comes within this time, at random
  maxRetry: 5_000,
  open: 4_000, // a connection attempt without an answer is given up: a new one may take another way
  openMost: 16_000, // and has twice the time, up to this: the way may just be slow
  hasty: 500, // the same in a call, at least: one that was begun on a network that is gone hears of nothing
  burst: 20, // hints that the network is another come several at a time: the last counts
  idle: { ping: 15_000, pong: 10_000 },
  busy: { ping: 2_000, pong: 3_000 },
  probe: 1_500, // after waking up: is the other end still there?
  rejoin: 60_000, // how long a name that our own lost session still holds is asked for again
});

/**
 * Events: `state`; `welcome` after each join and resume; `message`: every other message, once and in order;
 * `network`: the browser says that the network changed; `kept`: what resume() needs, null when there is nothing to resume;
 * `closed`: over, with the reason's code, nothing more is tried.
 * @extends {Emitter<{state: SocketState, welcome: Welcome, message: ServerMessage, network: string, kept: Kept | null, closed: string}>}
 */
export class Socket extends Emitter {
  #url;
  #features;
  #WebSocket;
  #random;
  #now;

  /** @type {SocketState} */
  #state = "closed";
  /** @type {WebSocket | null} */
  #ws = null;
  #ready = false; // welcome was heard on this connection
  #welcomed = false; // welcome was heard at all
  #username = "";
  #token = "";
  #session = "";
  /** @type {Set<string>} */
  #granted = new Set();
  #busy = false;
  #over = ""; // why the server is about to end the session

  #numbers = new Numbers();

  #attempt = 0;
  #hung = 0; // attempts in a row that had no answer at all
  #hurried = 0; // and that were given up early
  #took = 0; // how long the last one took that came up
  #openedAt = 0;
  #heart;
  #lostAt = 0;
  /** @type {Record<"retry" | "open" | "away", any>} */
  #timers = { retry: 0, open: 0, away: 0 };
  /** @type {any} */
  #burst = 0;
  /** @type {{resolve: (w: Welcome) => void, reject: (e: Error) => void} | null} */
  #joining = null;
  /** @type {(() => void)[]} */
  #waiting = [];

  /**
   * @param {{url: string, features?: readonly string[], WebSocket?: typeof WebSocket, random?: () => number,
   *   now?: () => number}} options
   */
  constructor({ url, features = FEATURES, WebSocket: ctor = globalThis.WebSocket, random = Math.random, now = () => performance.now() }) {
    super();
    this.#url = url;
    this.#features = features;
    this.#WebSocket = ctor;
    this.#random = random;
    this.#now = now;
    this.#heart = new Heart({
      pace: () => (this.#busy ? TIMES.busy : TIMES.idle),
      ask: () => {
        this.#write({ type: "ping", t: Date.now() });
        this.#keep();
      },
      silent: () => {
        this.#lostAt ||= this.#now();
        void this.renew();
      },
      now,
    });
  }

  get url() {
    return this.#url;
  }

  get state() {
    return this.#state;
  }

  /** Whether messages survive a lost connection. */
  get resumable() {
    return this.#granted.has("resume");
  }

  /** @param {string} feature */
  has(feature) {
    return this.#granted.has(feature);
  }

  /** In a call the connection is watched more closely. @param {boolean} on */
  set busy(on) {
    if (this.#busy === on) return;
    this.#busy = on;
    if (this.#ready) this.#heart.beat();
  }

  /**
   * Connects and joins. Later connections are this object's own business.
   * @param {string} username
   * @param {string} [token]
   * @returns {Promise<Welcome>} rejects with a DuetError
   */
  join(username, token = "") {
    if (this.#state !== "closed") return Promise.reject(new DuetError("already-joined"));
    this.#reset();
    this.#username = username;
    this.#token = token;
    return new Promise((resolve, reject) => {
      this.#joining = { resolve, reject };
      this.#open();
    });
  }

  /**
   * Connects and goes on with the session of a page that is gone; where the server has it no more, joins.
   * @param {Kept} kept
   * @param {string} [token]
   * @returns {Promise<Welcome>} as join
   */
  resume({ session, heard, username }, token = "") {
    const joining = this.join(username, token);
    if (this.#state !== "connecting") return joining;
    this.#session = session;
    this.#numbers.adopt(heard);
    return joining;
  }

  /** Shows the server a newer token, with which the session lives longer. @param {string} token */
  renewToken(token) {
    this.#token = token;
    return this.renew();
  }

  /**
   * Sends, now or after the next resume. False means lost for ever: not connected, and no resume granted.
   * @param {ClientMessage} message
   * @param {{lossy?: boolean}} [options] lossy: not worth keeping, dropped unless it can leave at once
   */
  send(message, { lossy = false } = {}) {
    if (this.#state === "closed" || (!this.#ready && (lossy || !this.resumable))) return false;
    if (!this.resumable) return this.#write(message);
    const numbered = this.#numbers.number(message);
    if (this.#ready) this.#write(numbered);
    return true;
  }

  /** Ends the session for good. */
  leave() {
    if (this.#state === "closed") return;
    if (this.#ready) this.send({ type: "leave" });
    this.#close(1000);
  }

  /**
   * Replaces the connection by a new one, for instance because the address may have changed under it. Resolves once
   * the session is online again, however many attempts that takes, or when it has ended.
   * @returns {Promise<void>}
   */
  renew() {
    if (this.#state === "closed" || !this.#welcomed) return Promise.resolve();
    const done = new Promise((/** @type {(v: void) => void} */ resolve) => this.#waiting.push(resolve));
    // One that was begun just now is as fresh as one could be made.
    const young = this.#ws && !this.#ready && this.#now() - this.#openedAt < 1_000;
    if (!young) this.#open();
    return done;
  }

  /**
   * Listens to the browser's own hints, until the returned function is called.
   * @param {Parameters<typeof watchBrowser>[0]} sources
   */
  watch(sources) {
    return watchBrowser(sources, {
      changed: (how) => this.#networkChanged(how),
      returned: () => {
        if (this.#ready) this.#heart.ask(TIMES.probe);
        else if (this.#state === "reconnecting") void this.renew();
      },
    });
  }

  /** @param {string} how */
  #networkChanged(how) {
    if (globalThis.navigator?.onLine === false) return; // what is begun now would hang; "online" follows
    clearTimeout(this.#burst);
    this.#burst = setTimeout(() => {
      if (this.#state === "closed" || !this.#welcomed) return;
      this.#hurried = 0;
      this.#open(); // however young the one is that was begun on the network before
      this.emit("network", how);
    }, TIMES.burst);
  }

  #reset() {
    this.#session = this.#over = "";
    this.#granted = new Set();
    this.#welcomed = false;
    this.#attempt = this.#lostAt = this.#hung = this.#hurried = 0;
    this.#numbers.forget();
  }

  /** What another page would need. */
  #keep() {
    const kept = this.#session && this.resumable ? { session: this.#session, heard: this.#numbers.heard, username: this.#username } : null;
    this.emit("kept", kept);
  }

  /** @param {SocketState} state */
  #become(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }

  #open() {
    this.#detach();
    this.#openedAt = this.#now();
    this.#become(this.#welcomed ? "reconnecting" : "connecting");
    /** @type {WebSocket} */
    let ws;
    try {
      ws = new this.#WebSocket(this.#url);
    } catch {
      this.#lost(0);
      return;
    }
    this.#ws = ws;
    const patience = Math.min(TIMES.open * 2 ** this.#hung, TIMES.openMost);
    // Not a second one beside it: browsers open one at a time to a server.
    const haste = this.#busy && this.#welcomed ? Math.max(TIMES.hasty, 4 * this.#took) * 2 ** this.#hurried : Infinity;
    this.#timers.open = setTimeout(() => (haste < patience ? this.#hurry() : this.#slow()), Math.min(haste, patience));
    ws.onopen = () => {
      if (ws !== this.#ws) return;
      this.#took = this.#now() - this.#openedAt;
      clearTimeout(this.#timers.open);
      this.#timers.open = setTimeout(() => this.#slow(), patience);
      this.#hello();
    };
    ws.onmessage = (event) => ws === this.#ws && this.#receive(event.data);
    ws.onclose = (event) => ws === this.#ws && this.#lost(event.code);
  }

  /** Lets go of the current connection, if any. Code 1000 ends the session, none does not. @param {number} [code] */
  #detach(code) {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#heart.stop();
    const ws = this.#ws;
    this.#ws = null;
    this.#ready = false;
    if (!ws) return;
    ws.onopen = ws.onmessage = ws.onclose = null;
    try {
      ws.close(code);
    } catch {
      // It never came up; there is nothing to close.
    }
  }

  #hello() {
    const token = this.#token ? { token: this.#token } : {};
    if (this.#session) this.#write({ type: "resume", session: this.#session, ack: this.#numbers.heard, ...token });
    else {
      this.#write({ type: "join", username: this.#username, ...token, features: [...this.#features] });
    }
  }

  /** @param {object} message */
  #write(message) {
    if (!this.#ws) return false;
    const ack = this.#ready && this.resumable ? { ack: this.#numbers.ack() } : {};
    try {
      this.#ws.send(JSON.stringify({ ...message, ...ack }));
      return true;
    } catch {
      return false; // closing: onclose follows
    }
  }

  /** @param {unknown} data */
  #receive(data) {
    /** @type {ServerMessage & {seq?: number, ack?: number}} */
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      return;
    }
    if (!message || typeof message !== "object") return;
    this.#heart.heard();
    if (!this.#ready) return this.#greeted(message);

    if (typeof message.ack === "number") this.#numbers.acknowledged(message.ack);
    if (typeof message.seq === "number" && this.resumable) {
      const is = this.#numbers.hear(message.seq);
      if (is === "again") return;
      if (is === "gap") return void this.renew(); // cannot be; a resume fills it
      if (this.#numbers.ackDue) this.#write({ type: "ping", t: Date.now() });
    }
    switch (message.type) {
      case "pong":
        return;
      case "session":
        this.#session = message.session;
        return this.#keep();
      case "error":
        if (message.code === "unauthorized") this.#over = message.code; // and the close follows
        break;
      case "goingAway":
        clearTimeout(this.#timers.away);
        this.#timers.away = setTimeout(() => void this.renew(), Math.max(0, Number(message.reconnectInMs) || 0));
        return;
    }
    this.emit("message", message);
  }

  /** The answer to join or resume. @param {ServerMessage} message */
  #greeted(message) {
    switch (message.type) {
      case "welcome":
        return this.#welcome(message);
      case "userList": // a server that knows only the twelve messages
        this.#welcome(plainWelcome(this.#username, message.users));
        this.emit("message", message);
        return;
      case "error":
        return this.#refused(message.code, message.message, message.retryAfterMs);
    }
  }

  /** @param {Welcome} welcome */
  #welcome(welcome) {
    clearTimeout(this.#timers.open);
    this.#granted = new Set(welcome.features ?? []);
    this.#session = welcome.session || "";
    if (!welcome.resumed) this.#numbers.forget();
    else this.#numbers.resumed({ restored: welcome.restored, ack: Number(welcome.ack) || 0, applied: Number(welcome.applied) || 0 });
    this.#ready = this.#welcomed = true;
    this.#attempt = this.#lostAt = this.#hung = this.#hurried = 0;
    this.#username = welcome.username || this.#username;
    for (const message of this.#numbers.unacked) this.#write(message);
    this.#heart.beat();
    this.#become("online");
    this.#keep();
    this.emit("welcome", welcome);
    this.#joining?.resolve(welcome);
    this.#joining = null;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** @param {string} code @param {string} text @param {number} [retryAfterMs] */
  #refused(code, text, retryAfterMs) {
    if (code === "session-expired" && this.#session) {
      this.#session = "";
      this.#numbers.forget();
      this.#hello(); // the same connection may join
      return;
    }
    const ours = this.#welcomed && code === "username-taken" && this.#now() - this.#lostAt < TIMES.rejoin;
    if (this.#welcomed && (ours || code === "rate-limited" || code === "internal")) {
      this.#again(Math.max(retryAfterMs ?? 0, 1_000));
      return;
    }
    this.#end(code, text);
  }

  /** An attempt takes longer than they do on this line. */
  #hurry() {
    this.#hurried++;
    this.#open();
  }

  /** An attempt had no answer in its time. */
  #slow() {
    const more = TIMES.open * 2 ** this.#hung++ < TIMES.openMost;
    if (!this.#welcomed && more) this.#open();
    else this.#lost(0);
  }

  /** The connection is gone, or never came. @param {number} code */
  #lost(code) {
    if (!this.#welcomed) return this.#end("unreachable");
    if (code === CLOSE.takenOver) return this.#end("taken-over");
    if (code === CLOSE.sessionEnded) return this.#end(this.#over || "session-ended");
    this.#again(code === CLOSE.rateLimit ? TIMES.maxRetry : 0);
  }

  /** @param {number} atLeast */
  #again(atLeast) {
    this.#detach();
    if (!this.#lostAt) this.#lostAt = this.#now();
    const cap = Math.min(TIMES.maxRetry, TIMES.firstRetry * 2 ** this.#attempt);
    const wait = this.#attempt++ === 0 ? cap * this.#random() : cap * (0.5 + this.#random() / 2);
    this.#timers.retry = setTimeout(() => this.#open(), Math.max(wait, atLeast));
    this.#become("reconnecting");
  }

  /** @param {string} code @param {string} [text] */
  #end(code, text) {
    const joining = this.#joining;
    this.#close();
    joining?.reject(new DuetError(code, text));
    this.emit("closed", code);
  }

  /** @param {number} [code] */
  #close(code) {
    this.#detach(code);
    this.#joining = null;
    this.#session = "";
    this.emit("kept", null);
    this.#become("closed");
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
