// legs.js: the legs that a call has at the moment: makes them, feeds them, and takes them out of service.

import { Emitter } from "./emitter.js";
import { Leg, iceConfig } from "./leg.js";
import { RELAY } from "./protocol.js";
import { h264First, prefersH264 } from "./sdp.js";

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").PathName} PathName */
/** @typedef {import("./peer.js").Tracks} Tracks */

/** A leg that the other side may still be seeing stays open for so long, in milliseconds. */
const RETIRE = 1_000;

/** One that we ourselves still show waits for its replacement for so long. */
const LAST = 30_000;

/**
 * Events: `track`: something arrived on this leg; `state`: of any leg; `collision`: this leg has to be replaced by us.
 * @extends {Emitter<{track: Leg, state: Leg, collision: Leg}>}
 */
export class Legs extends Emitter {
  /** @type {Leg | null} */
  direct = null;
  /** @type {Leg | null} */
  relay = null;
  /** @type {Set<Leg>} */
  #old = new Set();
  /** @type {Set<any>} */
  #timers = new Set();
  /** The last leg that was left because both sides had restarted it. @type {Leg | null} */
  #left = null;
  /** Where the next leg is made, if not in this document. @type {import("./fresh.js").Fresh | null} */
  place = null;
  #closed = false;
  #iceServers;
  #tracks;
  #options;

  /**
   * @param {{iceServers: RTCIceServer[], tracks: Tracks, force: PathName | null, transport: string | null,
   *   turn: () => boolean, known: () => number, send: (message: ClientMessage) => void, RTCPeerConnection: typeof RTCPeerConnection, now: () => number}} options
   *   known: see Peer
   */
  constructor({ iceServers, tracks, ...options }) {
    super();
    this.#iceServers = iceServers;
    this.#tracks = { ...tracks };
    this.#options = options;
  }

  *[Symbol.iterator]() {
    if (this.direct) yield this.direct;
    if (this.relay) yield this.relay;
    yield* this.#old;
  }

  /** @param {"audio" | "video"} kind @param {MediaStreamTrack | null} track */
  setTrack(kind, track) {
    this.#tracks[kind] = track;
    for (const leg of this) void leg.peer.setTrack(kind, track);
  }

  /** For legs and restarts to come; what flows is left alone. @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
  }

  /**
   * Makes a leg; the caller puts it in its place.
   * @param {"direct" | "relay"} name
   * @param {{offer: boolean, polite: boolean, hold: boolean}} how offer: we make the first one; hold: not to be sent yet
   */
  make(name, { offer, polite, hold }) {
    const { known, send, now } = this.#options;
    const { place } = this;
    const { RTCPeerConnection } = place ?? this.#options;
    // The relay answers both sides in one order.
    const order = name === "direct" && prefersH264(globalThis.navigator?.userAgent ?? "") ? h264First : undefined;
    const leg = new Leg(name, { polite, hold, known, order, config: () => this.#config(name), tracks: this.#tracks, RTCPeerConnection }, now());
    const target = name === "relay" ? { target: RELAY } : {};
    leg.peer.on("signal", (signal) => {
      if (this.#old.has(leg)) return; // the other side would take it for its successor's
      if ("candidate" in signal) send({ type: "iceCandidate", candidate: signal.candidate, ...target });
      else if (signal.description.type === "offer") send({ type: "offer", offer: signal.description, ...target });
      else send({ type: "answer", answer: signal.description, ...target });
    });
    leg.peer.on("track", (track) => {
      leg.tracks[track.kind === "audio" ? "audio" : "video"] = track;
      this.emit("track", leg);
    });
    leg.peer.on("state", () => this.emit("state", leg));
    leg.peer.on("restarted", () => (leg.restartedAt = now()));
    leg.peer.on("collision", () => {
      this.#left = leg;
      this.emit("collision", leg);
    });
    leg.peer.on("error", (error) => console.warn("negotiation", name, error));
    leg.ours = offer;
    if (place) leg.ends = place.end;
    if (offer) leg.peer.start();
    return leg;
  }

  /**
   * Takes a leg out of service. Its place is free at once, but while somebody may be looking it goes on for a moment,
   * and while `inUse` says that we ourselves show it, for as long as it carries, and a little longer: it may come back
   * before its successor comes.
   * @param {Leg} leg
   * @param {{seen: boolean, inUse?: () => boolean, carries?: () => boolean, gone?: () => void}} options
   */
  retire(leg, { seen, inUse = () => false, carries = () => false, gone = () => {} }) {
    if (this.direct === leg) this.direct = null;
    if (this.relay === leg) this.relay = null;
    if (!seen) {
      leg.close();
      return gone();
    }
    this.#old.add(leg);
    let until = this.#options.now() + LAST;
    const end = () => {
      if (carries()) until = this.#options.now() + LAST;
      if (inUse() && leg.peer.state !== "failed" && this.#options.now() < until) return this.later(RETIRE, end);
      this.#old.delete(leg);
      leg.close();
      gone();
    };
    this.later(RETIRE, end);
  }

  /** Whether the counterpart said this of a leg that was left in a collision, which it has not noticed yet. @param {RTCSessionDescriptionInit} offer */
  isLeft(offer) {
    return !!this.#left && !this.#left.peer.isStranger(offer);
  }

  /** Looks at what flows. @param {number} now */
  measure(now) {
    return Promise.all([...this].map((leg) => leg.measure(now).catch(() => {})));
  }

  /** A timer that ends with the call. @param {number} ms @param {() => void} fn */
  later(ms, fn) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#closed) fn();
    }, ms);
    this.#timers.add(timer);
  }

  close() {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const leg of this) leg.close();
    this.direct = this.relay = null;
    this.#old.clear();
  }

  /** @param {"direct" | "relay"} name */
  #config(name) {
    const { force, transport, turn } = this.#options;
    return iceConfig({ iceServers: this.#iceServers, force, transport, turn: turn(), relay: name === "relay" });
  }
}
