// route.js: the panel that draws how a call travels: through what, how well, and which ways it has taken, in a form that
// can be sent to whoever runs the server.

import { translate } from "../i18n.js";
import { WORDS } from "../words.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("../quality.js").Sample} Sample */
/**
 * @typedef {object} Trip what the panel shows
 * @property {string} me
 * @property {string} peer
 * @property {import("../paths.js").PathInfo | null} path
 * @property {Sample | null} sample
 * @property {import("../journey.js").Move[]} moves
 */

export class Route {
  #page;
  #dialog;
  /** @type {Trip | null} */
  #trip = null;

  /** @param {Page} page @param {{copied: () => void, closed: () => void}} deeds */
  constructor(page, { copied, closed }) {
    this.#page = page;
    const dialog = (this.#dialog = /** @type {HTMLDialogElement} */ (page.make("dialog", "panel")));
    dialog.dataset.testid = "route";
    const title = page.make("h2");
    title.id = "route-title";
    title.tabIndex = -1;
    title.textContent = this.#t("route");
    dialog.setAttribute("aria-labelledby", title.id);
    this.#body = page.make("div");
    const copy = this.#button("copyRoute", "quiet", async () => {
      await navigator.clipboard.writeText(report(this.#trip));
      copied();
    });
    dialog.append(title, this.#body, copy, this.#button("close", "primary", () => dialog.close()));
    dialog.addEventListener("close", () => {
      dialog.remove();
      closed();
    });
    page.doc.body.append(dialog);
    dialog.showModal();
    title.focus();
  }

  #body;

  close() {
    this.#dialog.close();
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  #t(key, values) {
    return translate(this.#page.language, key, values, WORDS);
  }

  /** @param {string} key @param {string} classes @param {() => void} does */
  #button(key, classes, does) {
    const button = this.#page.make("button", classes);
    button.setAttribute("type", "button");
    button.dataset.testid = `route-${key}`;
    button.textContent = this.#t(key);
    button.addEventListener("click", does);
    return button;
  }

  /** @param {Trip} trip */
  draw(trip) {
    this.#trip = trip;
    const page = this.#page;
    const { path, sample, moves, me, peer } = trip;
    const drawing = page.make("div", "route");
    drawing.setAttribute("aria-hidden", "true"); // the sentence below says it
    drawing.append(this.#stop(me, this.#t("you")), page.make("i"));
    if (path && path.path !== "direct") {
      const server = page.make("span", "stop");
      const sign = page.make("span", "avatar");
      sign.append(page.icon(path.path === "relay" ? "i-relay" : "i-lock"));
      const name = page.make("small");
      name.textContent = this.#t(path.path === "relay" ? "relay" : "turn");
      server.append(sign, name);
      drawing.append(server, page.make("i"));
    }
    drawing.append(this.#stop(peer, peer));
    const hint = page.make("p", "hint");
    if (path) hint.textContent = page.t(`pathHint_${path.path}`);
    const facts = page.make("dl", "measures");
    for (const [key, value] of measures(trip)) {
      const term = page.make("dt");
      term.textContent = this.#t(key);
      const number = page.make("dd");
      number.textContent = value;
      facts.append(term, number);
    }
    facts.hidden = !sample;
    const list = page.make("ol", "moves");
    for (const move of moves) {
      const row = page.make("li");
      const words = move.path === "lost" ? this.#t("lost") : page.t(`path_${move.path}`);
      row.textContent = `${new Date(move.at).toTimeString().slice(0, 8)} ${words}${move.gapMs ? `, ${this.#t("gap", { seconds: (move.gapMs / 1_000).toFixed(1) })}` : ""}`;
      list.append(row);
    }
    for (const old of [...this.#body.children]) old.remove();
    this.#body.append(drawing, hint, facts, list);
  }

  /** @param {string} name @param {string} label */
  #stop(name, label) {
    const page = this.#page;
    const stop = page.make("span", "stop");
    const avatar = page.make("span", "avatar");
    page.avatar(avatar, name);
    const words = page.make("small");
    words.textContent = label;
    words.setAttribute("dir", "auto");
    stop.append(avatar, words);
    return stop;
  }
}

/** @param {Trip} trip @returns {[string, string][]} */
function measures({ path, sample }) {
  if (!sample) return [];
  return [
    ["rtt", `${sample.rttMs} ms`], ["loss", `${sample.lossPct} %`], ["jitter", `${sample.jitterMs} ms`],
    ["received", `${sample.receivedKbps} kbit/s`], ["sent", `${sample.sentKbps} kbit/s`], ["frames", String(sample.frames)],
    ["protocol", path ? `${path.protocol.toUpperCase()}, ${path.candidateType}` : ""],
  ];
}

/** In the operator's words, whatever language the page speaks; it names nobody. @param {Trip | null} trip */
export function report(trip) {
  if (!trip) return "";
  const now = measures(trip).map(([key, value]) => `${key} ${value}`).join(", ");
  return [`path ${trip.path?.path ?? "none"}`, now, ...trip.moves.map(({ at, path, gapMs }) => `${new Date(at).toISOString()} ${path}${gapMs ? ` after ${gapMs} ms` : ""}`)].join("\n");
}
