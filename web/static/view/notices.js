// notices.js: short lines that say what has happened, and go after a while, but not while somebody is at one.

/** @typedef {import("./page.js").Page} Page */

export class Notices {
  #page;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
  }

  /** @param {string} text @param {{tone: "info" | "warn", ms: number}} how */
  add(text, { tone, ms }) {
    const page = this.#page;
    const box = page.at("notices");
    for (const old of [...box.children]) if (old.textContent?.trim() === text) old.remove();
    while (box.children.length > 2) box.firstElementChild?.remove();
    const line = page.make("div", "notice");
    line.dataset.tone = tone;
    line.dataset.testid = "notice";
    const words = page.make("span");
    words.textContent = text;
    words.setAttribute("dir", "auto");
    const close = page.make("button", "quiet icon");
    close.setAttribute("type", "button");
    close.setAttribute("aria-label", page.t("dismiss"));
    close.append(page.icon("i-close"));
    close.addEventListener("click", () => line.remove());
    line.append(words, close);
    box.append(line);

    /** @type {any} */
    let timer = 0;
    const held = new Set();
    const go = () => {
      clearTimeout(timer);
      if (!held.size) timer = setTimeout(() => line.remove(), ms);
    };
    for (const [type, holds, by] of /** @type {const} */ ([["pointerenter", true, "pointer"], ["pointerleave", false, "pointer"], ["focusin", true, "focus"], ["focusout", false, "focus"]])) {
      line.addEventListener(type, () => {
        if (holds) held.add(by);
        else held.delete(by);
        go();
      });
    }
    go();
  }
}
