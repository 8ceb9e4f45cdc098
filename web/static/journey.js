// journey.js: the ways that a call has taken, and how long it had none.

/** @typedef {{at: number, path: import("./protocol.js").PathName | "lost", gapMs: number}} Move gapMs: since the way before it was lost */

/** So many are kept: a call on a train moves often. */
const MOST = 50;

export class Journey {
  /** @type {Move[]} */
  moves = [];
  #lostAt = 0;

  /** @param {import("./protocol.js").PathName} path @param {number} at */
  took(path, at) {
    if (this.moves.at(-1)?.path === path) return;
    this.#add({ at, path, gapMs: this.#lostAt ? at - this.#lostAt : 0 });
    this.#lostAt = 0;
  }

  /** @param {number} at */
  lost(at) {
    if (this.#lostAt || !this.moves.length) return;
    this.#lostAt = at;
    this.#add({ at, path: "lost", gapMs: 0 });
  }

  /** The last way carries again. @param {number} at */
  healed(at) {
    const way = this.moves.findLast(({ path }) => path !== "lost")?.path;
    if (this.#lostAt && way && way !== "lost") this.took(way, at);
  }

  /** @param {Move} move */
  #add(move) {
    this.moves = [...this.moves, move].slice(-MOST);
  }
}
