// calls.js: the calls of late, missed ones first to see: who, when, and a button that calls back.

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../history.js").Past} Past */

/** So many are shown before one asks for all. */
const FEW = 4;

export class Calls {
  #page;
  #shown = "";
  #all = false;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
  }

  more() {
    this.#all = true;
  }

  /** @param {Past[]} past @param {number} unseen @param {Set<string>} free names of those who can be called now */
  draw(past, unseen, free) {
    const page = this.#page;
    page.at("calls").hidden = !past.length;
    page.text(page.at("missed"), unseen ? page.t(unseen === 1 ? "missedOne" : "missedMany", { count: unseen }) : "");
    const shown = past.slice(0, this.#all ? past.length : FEW);
    page.at("more-calls").hidden = shown.length === past.length;
    const now = JSON.stringify([page.language, shown, shown.map(({ who }) => free.has(who)), new Date().toDateString()]);
    if (now === this.#shown) return;
    this.#shown = now;
    const list = page.at("past");
    const focused = page.doc.activeElement instanceof HTMLElement && list.contains(page.doc.activeElement) ? page.doc.activeElement.dataset.at : "";
    for (const row of [...list.children]) row.remove();
    for (const one of shown) list.append(this.#row(one, free.has(one.who)));
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-at="${focused}"]`))?.focus();
  }

  /** @param {Past} past @param {boolean} free */
  #row({ who, at, kind, seconds }, free) {
    const page = this.#page;
    const row = page.make("li", "past");
    row.dataset.kind = kind;
    row.dataset.testid = "past-call";
    const words = page.make("div", "who");
    const name = page.make("b");
    name.textContent = who;
    name.setAttribute("dir", "auto");
    const what = page.make("small");
    const length = seconds >= 60 ? page.t("minutes", { count: Math.round(seconds / 60) }) : page.t("seconds", { count: seconds });
    what.textContent = [page.t(`past_${kind}`), when(page, at), ...(seconds ? [length] : [])].join(" · ");
    words.append(name, what);
    const call = page.make("button", "call");
    call.setAttribute("type", "button");
    call.dataset.action = "dial";
    call.dataset.username = who;
    call.dataset.at = String(at);
    call.dataset.testid = "call-back";
    call.setAttribute("aria-label", page.t(kind === "out" || kind === "unanswered" ? "callUser" : "callBack", { name: who }));
    call.title = page.t(kind === "out" || kind === "unanswered" ? "callUser" : "callBack", { name: who });
    /** @type {HTMLButtonElement} */ (call).disabled = !free;
    call.append(page.icon("i-phone"));
    row.append(words, call);
    return row;
  }
}

/** The time of today, or the day. @param {Page} page @param {number} at */
function when(page, at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  const locale = page.language === "zh" ? "zh-CN" : "en-GB";
  return today ? date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" }) : date.toLocaleDateString(locale, { day: "numeric", month: "short" });
}
