// history.js: the calls of this browser, the newest first, and which were missed. It stays here: no server is told.

/**
 * @typedef {object} Past
 * @property {string} who
 * @property {number} at when it began to ring, by the wall clock
 * @property {"missed" | "in" | "out" | "refused" | "unanswered"} kind
 * @property {number} seconds that one talked
 */

/** So many are kept. */
const MOST = 30;

export class History {
  #load;
  #store;
  /** @type {Past[]} */
  #all;
  #unseen = 0;

  /** @param {{load: () => string, store: (text: string) => void}} shelf */
  constructor({ load, store }) {
    this.#load = load;
    this.#store = store;
    this.#all = this.#read();
  }

  get all() {
    return this.#all;
  }

  /** Missed since the list was looked at. */
  get unseen() {
    return this.#unseen;
  }

  seen() {
    this.#unseen = 0;
  }

  /**
   * Notes a call that has ended.
   * @param {{role: "caller" | "callee", peer: string, acceptedAt: number, reason: string}} call
   * @param {number} at when it began to ring
   * @param {number} now
   */
  add({ role, peer, acceptedAt, reason }, at, now) {
    /** @type {Past["kind"]} */
    let kind = role === "caller" ? "out" : "in";
    if (!acceptedAt) kind = role === "caller" ? "unanswered" : reason === "hangup-self" ? "refused" : "missed";
    if (kind === "missed") this.#unseen++;
    const past = { who: peer, at, kind, seconds: acceptedAt ? Math.round((now - acceptedAt) / 1_000) : 0 };
    this.#all = [past, ...this.#read()].slice(0, MOST); // another window may have noted some
    this.#store(JSON.stringify(this.#all));
  }

  clear() {
    this.#all = [];
    this.#unseen = 0;
    this.#store("");
  }

  /** @returns {Past[]} */
  #read() {
    try {
      const all = JSON.parse(this.#load() || "[]");
      return Array.isArray(all) ? all.filter((one) => typeof one?.who === "string" && typeof one.at === "number") : [];
    } catch {
      return []; // not ours
    }
  }
}
