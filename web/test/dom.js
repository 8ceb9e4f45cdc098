// dom.js: a document made of index.html, as far as the page uses one, that obeys the browsers' rules of focus: what is
// hidden, disabled or behind a modal dialog cannot have it, and loses it without an event at the next rendering; keys
// press buttons as they do in browsers (Enter when it goes down, again and again; Space when it is let go).

import { readFileSync } from "node:fs";

const HTML = readFileSync(new URL("../static/index.html", import.meta.url), "utf8");
const VOID = new Set(["meta", "link", "input", "br", "img"]);

class FakeEvent extends Event {
  #target = null;
  constructor(type, { target = null, ...more } = {}) {
    super(type, { cancelable: true });
    this.#target = target;
    this.bubbling = more.bubbles ?? true;
    delete more.bubbles;
    this.stopped = false;
    for (const [key, value] of Object.entries(more)) Object.defineProperty(this, key, { value, configurable: true });
  }
  get target() {
    return this.#target;
  }
  stopPropagation() {
    this.stopped = true;
  }
}

class FakeNode {
  listeners = [];
  addEventListener(type, fn, { capture = false } = {}) {
    this.listeners.push({ type, fn, capture });
  }
  removeEventListener(type, fn) {
    this.listeners = this.listeners.filter((one) => one.type !== type || one.fn !== fn);
  }
  hear(event, capture) {
    for (const one of [...this.listeners]) if (one.type === event.type && one.capture === capture && !event.stopped) one.fn.call(this, event);
  }
}

class FakeElement extends FakeNode {
  childNodes = [];
  parent = null;
  attributes = new Map();
  width = 1;
  height = 1;
  constructor(tag, doc) {
    super();
    this.tagName = tag.toUpperCase();
    this.ownerDocument = doc;
    const style = new Map();
    this.style = { setProperty: (key, value) => style.set(key, value), getPropertyValue: (key) => style.get(key) ?? "" };
    const key = (name) => `data-${String(name).replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
    this.dataset = new Proxy({}, {
      get: (_, name) => this.getAttribute(key(name)) ?? undefined,
      set: (_, name, value) => (this.setAttribute(key(name), value), true),
      deleteProperty: (_, name) => this.attributes.delete(key(name)) || true,
    });
  }
  get id() { return this.getAttribute("id") ?? ""; }
  set id(v) { this.setAttribute("id", v); }
  get className() { return this.getAttribute("class") ?? ""; }
  set className(v) { this.setAttribute("class", v); }
  get classList() {
    const all = new Set(this.className.split(/\s+/).filter(Boolean));
    const put = () => (this.className = [...all].join(" "));
    return {
      contains: (name) => all.has(name), add: (name) => (all.add(name), put()), remove: (name) => (all.delete(name), put()),
      toggle: (name, on = !all.has(name)) => (on ? all.add(name) : all.delete(name), put(), on),
    };
  }
  get hidden() { return this.attributes.has("hidden"); }
  set hidden(on) { on ? this.setAttribute("hidden", "") : this.removeAttribute("hidden"); }
  get title() { return this.getAttribute("title") ?? ""; }
  set title(v) { this.setAttribute("title", v); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  removeAttribute(name) { this.attributes.delete(name); }
  hasAttribute(name) { return this.attributes.has(name); }
  get children() { return this.childNodes.filter((node) => node instanceof FakeElement); }
  get firstElementChild() { return this.children[0] ?? null; }
  get nextElementSibling() { const all = this.parent?.children ?? []; return all[all.indexOf(this) + 1] ?? null; }
  get textContent() { return this.childNodes.map((node) => (typeof node === "string" ? node : node.textContent)).join(""); }
  set textContent(text) { for (const child of this.children) child.parent = null; this.childNodes = text ? [String(text)] : []; }
  get isConnected() { return this.parent ? this.parent.isConnected : this === this.ownerDocument.documentElement; }
  append(...nodes) { for (const node of nodes) this.insertBefore(node, null); }
  insertBefore(node, before) {
    if (node instanceof FakeElement) { node.remove(); node.parent = this; }
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(at, 0, node);
  }
  remove() {
    if (this.parent) this.parent.childNodes = this.parent.childNodes.filter((node) => node !== this);
    this.parent = null;
  }
  contains(other) { for (let el = other; el; el = el.parent) if (el === this) return true; return false; }
  *walk() { for (const child of this.children) { yield child; yield* child.walk(); } }
  matches(selector) {
    return selector.split(",").some((one) => {
      const steps = one.trim().split(/\s+/);
      if (!this.#is(steps.pop())) return false;
      let el = this.parent;
      while (steps.length && el) { if (el.#is(steps.at(-1))) steps.pop(); el = el.parent; }
      return !steps.length;
    });
  }
  #is(simple) {
    const [, tag, rest] = /^([a-z0-9]*)(.*)$/i.exec(simple);
    if (tag && this.tagName !== tag.toUpperCase()) return false;
    return [...rest.matchAll(/#([\w-]+)|\.([\w-]+)|\[([\w-]+)(?:="?([^"\]]*)"?)?\]|:(checked)/g)].every(([, id, name, key, value, checked]) =>
      id ? this.id === id : name ? this.classList.contains(name) : checked ? this.checked : this.hasAttribute(key) && (value === undefined || this.getAttribute(key) === value));
  }
  closest(selector) { for (let el = this; el; el = el.parent) if (el.matches(selector)) return el; return null; }
  querySelectorAll(selector) { return [...this.walk()].filter((el) => el.matches(selector)); }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  get shown() {
    for (let el = this; el; el = el.parent) if (el.hidden || (el.tagName === "DIALOG" && !el.open)) return false;
    return this.isConnected;
  }
  getClientRects() { return this.shown ? [{}] : []; }
  get clientWidth() { return this.shown ? this.width : 0; }
  get clientHeight() { return this.shown ? this.height : 0; }
  get focusable() {
    const modal = this.ownerDocument.modal;
    return this.shown && !this.disabled && (!modal || modal.contains(this)) && (this.hasAttribute("tabindex") || ["BUTTON", "INPUT"].includes(this.tagName));
  }
  focus() {
    const doc = this.ownerDocument;
    if (!this.focusable || doc.activeElement === this) return;
    const old = doc.focused;
    doc.focused = this;
    if (old && old !== doc.body) old.dispatch("focusout");
    this.dispatch("focusin");
  }
  blur() {
    const doc = this.ownerDocument;
    if (doc.focused !== this) return;
    doc.focused = doc.body;
    this.dispatch("focusout");
  }
  /** Sends an event through the tree; true unless somebody prevented what follows. */
  dispatch(type, more = {}) {
    const event = new FakeEvent(type, { target: this, ...more });
    const way = [];
    for (let node = this; node; node = node.parent ?? (node === this.ownerDocument.documentElement ? this.ownerDocument : null)) way.push(node);
    for (const node of [...way].reverse()) node.hear(event, true);
    for (const node of event.bubbling ? way : way.slice(0, 1)) node.hear(event, false);
    return !event.defaultPrevented;
  }
  click() { this.press({ isTrusted: false, detail: 0 }); }
  press(how) { if (!this.disabled) this.dispatch("click", how); }
}
class FakeHTMLElement extends FakeElement {}
class FakeInput extends FakeHTMLElement {
  disabled = false;
  value = this.getAttribute("value") ?? "";
  checked = false;
  select() {}
}
class FakeButton extends FakeHTMLElement { disabled = false; }
class FakeDialog extends FakeHTMLElement {
  open = false;
  #before = null;
  showModal() {
    if (this.open) throw new DOMException("open already", "InvalidStateError");
    this.#before = this.ownerDocument.activeElement;
    this.open = true;
    this.ownerDocument.modal = this;
    const inside = [...this.walk()];
    (inside.find((el) => el.hasAttribute("autofocus") && el.focusable) ?? inside.find((el) => el.focusable))?.focus();
  }
  close() {
    if (!this.open) return;
    this.open = false;
    this.ownerDocument.modal = null;
    this.#before?.focus();
    queueMicrotask(() => this.dispatch("close", { bubbles: false }));
  }
}
class FakeVideo extends FakeHTMLElement {
  srcObject = null;
  videoWidth = 0;
  videoHeight = 0;
  readyState = 0;
  paused = true;
  refusal = null; // the name of the error with which play() is refused
  plays = 0;
  async play() {
    this.plays++;
    if (this.refusal) throw new DOMException("refused", this.refusal);
    this.paused = false;
  }
  pause() {
    if (this.paused) return;
    this.paused = true;
    this.dispatch("pause", { bubbles: false });
  }
}
const KINDS = { input: FakeInput, button: FakeButton, dialog: FakeDialog, video: FakeVideo };

class FakeDocument extends FakeNode {
  modal = null;
  focused = null;
  title = "";
  baseURI = "https://duet.test/calls/";
  visibilityState = "visible";
  documentElement = this.createElement("html");
  createElement(tag) { return new (KINDS[tag] ?? FakeHTMLElement)(tag, this); }
  createElementNS(_, tag) { return new FakeElement(tag, this); }
  get body() { return this.querySelector("body"); }
  get activeElement() { return this.focused?.isConnected ? this.focused : this.body; }
  getElementById(id) { return [...this.documentElement.walk()].find((el) => el.id === id) ?? null; }
  querySelectorAll(selector) { return this.documentElement.querySelectorAll(selector); }
  querySelector(selector) { return this.documentElement.querySelector(selector); }
  dispatch(type, more) { this.hear(new FakeEvent(type, { target: this, ...more }), false); }
  /** What a rendering does about the focus. */
  render() { if (this.focused && !this.focused.focusable) this.focused = this.body; }
  /** A key goes down and up again where the focus is; `repeats` while it is held. */
  key(key, { repeats = 0 } = {}) {
    for (let i = 0; i <= repeats; i++) this.down(key, i > 0);
    this.up(key);
  }
  #spaceOn = null;
  down(key, repeat = false) {
    this.render();
    const el = this.activeElement;
    if (!repeat) this.#spaceOn = null;
    if (!el.dispatch("keydown", { key, repeat })) return;
    if (el instanceof FakeButton && key === "Enter") el.press({ isTrusted: true, detail: 0 });
    if (el instanceof FakeButton && key === " " && !repeat) this.#spaceOn = el;
    if (el instanceof FakeInput && key.length === 1) el.value += key;
  }
  up(key) {
    this.render();
    const el = this.activeElement;
    if (el.dispatch("keyup", { key, repeat: false }) && key === " " && this.#spaceOn === el) el.press({ isTrusted: true, detail: 0 });
    this.#spaceOn = null;
  }
}

/** A new document of index.html; its classes become global, as a page's are. */
export function loadPage() {
  const doc = new FakeDocument();
  const stack = [doc.documentElement];
  for (const [whole, close, tag, rest] of HTML.matchAll(/<(\/?)([a-z][\w-]*)((?:"[^"]*"|[^">])*)>|[^<]+/gi)) {
    if (!tag) { if (whole.trim() && stack.length > 1) stack.at(-1).childNodes.push(whole.trim()); continue; }
    if (tag === "html") continue;
    if (close) { stack.pop(); continue; }
    const el = doc.createElement(tag);
    for (const [, key, value = ""] of rest.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) el.setAttribute(key, value);
    if (el instanceof FakeInput) { el.value = el.getAttribute("value") ?? ""; el.checked = el.hasAttribute("checked"); }
    stack.at(-1).append(el);
    if (!VOID.has(tag) && !rest.endsWith("/")) stack.push(el);
  }
  Object.assign(globalThis, {
    document: doc, Element: FakeElement, HTMLElement: FakeHTMLElement, HTMLInputElement: FakeInput, HTMLButtonElement: FakeButton, HTMLDialogElement: FakeDialog,
    HTMLVideoElement: FakeVideo, requestAnimationFrame: (fn) => setTimeout(fn, 16),
  });
  return doc;
}
