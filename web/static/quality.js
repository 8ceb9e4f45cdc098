// quality.js: how good a call is: a sample each second, and warnings that begin when it has been bad for a while and end when
// it is good again.

import { Emitter } from "./emitter.js";

/** @import { MediaState, PathName } from "./protocol.js" */
/** @import { Reading } from "./stats.js" */

/**
 * One second of a call. Loss, jitter and `receivedKbps` are of what comes, `sentKbps` of what goes; `frames` are pictures decoded.
 * @typedef {{path: PathName, rttMs: number, jitterMs: number, lossPct: number, receivedKbps: number, sentKbps: number, frames: number}} Sample
 */

/**
 * loss: much of what comes is lost; delay: it comes late; narrow: hardly anything can be sent; silence: the other side says that
 * it sends sound, and none comes.
 * @typedef {"loss" | "delay" | "narrow" | "silence"} WarningCode
 */

/** @typedef {{code: WarningCode, active: boolean}} Warning */

/** In milliseconds, between two samples. */
const EVERY = 1_000;

/** So many bad samples begin a warning, so many good ones end it. */
const BEGINS = 3;
const ENDS = 5;

/** What is bad, and what is no more: in between nothing changes. */
const LIMITS = Object.freeze({ loss: [8, 3], delay: [500, 350], narrow: [100, 150] });

/** @extends {Emitter<{sample: Sample, warning: Warning}>} */
export class Quality extends Emitter {
  /** @type {Set<WarningCode>} */
  active = new Set();
  /** @type {Map<WarningCode, number>} samples in a row that say another thing than `active` */
  #counts = new Map();
  /** @type {Reading | null} */
  #was = null;
  #at = 0;
  /** @type {unknown} */
  #leg = null;

  /**
   * @param {{leg: unknown, reading: Reading, path: PathName, theirs: MediaState}} seen leg: another one counts anew
   * @param {number} now
   */
  look({ leg, reading, path, theirs }, now) {
    const was = this.#was;
    const ms = now - this.#at;
    if (leg === this.#leg && was && ms < EVERY) return;
    this.#was = reading;
    this.#at = now;
    if (leg !== this.#leg || !was) {
      this.#leg = leg;
      return;
    }
    const lost = Math.max(0, reading.lost - was.lost);
    const all = lost + Math.max(0, reading.packets - was.packets);
    /** @param {number} bytes */
    const kbps = (bytes) => Math.max(0, Math.round((8 * bytes) / ms));
    const sample = {
      path, rttMs: Math.round(reading.rttMs), jitterMs: Math.round(reading.jitterMs), lossPct: all ? Math.round((1_000 * lost) / all) / 10 : 0,
      receivedKbps: kbps(reading.bytes - was.bytes), sentKbps: kbps(reading.bytesSent - was.bytesSent), frames: Math.max(0, reading.frames - was.frames),
    };
    this.emit("sample", sample);
    this.#judge("loss", beyond(sample.lossPct, LIMITS.loss));
    this.#judge("delay", beyond(sample.rttMs, LIMITS.delay));
    this.#judge("narrow", reading.estimate ? beyond(-reading.estimate, LIMITS.narrow.map((kbit) => -kbit)) : false);
    this.#judge("silence", theirs.audio && reading.audioPackets <= was.audioPackets);
  }

  /** Nothing is bad that is over. */
  close() {
    for (const code of this.active) this.#turn(code, false);
  }

  /** @param {WarningCode} code @param {boolean | null} bad null: neither */
  #judge(code, bad) {
    const active = this.active.has(code);
    if (bad === null || bad === active) return void this.#counts.delete(code);
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count >= (active ? ENDS : BEGINS)) this.#turn(code, !active);
  }

  /** @param {WarningCode} code @param {boolean} on */
  #turn(code, on) {
    this.#counts.delete(code);
    if (on) this.active.add(code);
    else this.active.delete(code);
    this.emit("warning", { code, active: on });
  }
}

/** @param {number} value @param {readonly number[]} limits */
function beyond(value, [bad, good]) {
  return value >= bad ? true : value <= good ? false : null;
}
