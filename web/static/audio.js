// audio.js: the page's one AudioContext. Browsers let it run only after the user has touched the page, stop it for a phone
// call, and say so or not; so it is made and resumed in a touch, and again whenever that may help.

import { Emitter } from "./emitter.js";

/** What counts as touching the page: where a finger comes down does not, in most browsers. */
const TOUCHES = ["click", "pointerup", "touchend", "keydown"];

/**
 * Events: `running`: sound can be made from now on.
 * @extends {Emitter<{running: void}>}
 */
export class PageAudio extends Emitter {
  /** @type {AudioContext | null} */
  #context = null;
  #make;

  /**
   * @param {{window?: EventTarget, document?: EventTarget, AudioContext?: typeof AudioContext}} [browser]
   */
  constructor({ window: w = globalThis.window, document: d = globalThis.document, AudioContext: make = globalThis.AudioContext } = {}) {
    super();
    this.#make = make;
    const wake = () => this.#context && this.wake();
    for (const type of TOUCHES) w?.addEventListener(type, wake, { capture: true });
    w?.addEventListener("pageshow", wake);
    d?.addEventListener("visibilitychange", wake);
  }

  get running() {
    return this.#context?.state === "running";
  }

  /** Null where the browser has none. */
  get context() {
    if (!this.#context && this.#make) {
      try {
        this.#context = new this.#make();
        // Also "interrupted", which not every list of states has.
        this.#context.addEventListener("statechange", () => (this.running ? this.emit("running", undefined) : this.wake()));
      } catch {
        return null; // forbidden, or too many of them
      }
    }
    return this.#context;
  }

  /** Where sounds are heard. @param {string} id as setSinkId takes it */
  speaker(id) {
    const context = /** @type {AudioContext & {setSinkId?: (id: string) => Promise<void>, sinkId?: string} | null} */ (this.#context); // not in every browser
    if (context && (context.sinkId ?? "") !== id) void context.setSinkId?.(id).catch(() => {}); // gone: the system's own is heard
  }

  /** Best called in a touch. */
  wake() {
    const { context } = this;
    if (context && context.state !== "running" && context.state !== "closed") void context.resume().catch(() => {}); // not yet allowed
  }
}
