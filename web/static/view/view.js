// view.js: what is seen of everything: shows a Model, whole and again after each change, and says what the user did. It
// decides nothing. Only the files of this folder (with index.html and style.css) touch the page.

import { Emitter } from "../emitter.js";
import { explain, translate } from "../i18n.js";
import { Beyond } from "./beyond.js";
import { Calls } from "./calls.js";
import { Focus } from "./focus.js";
import { Incoming } from "./incoming.js";
import { Invite } from "./invite.js";
import { meant } from "./keys.js";
import { Notices } from "./notices.js";

import { Page } from "./page.js";
import { People } from "./people.js";
import { Remote } from "./remote.js";
import { Said } from "./said.js";
import { Stage } from "./stage.js";

/** @typedef {import("../protocol.js").User} User */
/** @typedef {import("../protocol.js").MediaState} MediaState */
/** @typedef {import("../media.js").Source | "none"} Choice of a picture: none is sound only */

/**
 * @typedef {object} Model
 * @property {"login" | "chat"} page
 * @property {boolean} able this browser can make calls
 * @property {import("../i18n.js").Language} language
 * @property {boolean} joining
 * @property {string} loginError a code
 * @property {string} username
 * @property {string} invited whom the page's address calls, or ""
 * @property {boolean} online
 * @property {User[]} users
 * @property {boolean} listed the server has said who is here
 * @property {{all: import("../history.js").Past[], unseen: number}} past calls
 * @property {{phase: import("../call.js").Phase, peer: string, state: import("../paths.js").PathState,
 *   path: import("../paths.js").PathInfo | null, theirs: MediaState, still: boolean, startedAt: number, audioOnly: boolean, lookalike: boolean, unheard: boolean, bad: import("../quality.js").WarningCode | ""} | null} call
 * @property {{wishes: MediaState, faults: import("../media.js").LocalMedia["faults"], virtual: boolean, mirror: boolean, flips: boolean, phone: boolean, screens: boolean,
 *   video: MediaStreamTrack | null}} local
 */

/**
 * @extends {Emitter<{login: {name: string, source: Choice}, settings: void, path: void, "accept-sound": void, dial: User, accept: void, refuse: string | undefined, "clear-calls": void,
 *   "hang-up": void, audio: void, video: void, screen: void, source: void, flip: void, leave: void, language: void}>}
 */
export class View extends Emitter {
  #page;
  /** @type {Model} */
  #model;
  #people;
  #calls;
  #invite;
  #stage;
  #remote;
  #incoming;
  #notices;
  #said;
  #beyond;
  #focus;
  /** Whether M and V switch microphone and picture. */
  keys = true;
  #drawing = false;
  #opened = false;
  #peer = ""; // of the last call

  /** @param {Document} doc @param {Model} model */
  constructor(doc, model) {
    super();
    const page = (this.#page = new Page(doc));
    this.#model = model;
    this.#people = new People(page);
    this.#calls = new Calls(page);
    this.#invite = new Invite(page);
    this.#stage = new Stage(page);
    this.#remote = new Remote(page);
    this.#incoming = new Incoming(page);
    this.#notices = new Notices(page);
    this.#said = new Said(page);
    this.#beyond = new Beyond(page, (action) => this.emit(action, undefined));
    this.#focus = new Focus(doc);
    this.#wire(doc);
    this.#draw();
  }

  /** @param {Model} model */
  show(model) {
    this.#model = model;
    if (this.#drawing) return;
    this.#drawing = true;
    // Once for many changes. The frame of a page that is hidden meanwhile never comes, and it should be right all the same.
    const draw = () => this.#drawing && this.#draw();
    requestAnimationFrame(draw);
    setTimeout(draw, 100);
  }

  /** Fills in the login form. @param {{name: string, source: string}} was */
  prefill({ name, source }) {
    const input = this.#page.input("login-name");
    input.value = name;
    for (const radio of this.#page.all("input[name=source]")) {
      if (radio instanceof HTMLInputElement) radio.checked = radio.value === source;
    }
    input.focus();
    input.select();
  }

  /** For the panels. */
  get page() {
    return this.#page;
  }

  /** Where the other side is heard. @param {string} id as setSinkId takes it */
  speaker(id) {
    this.#remote.speaker(id);
  }

  /** What is in the form. @returns {{name: string, source: Choice}} */
  get form() {
    const checked = this.#page.doc.querySelector("input[name=source]:checked");
    const source = checked instanceof HTMLInputElement ? checked.value : "camera";
    return { name: this.#page.input("login-name").value, source: /** @type {Choice} */ (source) };
  }

  /** The name was refused: back to it. */
  focusName() {
    this.#page.input("login-name").focus();
  }

  /** What is seen and heard of the other side; null ends it. @param {import("../peer.js").Tracks | null} tracks */
  remote(tracks) {
    this.#remote.show(tracks);
  }

  /** @param {string} key @param {{family?: string, values?: Record<string, string>, tone?: "info" | "warn", ms?: number}} [options] */
  notice(key, { family = "", values = {}, tone = "info", ms = 7_000 } = {}) {
    const { language } = this.#model;
    this.#notices.add(family ? explain(language, family, key, values) : translate(language, key, values), { tone, ms });
  }

  /** @param {Document} doc */
  #wire(doc) {
    doc.getElementById("login-form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.emit("login", this.form);
    });
    doc.addEventListener("click", (event) => {
      const target = event.target instanceof Element ? event.target.closest("[data-action]") : null;
      if (!(target instanceof HTMLElement)) return;
      const action = target.dataset.action ?? "";
      if (action === "listen") this.#remote.play();
      else if (action === "share") this.#invite.share();
      else if (action === "code") this.#invite.code();
      else if (action === "copy") void this.#invite.copy().then((copied) => copied && this.notice("copied"));
      else if (action === "full") void this.#beyond.full();
      else if (action === "small") void this.#beyond.small();
      else if (action === "notify") void this.#incoming.calling.ask().then(() => this.show(this.#model));
      else if (action === "more-calls") {
        this.#calls.more();
        this.#drawPeople();
      } else if (action === "refuse") this.emit("refuse", target.dataset.note);
      else if (action === "dial" || action === "dial-invited") {
        const name = action === "dial" ? target.dataset.username : this.#model.invited;
        const user = this.#model.users.find((one) => one.username === name);
        if (user) this.emit("dial", user);
      } else this.emit(/** @type {"accept"} */ (action), undefined);
    });
    // A key that is held must not press what gets the focus meanwhile.
    doc.addEventListener("keydown", (event) => {
      if (event.repeat && event.target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ")) event.preventDefault();
    });
    doc.addEventListener("keydown", (event) => {
      const kind = this.keys && this.#model.page === "chat" ? meant(event) : null;
      if (!kind) return;
      this.emit(kind, undefined);
      const { wishes } = this.#model.local;
      this.#said.say(this.#page.t(`you_${kind}_${wishes[kind] ? "on" : "off"}`));
    });
    doc.getElementById("find")?.addEventListener("input", () => this.#drawPeople());
    setInterval(() => this.#stage.clock(this.#model), 1_000);
  }

  #draw() {
    this.#drawing = false;
    const page = this.#page;
    const { language, joining, loginError, call } = this.#model;
    page.language = language;
    page.doc.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    for (const el of page.all("[data-action=language]")) el.lang = language === "zh" ? "en" : "zh-CN"; // it speaks the other
    for (const el of page.all("[data-text]")) page.text(el, page.t(el.dataset.text ?? ""));
    for (const el of page.all("[data-label]")) page.label(el, page.t(el.dataset.label ?? ""));
    for (const el of page.all("[data-placeholder]")) el.setAttribute("placeholder", page.t(el.dataset.placeholder ?? ""));
    page.doc.body.dataset.page = this.#model.page;
    page.at("login").hidden = this.#model.page !== "login";
    page.at("chat").hidden = this.#model.page !== "chat";
    page.at("login-unable").hidden = this.#model.able;
    page.text(page.at("login-error"), loginError ? explain(language, "login", loginError) : "");
    page.input("login-name").setAttribute("aria-invalid", String(/username/.test(loginError)));
    page.text(page.at("login-label"), page.t(joining ? "joining" : "join"));
    // Not `disabled`, which would take the focus away.
    for (const button of page.all("#login-form button")) button.setAttribute("aria-disabled", String(joining));
    if (this.#model.page === "chat") {
      page.text(page.at("my-name"), this.#model.username);
      page.avatar(page.at("my-avatar"), this.#model.username);
      page.text(page.at("banner"), this.#model.online ? "" : page.t("offline"));
      this.#drawPeople();
      this.#stage.draw(this.#model);
      this.#remote.draw(call);
      this.#said.draw(call);
      this.#beyond.draw(this.#model);
    }
    const answered = this.#incoming.draw(call?.phase === "incoming" ? call : null, this.#model.local) && call?.phase === "accepted";
    this.#peer = call?.peer ?? this.#peer;
    if (answered) page.at("stage").focus({ preventScroll: true }); // not back to where it was before it rang
    else this.#focus.keep(this.#focusable());
  }

  #drawPeople() {
    const { users, listed, call, online } = this.#model;
    const free = online && !call;
    this.#people.draw(users, free);
    const { all, unseen } = this.#model.past;
    this.#calls.draw(all, unseen, new Set(users.filter(({ status }) => free && status === "available").map(({ username }) => username)));
    this.#invite.draw(this.#model);
    const details = /** @type {HTMLDetailsElement} */ (this.#page.at("invite"));
    if (listed && !users.length && !this.#opened) details.open = this.#opened = true; // with nobody here it is all there is to do
    this.#page.button("notify").hidden = !this.#incoming.calling.askable;
  }

  /** Where the focus belongs when it was lost, best first. */
  #focusable() {
    const page = this.#page;
    const { call } = this.#model;
    if (this.#model.page === "login") return [page.input("login-name")];
    if (call?.phase === "incoming") return [page.at("incoming-title")];
    if (call?.phase === "accepted") return [page.at("stage"), page.button("hang-up")];
    if (call) return [page.button("hang-up")];
    return [this.#people.button(this.#peer), page.at("people-title")];
  }
}
