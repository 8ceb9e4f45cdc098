// page.js: hands on the document: finding, making and filling elements, and the words in the language of the moment.

import { translate } from "../i18n.js";
import { hueOf, initial } from "../virtual.js";

/** @typedef {import("../i18n.js").Language} Language */

export class Page {
  /** @type {Language} */
  language = "en";

  /** @param {Document} doc */
  constructor(doc) {
    this.doc = doc;
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  t(key, values) {
    return translate(this.language, key, values);
  }

  /** @param {string} id */
  at(id) {
    return /** @type {HTMLElement} */ (this.doc.getElementById(id));
  }

  /** @param {string} id */
  input(id) {
    return /** @type {HTMLInputElement} */ (this.doc.getElementById(id));
  }

  /** @param {string} id */
  video(id) {
    return /** @type {HTMLVideoElement} */ (this.doc.getElementById(id));
  }

  /** @param {string} action */
  button(action) {
    return /** @type {HTMLButtonElement} */ (this.doc.querySelector(`button[data-action="${action}"]`));
  }

  /** @param {string} selector @returns {NodeListOf<HTMLElement>} */
  all(selector) {
    return this.doc.querySelectorAll(selector);
  }

  /** @param {string} tag @param {string} [classes] */
  make(tag, classes = "") {
    const el = this.doc.createElement(tag);
    if (classes) el.className = classes;
    return el;
  }

  /** @param {string} id */
  icon(id) {
    const ns = "http://www.w3.org/2000/svg";
    const svg = this.doc.createElementNS(ns, "svg");
    svg.setAttribute("aria-hidden", "true");
    const use = this.doc.createElementNS(ns, "use");
    use.setAttribute("href", `#${id}`);
    svg.append(use);
    return svg;
  }

  /** @param {HTMLElement} el @param {string} text */
  text(el, text) {
    if (el.textContent !== text) el.textContent = text; // a live region speaks at each write
  }

  /** @param {HTMLElement} el @param {string} text */
  label(el, text) {
    el.setAttribute("aria-label", text);
    if (el.tagName === "BUTTON") el.title = text;
  }

  /** The first letter of a name in its colour. @param {HTMLElement} el @param {string} name */
  avatar(el, name) {
    this.text(el, name ? initial(name) : "");
    el.style.setProperty("--hue", String(hueOf(name)));
  }

  /**
   * Draws a button of the controls. Its name stays while it is pressed or not; what pressing does is in the title.
   * @param {string} action @param {boolean | null} pressed @param {{label: string, title: string, icon: string}} look
   */
  toggle(action, pressed, { label, title, icon }) {
    const button = this.button(action);
    if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
    button.setAttribute("aria-label", this.t(label));
    button.title = this.t(title);
    button.querySelector("use")?.setAttribute("href", `#${icon}`);
  }
}
