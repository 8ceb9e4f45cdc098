// report.js: tells the server how a call's media does: mediaConnected for each path, callStats now and then.

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./paths.js").PathInfo} PathInfo */

/** Between two callStats, in milliseconds; the server drops more than one every 5 s. */
const EVERY = 10_000;

export class Reporter {
  #send;
  /** @type {PathInfo | null} */
  #told = null;
  #statsAt = 0;

  /** @param {(message: ClientMessage, options?: {lossy?: boolean}) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {PathInfo} info
   * @param {import("./stats.js").Flow} flow
   * @param {number} setupMs from acceptance to the first decoded frame
   * @param {number} now
   */
  tell(info, flow, setupMs, now) {
    if (this.#told !== info) {
      this.#told = info;
      this.#send({ type: "mediaConnected", ...info, setupMs });
    }
    if (now - this.#statsAt < EVERY) return;
    this.#statsAt = now;
    this.#send({ type: "callStats", path: info.path, ...flow.summary(now) }, { lossy: true });
  }
}
