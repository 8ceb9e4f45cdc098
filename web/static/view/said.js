// said.js: says to those who do not see the page what changes in a call: who is muted, whose picture is off, who shows a
// screen. What is on the page for those who see it is drawn elsewhere.

import { off } from "./remote.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./view.js").Model} Model */

export class Said {
  #page;
  #peer = "";
  /** @type {import("../protocol.js").MediaState | null} theirs, as it was said last */
  #was = null;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
  }

  /** @param {Model["call"]} call */
  draw(call) {
    const was = this.#was;
    const now = call?.phase === "accepted" ? call.theirs : null;
    this.#was = now;
    if (!call || !now) return void (was && this.say(""));
    const before = was && this.#peer === call.peer ? was : { audio: true, video: true, screen: false }; // as one expects it
    this.#peer = call.peer;
    const page = this.#page;
    const name = call.peer;
    const words = [];
    if (now.audio !== before.audio || now.audioCause !== before.audioCause) words.push(now.audio ? page.t("peerHeard", { name }) : off(page, "audio", call));
    if (now.screen !== before.screen) words.push(page.t(now.screen ? "peerSharing" : "peerSharesNoMore", { name }));
    if (!now.screen && (now.video !== before.video || now.videoCause !== before.videoCause)) words.push(now.video ? page.t("peerSeen", { name }) : off(page, "video", call));
    if (words.length) this.say(words.join(". "));
  }

  /** @param {string} words */
  say(words) {
    this.#page.text(this.#page.at("said"), words);
  }
}
