// numbers.js: the numbering of a session's messages, both ways: what was sent is kept until it is acknowledged, what is
// heard is heard once and in order.

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */

/** Messages heard before an acknowledgement of their own is due. */
const ACK_EVERY = 32;

export class Numbers {
  #sent = 0; // our last seq
  /** @type {(ClientMessage & {seq: number})[]} */
  #unacked = [];
  #acked = 0; // what we last acknowledged
  /** The server's last seq. */
  heard = 0;
  #adopting = false; // the session is another page's, which may have heard more than we know

  /** What is to be said again. */
  get unacked() {
    return [...this.#unacked];
  }

  forget() {
    this.#sent = this.heard = this.#acked = 0;
    this.#unacked = [];
    this.#adopting = false;
  }

  /** Goes on where another page has been. @param {number} heard */
  adopt(heard) {
    this.heard = heard;
    this.#adopting = true;
  }

  /** @param {ClientMessage} message */
  number(message) {
    const numbered = { ...message, seq: ++this.#sent };
    this.#unacked.push(numbered);
    return numbered;
  }

  /** The server has processed ours up to this one. @param {number} ack */
  acknowledged(ack) {
    while (this.#unacked.length && this.#unacked[0].seq <= ack) this.#unacked.shift();
  }

  /**
   * The session goes on. @param {{restored: boolean, ack: number, applied?: number}} how restored: with a new process, which
   *   knows ours as far as applied, by their old numbers
   */
  resumed({ restored, ack, applied = 0 }) {
    if (restored) {
      this.acknowledged(applied);
      // Its numbering starts anew, and so does ours.
      this.heard = this.#acked = this.#sent = 0;
      this.#unacked = this.#unacked.map((message) => ({ ...message, seq: ++this.#sent }));
    } else if (this.#adopting) this.#sent = ack;
    else this.acknowledged(ack);
  }

  /** Takes a number of theirs. @param {number} seq @returns {"next" | "again" | "gap"} */
  hear(seq) {
    if (seq <= this.heard) return "again";
    if (seq > this.heard + 1 && !this.#adopting) return "gap";
    this.#adopting = false;
    this.heard = seq;
    return "next";
  }

  /** What to acknowledge now; it counts as done. */
  ack() {
    return (this.#acked = this.heard);
  }

  /** Whether so much was heard that it should be acknowledged by itself. */
  get ackDue() {
    return this.heard - this.#acked >= ACK_EVERY;
  }
}
