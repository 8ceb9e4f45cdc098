// current.js: the leg that is seen and heard at the moment, and the path that its media takes.

import { Emitter } from "./emitter.js";

/** @typedef {import("./leg.js").Leg} Leg */
/** @typedef {import("./paths.js").PathInfo} PathInfo */

/** No frame for so long, in milliseconds, and the picture stands still. */
const STILL = 3_000;

/** @extends {Emitter<{tracks: import("./peer.js").Tracks, path: PathInfo, still: boolean}>} */
export class Current extends Emitter {
  #still = false;
  /** @type {Leg | null} */
  leg = null;
  /** @type {PathInfo | null} the last that was known */
  info = null;

  /** Shows and plays this leg. Tells whether it is another than before. @param {Leg} leg */
  use(leg) {
    if (this.leg === leg) return false;
    this.leg = leg;
    this.emit("tracks", { ...leg.tracks });
    this.name();
    return true;
  }

  /** A leg brought a track. Tells whether that leg should be used now. @param {Leg} leg */
  arrived(leg) {
    if (this.leg === leg) this.emit("tracks", { ...leg.tracks });
    return !this.leg;
  }

  /** @param {Leg} leg */
  gone(leg) {
    if (this.leg === leg) this.leg = null;
  }

  /** Says whether the picture stands still; one of a screen may. @param {import("./protocol.js").MediaState} theirs @param {number} now */
  look(theirs, now) {
    const flow = this.leg?.flow;
    const still = !!flow?.shownAt && !theirs.screen && !!this.leg?.expects(theirs).video && now - flow.shownAt > STILL;
    if (still === this.#still) return;
    this.#still = still;
    this.emit("still", still);
  }

  /** Says by which path media travels, when that has changed. */
  name() {
    const path = this.leg?.path;
    if (!this.leg || !path) return;
    const { candidateType, protocol } = this.leg.flow.last;
    const was = this.info;
    if (was && was.path === path && was.candidateType === candidateType && was.protocol === protocol) return;
    this.info = { path, candidateType, protocol };
    this.emit("path", this.info);
  }
}
