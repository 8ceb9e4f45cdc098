// probe.js: looks for a better way than the one that a call has: beside the relay by a new connection, from TURN or TCP by a
// restart of the one there is.

import { PATHS as TIMES } from "./times.js";

/** @typedef {import("./leg.js").Leg} Leg */
/** @typedef {import("./protocol.js").Role} Role */

export class Probe {
  #at = Infinity; // when to look
  #looked = false;
  #legs;
  #shown;
  #terms;
  #recovery;
  #force;
  #plain;
  #begin;
  #now;

  /**
   * @param {{legs: import("./legs.js").Legs, shown: import("./current.js").Current, terms: import("./relay.js").RelayTerms,
   *   recovery: import("./recovery.js").Recovery, force: import("./protocol.js").PathName | null, plain: () => boolean, begin: () => void,
   *   now: () => number}} options plain: the other side knows of one connection only, which is left alone; begin: makes a new direct leg
   */
  constructor({ legs, shown, terms, recovery, force, plain, begin, now }) {
    this.#legs = legs;
    this.#shown = shown;
    this.#terms = terms;
    this.#recovery = recovery;
    this.#force = force;
    this.#plain = plain;
    this.#begin = begin;
    this.#now = now;
  }

  /** The current leg takes a way to which ICE may know a better one: TURN, or TCP to the relay. */
  get #detour() {
    const { leg } = this.#shown;
    if (leg?.name === "relay") return leg.flow.last.protocol !== "udp" && leg.flow.last.way !== null;
    return leg?.path === "turn" && this.#force !== "turn" && leg.peer.restartsSoftly && !this.#plain();
  }

  /** The network is another. */
  changed() {
    this.#looked = false;
    this.soon(TIMES.probeAfterChange);
  }

  look() {
    this.#at = Infinity;
    this.#looked = this.#shown.leg?.peer.state === "connected"; // or it comes too early to count
    if (this.#shown.leg && this.#detour) void this.#recovery.repair(this.#shown.leg, { force: true });
    const { direct, relay } = this.#legs;
    if (!relay || this.#plain() || this.#terms.first || (direct && direct.peer.state !== "failed")) return;
    this.#begin();
  }

  /** @param {number} now */
  due(now) {
    if (now >= this.#at) this.look();
  }

  /** Not later than in so many milliseconds. @param {number} ms */
  soon(ms) {
    this.#at = Math.min(this.#at, this.#now() + ms);
  }

  /** The same, where a better way is wanted at all. @param {number} [ms] */
  later(ms = TIMES.probeEvery) {
    if (this.#detour || (!this.#terms.wanted && !this.#terms.first)) this.soon(ms);
  }

  forget() {
    this.#at = Infinity;
  }

  /** ICE goes with the first pair that works and then stops gathering: the best may just have come too late. @param {Leg} leg that carries @param {Role} role */
  carried(leg, role) {
    if (this.#detour && (leg.name === "relay" || role === "caller")) this.later(this.#looked ? TIMES.probeEvery : TIMES.probeAfterChange);
  }

  /** A direct attempt beside the relay does not last for ever. @param {number} now @param {Role} role */
  end(now, role) {
    const { direct } = this.#legs;
    if (!direct || this.#shown.leg?.name !== "relay") return;
    if (now - direct.bornAt < TIMES.probeLife && direct.peer.state !== "failed") return;
    this.#legs.retire(direct, { seen: false });
    if (role === "caller") this.later();
  }
}
