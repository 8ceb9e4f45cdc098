// relay.js: what has been agreed with the server about relaying this call. Legs and media are not known here.

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */

/**
 * In milliseconds: a relay that was lost may be had again soon, one that is lost before it was ready after twice the time each
 * time; one that says it is not to be had is asked again after twice the time at each refusal, from `refused`; none after more
 * than `most`. A request without any answer died with a server; one that was granted should be ready after `ready`.
 */
const TIMES = Object.freeze({ again: 500, refused: 2_000, most: 60_000, unheard: 5_000, ready: 5_000 });

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
  /** TURN may be used towards the other person: not where the operator prefers the relay, unless that fails. */
  turn;
  #askedAt = 0;
  #startedAt = 0;
  #refusals = 0;
  #failures = 0;
  #refusedUntil = 0;
  #mode;
  #force;
  #send;
  #now;

  /**
   * @param {{mode: "off" | "fallback" | "prefer" | "always", force: import("./protocol.js").PathName | null,
   *   send: (message: ClientMessage) => void, now: () => number}} options
   */
  constructor({ mode, force, send, now }) {
    this.#mode = mode;
    this.#force = force;
    this.#send = send;
    this.#now = now;
    this.turn = !this.#instead;
  }

  /** The relay comes before TURN. */
  get #instead() {
    return this.#mode === "prefer" && this.#force !== "turn";
  }

  /** It was granted and does not come up. */
  get overdue() {
    return this.started && !this.readyAt && this.#now() - this.#startedAt > TIMES.ready;
  }

  /** The operator wants no other path: it hides the parties' addresses from each other. */
  get only() {
    return this.#mode === "always";
  }

  /** The relay is the path from the start. */
  get first() {
    return this.only || this.#force === "relay";
  }

  get #possible() {
    return this.only || (this.#mode !== "off" && this.#force !== "direct" && this.#force !== "turn");
  }

  get allowed() {
    return this.#possible && this.#now() >= this.#refusedUntil;
  }

  /** Asking makes sense: it is not on its way already. */
  get mayAsk() {
    return this.allowed && !this.started && (!this.asked || this.#now() - this.#askedAt > TIMES.unheard);
  }

  /** @param {"ice-failed" | "ice-timeout" | "user"} reason */
  ask(reason) {
    this.dueAt = Infinity;
    if (this.started || this.#mode === "off") return;
    this.asked = true;
    this.#askedAt = this.#now();
    this.#send({ type: "relayRequest", reason });
  }

  /** The server relays now. @param {string} [reason] */
  start(reason) {
    this.dueAt = Infinity;
    this.started = true;
    this.#startedAt = this.#now();
    this.#refusals = 0;
    if (reason === "user") this.wanted = true;
  }

  /** Both ends carry. */
  ready() {
    this.readyAt ||= this.#now();
    this.#failures = 0;
    this.turn = !this.#instead;
  }

  /** The server cannot, or can no longer. What answers no request of ours says nothing of the next one. */
  lost() {
    let wait = 0;
    if (this.started) wait = TIMES.again * 2 ** this.#failures++;
    else if (this.asked) wait = TIMES.refused * 2 ** this.#refusals++;
    this.asked = this.started = false;
    this.readyAt = 0;
    if (wait) this.#refusedUntil = this.#now() + Math.min(TIMES.most, wait);
  }

  askAgain() {
    if (this.#possible) this.dueAt = Math.max(this.#now() + TIMES.again, this.#refusedUntil);
  }

  /** In a word, for a diagnosis. @param {string} [state] of our leg */
  fared(state) {
    if (this.started) return state === "connected" ? "connected" : "silent";
    return this.asked ? "refused" : "";
  }

  /** Both ends have left the relay, or it is about to be set up anew. */
  reset() {
    this.asked = this.started = this.wanted = false;
    this.readyAt = 0;
  }
}
