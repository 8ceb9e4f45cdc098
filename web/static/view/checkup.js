// checkup.js: the panel that tries what a call needs, and says of each whether it works and what to do where it does not.

import { explain, translate } from "../i18n.js";
import { WORDS } from "../words.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../check.js").Check} Check */

export class Checkup {
  #page;
  #status;
  #list;

  /** @param {Page} page @param {() => Promise<Check[]>} check */
  constructor(page, check) {
    this.#page = page;
    const dialog = /** @type {HTMLDialogElement} */ (page.make("dialog", "panel"));
    dialog.dataset.testid = "checkup";
    const title = page.make("h2");
    title.id = "checkup-title";
    title.tabIndex = -1;
    title.textContent = this.#t("checkup");
    dialog.setAttribute("aria-labelledby", title.id);
    this.#status = page.make("p", "hint");
    this.#status.setAttribute("role", "status");
    this.#list = page.make("ul", "checks");
    const close = page.make("button", "primary");
    close.setAttribute("type", "button");
    close.dataset.testid = "checkup-close";
    close.textContent = this.#t("close");
    close.addEventListener("click", () => dialog.close());
    dialog.append(title, this.#status, this.#list, close);
    dialog.addEventListener("close", () => dialog.remove());
    page.doc.body.append(dialog);
    dialog.showModal();
    title.focus();
    void this.#run(check);
  }

  /** @param {string} key */
  #t(key) {
    return translate(this.#page.language, key, {}, WORDS);
  }

  /** @param {() => Promise<Check[]>} check */
  async #run(check) {
    this.#status.textContent = this.#t("checking");
    const all = await check();
    for (const one of all) this.#list.append(this.#row(one));
    this.#status.textContent = this.#t(verdict(all));
  }

  /** @param {Check} check */
  #row({ what, ok, ms, code }) {
    const page = this.#page;
    const row = page.make("li");
    row.dataset.ok = String(ok);
    row.dataset.testid = `check-${what}`;
    const name = page.make("b");
    name.textContent = this.#t(`check_${what}`);
    const words = page.make("span");
    words.textContent = ok ? `${this.#t("works")}${ms ? `, ${ms} ms` : ""}` : explain(page.language, "checked", `${code}_${what}`, {}, WORDS);
    row.append(page.icon(ok ? "i-done" : "i-close"), name, words);
    return row;
  }
}

/** What it comes to: a call needs the server and one way. @param {Check[]} all */
export function verdict(all) {
  /** @param {Check["what"][]} kinds */
  const some = (kinds) => all.some(({ what, ok }) => ok && kinds.includes(what));
  if (!some(["server"])) return "verdictServer";
  const ways = all.some(({ what }) => what === "stun"); // who has not joined has no servers to try
  if (ways && !some(["stun", "turn-udp"])) return some(["turn-tcp", "turn-tls"]) ? "verdictTCP" : "verdictNone";
  return some(["microphone"]) ? "verdictGood" : "verdictDeaf";
}
