// choice.js: which of two legs a call goes on with, where it has one to the relay.

import { PATHS as TIMES } from "./times.js";

/** @typedef {import("./leg.js").Leg} Leg */

/**
 * back: to the direct way, and say so; leave: the same because the other side has said so; relay: to the relay; "": stay.
 * @param {{ready: Leg | null, direct: Leg | null, relay: Leg, carries: boolean, current: boolean, leavingSince: number,
 *   terms: import("./relay.js").RelayTerms}} legs ready: the direct one, if it carries; carries: the relay's does, current:
 *   it is seen; leavingSince: when relayStop was heard
 * @param {number} now
 * @returns {"back" | "leave" | "relay" | ""}
 */
export function choose({ ready, direct, relay, carries, current, leavingSince, terms }, now) {
  const steady = ready ? now - ready.steadySince : 0;
  if (leavingSince) {
    const late = direct && now - leavingSince > TIMES.ready && !relay.flow.steadySince;
    return ready || late ? "leave" : "";
  }
  if (current) return ready?.ours && steady > TIMES.stable ? "back" : "";
  if (!terms.readyAt) return "";
  // One that has just come up may be about to carry.
  const rising = direct?.peer.state === "connected" && now - direct.connectedSince < TIMES.ready;
  if (rising && !ready && !terms.wanted && !terms.first && now - terms.readyAt < TIMES.hold) return "";
  // A direct path that came back meanwhile makes the relay unnecessary, if it lasts.
  const stay = ready && !terms.wanted && !terms.first;
  if (stay && terms.asked && steady > TIMES.healed) return "back";
  if (stay && (terms.asked || now - terms.readyAt < TIMES.hold)) return "";
  return carries || now - terms.readyAt > TIMES.ready ? "relay" : "";
}
