// lookout.js: notices that this machine is at other addresses than those that a leg was made with, and has it begun anew.

import { fresh } from "./fresh.js";
import { PATHS as TIMES } from "./times.js";

/** @typedef {import("./leg.js").Leg} Leg */

export class Lookout {
  #legs;
  #anew;
  #fresh;
  /** @type {Promise<boolean> | null} */
  #looking = null;
  #again = false; // asked for while one looks: that may be about what was before
  #lookedAt = -Infinity;
  #wait = 0;

  /**
   * @param {{legs: import("./legs.js").Legs, anew: (leg: Leg) => void, look?: typeof fresh}} options
   *   anew: puts a new leg in the place of this one, where its counterpart knows of that
   */
  constructor({ legs, anew, look = fresh }) {
    this.#legs = legs;
    this.#anew = anew;
    this.#fresh = look;
  }

  /** Looks, and has the legs begun anew that were made with addresses of which none is left. Tells whether there were any. */
  moved() {
    this.#again = true;
    return (this.#looking ??= this.#lookAll().finally(() => (this.#looking = null)));
  }

  /**
   * Whether it is time to look because nothing at all comes where media came just now; not all changes are told by the browser.
   * @param {Leg} leg @param {number} now
   */
  due({ flow }, now) {
    if (flow.looks === 0) this.#wait = TIMES.look;
    if (flow.looks < 2 || !flow.endedWithMedia || now - flow.packetAt < TIMES.hush || now - this.#lookedAt < this.#wait) return false;
    this.#lookedAt = now;
    this.#wait *= 2;
    return true;
  }

  async #lookAll() {
    let moved = false;
    while (this.#again) {
      this.#again = false;
      moved = (await this.#look()) || moved;
    }
    return moved;
  }

  async #look() {
    let place = this.#fresh();
    if (!place) return false;
    const addresses = await place.addresses;
    let some = false;
    for (const leg of [this.#legs.direct, this.#legs.relay]) {
      if (!leg || leg.closed || !addresses.size || !leg.hosts.length || leg.hosts.some((host) => addresses.has(host))) continue;
      this.#legs.place = place ??= this.#fresh();
      this.#anew(leg);
      const next = this.#legs[leg.name];
      if (!next || next === leg) continue;
      next.madeWith = [...addresses];
      some = true;
      place = null;
    }
    this.#legs.place = null;
    place?.end();
    return some;
  }
}
