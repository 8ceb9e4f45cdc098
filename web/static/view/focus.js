// focus.js: the keyboard's place on the page. When what had the focus is hidden or disabled by us, something useful gets
// it; when the user took it away, nobody does.

export class Focus {
  #doc;
  /** @type {HTMLElement | null} what had the focus last, until the user took it away */
  #last = null;
  /** @type {HTMLElement | null} given for want of something better */
  #makeshift = null;

  /** @param {Document} doc */
  constructor(doc) {
    this.#doc = doc;
    doc.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLElement) this.#last = target;
      if (target !== this.#makeshift) this.#makeshift = null;
    });
    doc.addEventListener("focusout", () => {
      // A click beside everything; not a window that is left, where the focus stays on its element.
      queueMicrotask(() => doc.activeElement === doc.body && this.#last && usable(this.#last) && (this.#last = null));
    });
  }

  /** After each drawing: puts the focus on the first that can have it, if it was lost. @param {(HTMLElement | null)[]} candidates best first */
  keep(candidates) {
    const active = this.#doc.activeElement;
    const has = active instanceof HTMLElement && active !== this.#doc.body && usable(active);
    if (has ? active !== this.#makeshift : !this.#last || usable(this.#last)) return;
    const next = candidates.find((el) => el && usable(el));
    if (!next || next === active) return;
    this.#makeshift = next;
    next.focus({ preventScroll: true });
    if (next === candidates[0]) this.#makeshift = null;
  }
}

/** Whether an element can have the focus: it is there, to be seen, and not switched off. @param {HTMLElement} el */
function usable(el) {
  return el.isConnected && !(/** @type {HTMLButtonElement} */ (el).disabled) && el.getClientRects().length > 0;
}
