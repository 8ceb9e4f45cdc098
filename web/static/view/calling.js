// calling.js: a call that comes in while one looks elsewhere: a title that flashes, and a notification of the system's.

/** @typedef {import("./page.js").Page} Page */

/** How long the title says one thing, in milliseconds: hidden pages have no faster clock. */
const FLASH = 1_000;

export class Calling {
  #page;
  #Notification;
  #text = "";
  /** @type {any} */
  #timer = 0;
  /** @type {Notification | null} */
  #note = null;

  /** @param {Page} page @param {typeof Notification} [ctor] */
  constructor(page, ctor = globalThis.Notification) {
    this.#page = page;
    this.#Notification = ctor;
    page.doc.addEventListener("visibilitychange", () => page.doc.visibilityState === "visible" && this.#quiet());
  }

  /** Whether the user can be asked for leave to tell of calls. */
  get askable() {
    return this.#Notification?.permission === "default";
  }

  async ask() {
    await this.#Notification?.requestPermission();
  }

  /** @param {string} text who calls; "" when nobody does */
  draw(text) {
    if (text === this.#text) return;
    this.#text = text;
    clearInterval(this.#timer);
    this.#quiet();
    const { doc } = this.#page;
    doc.title = text ? `☎ ${text}` : "Duet";
    if (!text) return;
    this.#timer = setInterval(() => (doc.title = doc.title === "Duet" ? `☎ ${text}` : "Duet"), FLASH);
    if (doc.visibilityState === "visible" || this.#Notification?.permission !== "granted") return;
    try {
      this.#note = new this.#Notification(text, { tag: "call", icon: "favicon.svg", requireInteraction: true });
      this.#note.onclick = () => {
        doc.defaultView?.focus();
        this.#quiet();
      };
    } catch {
      // Phones want a service worker for these; the ring and the title are what is left.
    }
  }

  #quiet() {
    this.#note?.close();
    this.#note = null;
  }
}
