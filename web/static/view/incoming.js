// incoming.js: the dialog that a call rings in. Whoever types when it comes up must not answer by that, so keys are deaf
// at first, and then only a key that was pressed and let go on a button is an answer.

import { Calling } from "./calling.js";

/** @typedef {import("./page.js").Page} Page */

/** How long keys are deaf, in milliseconds: longer than the pause between two words of somebody who types. */
const DEAF = 1_000;

export class Incoming {
  #page;
  #dialog;
  #now;
  #openedAt = 0;
  #rings = false;
  #calling;
  /** @type {{button: Element, key: string} | null} a key that is down, and where it went down */
  #pressed = null;

  /** @param {Page} page @param {() => number} [now] */
  constructor(page, now = () => performance.now()) {
    this.#page = page;
    this.#now = now;
    this.#calling = new Calling(page);
    const dialog = (this.#dialog = /** @type {HTMLDialogElement} */ (page.at("incoming")));
    // Escape must not refuse a call by accident. Browsers insist after some tries; then it opens again.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => this.#rings && this.#open());
    dialog.addEventListener("keydown", (event) => this.#down(event));
    dialog.addEventListener("keyup", (event) => this.#up(event));
    dialog.addEventListener("click", (event) => this.#click(event), { capture: true });
  }

  /** Tells whether it has just stopped ringing. @param {{peer: string, audioOnly: boolean, lookalike: boolean} | null} call that rings here, or null @param {import("./view.js").Model["local"]} local */
  draw(call, local) {
    const page = this.#page;
    const rang = this.#rings;
    this.#rings = call !== null;
    if (call) {
      page.text(page.at("incoming-title"), page.t("incoming", { name: call.peer }));
      page.text(page.at("incoming-kind"), page.t(call.audioOnly ? "incomingAudio" : "incomingVideo"));
      page.text(page.at("incoming-lookalike"), call.lookalike ? page.t("incomingLookalike") : "");
      page.avatar(page.at("incoming-avatar"), call.peer);
      if (!this.#dialog.open) {
        this.#openedAt = this.#now();
        this.#pressed = null;
        this.#open();
      }
    } else if (this.#dialog.open) this.#dialog.close();
    this.#drawSelf(call ? local : null);
    this.#calling.draw(call ? page.t("incoming", { name: call.peer }) : "");
    return rang && !call;
  }

  /** How one would be seen. @param {import("./view.js").Model["local"] | null} local */
  #drawSelf(local) {
    const self = this.#page.video("incoming-self");
    const track = local?.video ?? null;
    self.hidden = !track;
    self.classList.toggle("mirror", Boolean(local?.mirror));
    const shown = self.srcObject instanceof MediaStream ? self.srcObject.getTracks()[0] : null;
    if (track === shown) return;
    self.srcObject = track && new MediaStream([track]);
    if (track) void self.play().catch(() => {});
  }

  #open() {
    this.#dialog.showModal();
    this.#page.at("incoming-title").focus(); // says who calls, and does nothing when a key is pressed on it
  }

  /** What tells of a call while one looks elsewhere. */
  get calling() {
    return this.#calling;
  }

  get #deaf() {
    return this.#now() - this.#openedAt < DEAF;
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (event.key === "Escape") return event.preventDefault();
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!event.repeat) this.#pressed = button && !this.#deaf ? { button, key: event.key } : null;
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    const pressed = this.#pressed;
    this.#pressed = null;
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (pressed?.button === button && pressed?.key === event.key && button instanceof HTMLButtonElement) button.click();
  }

  /** A click that no pointer made came from a key, or from what helps somebody to press one. @param {MouseEvent} event */
  #click(event) {
    if (!event.isTrusted || event.detail !== 0 || !this.#deaf) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
