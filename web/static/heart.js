// heart.js: asks the other end of a connection whether it is there, at the pace of the moment.

export class Heart {
  #pace;
  #ask;
  #silent;
  #now;
  /** @type {any} */
  #next = 0;
  /** @type {any} */
  #deadline = 0;
  #due = Infinity; // when an answer must have come

  /**
   * @param {{pace: () => {ping: number, pong: number}, ask: () => void, silent: () => void, now: () => number}} options
   *   pace: between two questions, and until an answer, in milliseconds; silent: none has come
   */
  constructor({ pace, ask, silent, now }) {
    this.#pace = pace;
    this.#ask = ask;
    this.#silent = silent;
    this.#now = now;
  }

  /** Asks now and from now on. */
  beat() {
    const { ping, pong } = this.#pace();
    clearTimeout(this.#next);
    this.ask(pong);
    this.#next = setTimeout(() => this.beat(), ping);
  }

  /** Asks once more. Anything heard within the deadline is an answer. @param {number} deadline */
  ask(deadline) {
    this.#ask();
    const due = this.#now() + deadline;
    if (due >= this.#due) return; // an earlier question is still open
    this.#due = due;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(this.#silent, deadline);
  }

  heard() {
    clearTimeout(this.#deadline);
    this.#due = Infinity;
  }

  stop() {
    clearTimeout(this.#next);
    this.heard();
  }
}
