// relay.js: what has been agreed with the server about relaying this call. Legs and media are not known here.

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */

/** A relay that is off or full is not asked again for so long; one that was lost may be had again soon. In milliseconds. */
const TIMES = Object.freeze({ refused: 60_000, again: 500 });

export class RelayTerms {
  /** We asked for it, so we may also take it back. */
  asked = false;
  /** relayStart was heard, and nothing has ended it. */
  started = false;
  /** A person wants it: there is no way back by itself. */
  wanted = false;
  /** When relayReady was heard; 0: it was not. */
  readyAt = 0;
  /** When to ask for it. */
  dueAt = Infinity;
  #refusedUntil = 0;
  #mode;
  #force;
  #send;
  #now;

  /**
   * @param {{mode: "off" | "fallback" | "always", force: import("./protocol.js").PathName | null,
   *   send: (message: ClientMessage) => void, now: () => number}} options
   */
  constructor({ mode, force, send, now }) {
    this.#mode = mode;
    this.#force = force;
    this.#send = send;
    this.#now = now;
  }

  /** The relay is the path from the start. */
  get first() {
    return this.#force === "relay" || (this.#mode === "always" && !this.#force);
  }

  get allowed() {
    return this.#mode !== "off" && this.#force !== "direct" && this.#force !== "turn" && this.#now() >= this.#refusedUntil;
  }

  /** @param {"ice-failed" | "ice-timeout" | "user"} reason */
  ask(reason) {
    this.dueAt = Infinity;
    if (this.started || this.#mode === "off") return;
    this.asked = true;
    this.#send({ type: "relayRequest", reason });
  }

  /** The server relays now. @param {string} [reason] */
  start(reason) {
    this.dueAt = Infinity;
    this.started = true;
    if (reason === "user") this.wanted = true;
  }

  /** The server cannot, or can no longer. @param {string} code */
  lost(code) {
    this.asked = this.started = false;
    this.readyAt = 0;
    if (code === "relay-unavailable") this.#refusedUntil = this.#now() + TIMES.refused;
  }

  askAgain() {
    if (this.allowed) this.dueAt = this.#now() + TIMES.again;
  }

  /** Both ends have left the relay, or it is about to be set up anew. */
  reset() {
    this.asked = this.started = this.wanted = false;
    this.readyAt = 0;
  }
}
