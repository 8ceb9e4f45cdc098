// recovery.js: notices a leg that carries nothing any more, and restarts it.

import { RECOVERY as TIMES } from "./times.js";

/** @typedef {import("./leg.js").Leg} Leg */

export class Recovery {
  #renew;
  #now;

  /** @param {{renew: () => Promise<void>, now: () => number}} options renew: makes sure of the signaling connection */
  constructor({ renew, now }) {
    this.#renew = renew;
    this.#now = now;
  }

  /**
   * carries: all is well; waits: it has not come up yet; dead: something must be done.
   *
   * A leg is dead when ICE says so, or when nothing at all comes though we send to somebody who would tell at once how
   * that fares. That no media comes is no sign of it: the other side may have nothing to send, and not say so.
   * A plain client may agree to tell and not tell; where media was the last that came of it, silence is a sign, too.
   * @param {Leg} leg
   * @param {{theirs: import("./protocol.js").MediaState, ours: import("./protocol.js").MediaState, plain: boolean}} says what each side
   *   says that it sends; plain: the counterpart is not of our kind
   * @param {number} now
   * @returns {"carries" | "waits" | "dead"}
   */
  judge(leg, { theirs, ours, plain }, now) {
    const { flow } = leg;
    const { state } = leg.peer;
    if (state !== "disconnected") leg.shakySince = 0;
    else leg.shakySince ||= now;
    const shaky = leg.shakySince > 0 && now - leg.shakySince > TIMES.grace && now - flow.heardAt >= TIMES.recent;
    const ofOurKind = /^(tcp|tls)$/.test(flow.last.protocol) ? TIMES.silentTcp : TIMES.silent;
    const silent = plain ? TIMES.silentPlain : ofOurKind;
    const { audio, video, screen } = ours;
    const told = leg.acknowledged({ audio, video: video || screen }, now) || (plain && flow.endedWithMedia);
    const limit = told ? silent : flow.last.checksTold ? TIMES.unchecked : Infinity; // else ICE's own state has to do
    const quiet = flow.silentFor(now) > limit;
    if (state === "failed" || shaky || quiet) return "dead";
    if (!leg.carries(leg.expects(theirs), now)) return "waits";
    leg.repairs = 0;
    return "carries";
  }

  /**
   * Restarts ICE once signaling is known to work; not too often, unless forced.
   * @param {Leg} leg
   * @param {{force?: boolean}} [options]
   */
  async repair(leg, { force = false } = {}) {
    if (!force && this.#now() - leg.repairedAt < this.patience(leg)) return;
    leg.repairedAt = this.#now();
    leg.repairs++;
    await this.#renew();
    // The other side may have been faster, and one restart serves both.
    if (leg.closed || (!force && this.#now() - leg.restartedAt < TIMES.repair)) return;
    leg.restartedAt = this.#now();
    leg.peer.restart();
  }

  /** How long a repair of this leg may take before it is tried again, in milliseconds. @param {Leg} leg */
  patience(leg) {
    return TIMES.repair * 1.5 ** Math.min(leg.repairs, 4);
  }
}
