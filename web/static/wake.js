// wake.js: keeps the screen of a phone on during a call, where the browser can.

export class Wake {
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  #wanted = false;

  /** @param {Document} doc whose becoming visible is the moment to ask again */
  constructor(doc) {
    // The browser lets go whenever the page is hidden.
    doc.addEventListener("visibilitychange", () => doc.visibilityState === "visible" && void this.#ask());
  }

  /** @param {boolean} on */
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
    if (!this.#wanted) return;
    try {
      const lock = await navigator.wakeLock?.request("screen");
      if (this.#wanted) this.#lock = lock ?? null;
      else await lock?.release();
    } catch {
      // Low battery, or not allowed: the screen goes dark as always.
    }
  }
}
