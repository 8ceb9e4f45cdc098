// succession.js: what is done for a leg that is dead: a restart, then a new connection in its place, then that one again.
// A plain client has one connection, and gets restarts of it for as long as it takes.

import { PATHS as TIMES } from "./times.js";

/** @typedef {import("./leg.js").Leg} Leg */

export class Succession {
  #legs;
  #recovery;
  #begin;
  #now;

  /**
   * @param {{legs: import("./legs.js").Legs, recovery: import("./recovery.js").Recovery, begin: (name: "direct" | "relay") => void,
   *   now: () => number}} options begin: puts a new leg in this place
   */
  constructor({ legs, recovery, begin, now }) {
    this.#legs = legs;
    this.#recovery = recovery;
    this.#begin = begin;
    this.#now = now;
  }

  /** Puts a new connection in the place of one that restarts do not help. @param {"direct" | "relay"} name @param {Leg | null} current */
  anew(name, current) {
    const old = this.#legs[name];
    this.#begin(name);
    const leg = this.#legs[name];
    if (!leg || leg === old) return;
    leg.repairs = (old?.repairs ?? 0) + (old === current ? 0 : 1);
    leg.repairedAt = leg.bornAt;
  }

  /**
   * Something is done for this leg. Mostly only one side begins anew, and the other waits a little longer.
   * @param {Leg} leg @param {{current: Leg | null, role: import("./protocol.js").Role, begun: boolean, plain: boolean}} how begun: media
   *   has come in this call; plain: the counterpart knows of no other connection
   */
  revive(leg, { current, role, begun, plain }) {
    const successor = this.#legs[leg.name];
    if (!successor) return this.anew(leg.name, current);
    if (plain) return void this.#recovery.repair(successor);
    if (successor !== leg) return; // succeed looks after it
    void this.#recovery.repair(leg);
    const since = this.#now() - leg.restartedAt;
    const wait = role === "caller" ? TIMES.anew : TIMES.anewLater;
    if (begun && since > wait && since < this.#recovery.patience(leg)) this.anew(leg.name, current);
  }

  /** A successor that does not come up is itself succeeded. @param {Leg} current @param {import("./protocol.js").Role} role */
  succeed(current, role) {
    const successor = this.#legs[current.name];
    if (!successor || successor === current || successor.peer.state === "connected") return;
    const wait = this.#recovery.patience(successor) * (role === "caller" ? 1 : 1.5);
    if (this.#now() - successor.bornAt > wait) this.anew(current.name, current);
  }
}
