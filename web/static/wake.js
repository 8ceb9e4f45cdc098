// wake.js: keeps the screen of a phone on during a call, where the browser can.

export class Wake {
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  #wanted = false;
  #asking = false;
  #doc;
  #wakeLock;

  /** @param {Document} doc @param {WakeLock} [wakeLock] */
  constructor(doc, wakeLock = globalThis.navigator?.wakeLock) {
    this.#doc = doc;
    this.#wakeLock = wakeLock;
    // The browser lets go whenever the page is hidden; and some give a lock only in a touch.
    for (const type of ["visibilitychange", "click"]) doc.addEventListener(type, () => void this.#ask());
  }

  /** Best called in a touch. @param {boolean} on */
  keep(on) {
    if (this.#wanted === on) return;
    this.#wanted = on;
    if (on) void this.#ask();
    else {
      void this.#lock?.release().catch(() => {});
      this.#lock = null;
    }
  }

  async #ask() {
    if (!this.#wanted || this.#lock || this.#asking || this.#doc.visibilityState !== "visible") return;
    this.#asking = true;
    try {
      const lock = await this.#wakeLock?.request("screen");
      if (!this.#wanted) await lock?.release();
      else if (lock) {
        this.#lock = lock;
        lock.addEventListener("release", () => {
          if (this.#lock === lock) this.#lock = null;
          this.#asking = false;
          void this.#ask();
        });
      }
    } catch {
      // Low battery, or not in a touch: the next one may do.
    }
    this.#asking = false;
  }
}
