// view.js: the only file that touches the page (with index.html, style.css and i18n.js). It shows a Model, whole and
// again after each change, and says what the user did. It decides nothing.

import { Emitter } from "./emitter.js";
import { explain, translate } from "./i18n.js";
import { hueOf, initial } from "./virtual.js";

/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {import("./protocol.js").User} User */
/** @typedef {import("./protocol.js").MediaState} MediaState */

/**
 * @typedef {object} Model
 * @property {"login" | "chat"} page
 * @property {Language} language
 * @property {boolean} joining
 * @property {string} loginError a code
 * @property {string} username
 * @property {boolean} online
 * @property {User[]} users
 * @property {{phase: import("./duet.js").Phase, peer: string, state: import("./paths.js").PathState,
 *   path: import("./paths.js").PathInfo | null, theirs: MediaState, startedAt: number, audioOnly: boolean} | null} call
 * @property {{wishes: MediaState, virtual: boolean, chosen: import("./media.js").Source, screens: boolean,
 *   video: MediaStreamTrack | null}} local
 */

/** Rows beyond this are found by typing. */
const ROWS = 150;

/**
 * @extends {Emitter<{login: {name: string, source: import("./media.js").Source}, dial: User, accept: void, refuse: void,
 *   "hang-up": void, audio: void, video: void, screen: void, source: void, leave: void, language: void}>}
 */
export class View extends Emitter {
  #doc;
  /** @type {Model} */
  #model;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #remote = new MediaStream();
  #local = new MediaStream();
  #drawing = false;

  /** @param {Document} doc @param {Model} model */
  constructor(doc, model) {
    super();
    this.#doc = doc;
    this.#model = model;
    this.#wire();
    this.#draw();
  }

  /** @param {Model} model */
  show(model) {
    this.#model = model;
    if (this.#drawing) return;
    this.#drawing = true;
    // Once for many changes; a hidden page has no animation frames, and should be right all the same.
    if (this.#doc.visibilityState === "visible") requestAnimationFrame(() => this.#draw());
    else setTimeout(() => this.#draw(), 100);
  }

  /** Fills in the login form. @param {{name: string, source: string}} was */
  prefill({ name, source }) {
    const input = this.#input("login-name");
    input.value = name;
    for (const radio of this.#doc.querySelectorAll("input[name=source]")) {
      if (radio instanceof HTMLInputElement) radio.checked = radio.value === source;
    }
    input.focus();
    input.select();
  }

  /** The name was refused: back to it. */
  focusName() {
    this.#input("login-name").focus();
  }

  /** What is seen and heard of the other side; null ends it. @param {import("./peer.js").Tracks | null} tracks */
  remote(tracks) {
    const wanted = tracks ? [tracks.audio, tracks.video].filter((track) => track !== null) : [];
    const video = this.#video("remote-video");
    if (!tracks) this.#at("remote").classList.remove("picture");
    // The new ones first, so that there is always a picture; but tracks of one id count as one.
    const old = this.#remote.getTracks().filter((track) => !wanted.includes(track));
    for (const track of old) if (wanted.some(({ id }) => id === track.id)) this.#remote.removeTrack(track);
    for (const track of wanted) this.#remote.addTrack(track);
    for (const track of old) this.#remote.removeTrack(track);
    if (!tracks) {
      video.srcObject = null;
      this.#remote = new MediaStream();
      return;
    }
    if (video.srcObject !== this.#remote) video.srcObject = this.#remote;
    this.#play(video);
  }

  /** @param {string} key @param {{family?: string, values?: Record<string, string>, tone?: "info" | "warn", ms?: number}} [options] */
  notice(key, { family = "", values = {}, tone = "info", ms = 7_000 } = {}) {
    const { language } = this.#model;
    const text = family ? explain(language, family, key, values) : translate(language, key, values);
    const box = this.#at("notices");
    for (const old of box.children) if (old.textContent?.trim() === text) old.remove();
    while (box.children.length > 2) box.firstElementChild?.remove();
    const line = this.#make("div", "notice");
    line.dataset.tone = tone;
    line.dataset.testid = "notice";
    const words = this.#make("span");
    words.textContent = text;
    const close = this.#make("button", "quiet icon");
    close.setAttribute("aria-label", this.#t("dismiss"));
    close.append(this.#icon("i-close"));
    close.addEventListener("click", () => line.remove());
    line.append(words, close);
    box.append(line);
    setTimeout(() => line.remove(), ms);
  }

  #wire() {
    const doc = this.#doc;
    doc.getElementById("login-form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      const checked = doc.querySelector("input[name=source]:checked");
      const source = checked instanceof HTMLInputElement && checked.value === "virtual" ? "virtual" : "camera";
      this.emit("login", { name: this.#input("login-name").value, source });
    });
    doc.addEventListener("click", (event) => {
      const target = event.target instanceof Element ? event.target.closest("[data-action]") : null;
      if (!(target instanceof HTMLElement)) return;
      const action = target.dataset.action ?? "";
      if (action === "listen") this.#play(this.#video("remote-video"));
      else if (action === "dial") {
        const user = this.#model.users.find((one) => one.username === target.dataset.username);
        if (user) this.emit("dial", user);
      } else this.emit(/** @type {"accept"} */ (action), undefined);
    });
    // Escape must not refuse a call by accident.
    doc.getElementById("incoming")?.addEventListener("cancel", (event) => event.preventDefault());
    doc.getElementById("find")?.addEventListener("input", () => this.#drawUsers());
    const video = this.#video("remote-video");
    for (const type of ["playing", "resize", "loadeddata"]) video.addEventListener(type, () => this.#drawRemote());
    setInterval(() => this.#drawClock(), 1_000);
  }

  /** @param {HTMLVideoElement} video */
  #play(video) {
    const button = this.#at("listen");
    video.play().then(
      () => (button.hidden = true),
      (error) => {
        if (error instanceof DOMException && error.name === "NotAllowedError") button.hidden = false;
      },
    );
  }

  #draw() {
    this.#drawing = false;
    const { page, language, joining, loginError } = this.#model;
    this.#doc.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    for (const el of this.#all("[data-text]")) this.#text(el, this.#t(el.dataset.text ?? ""));
    for (const el of this.#all("[data-label]")) this.#label(el, this.#t(el.dataset.label ?? ""));
    for (const el of this.#all("[data-placeholder]")) el.setAttribute("placeholder", this.#t(el.dataset.placeholder ?? ""));
    this.#doc.body.dataset.page = page;
    this.#at("login").hidden = page !== "login";
    this.#at("chat").hidden = page !== "chat";
    this.#text(this.#at("login-error"), loginError ? explain(language, "login", loginError) : "");
    this.#input("login-name").setAttribute("aria-invalid", String(/username/.test(loginError)));
    this.#text(this.#at("login-label"), this.#t(joining ? "joining" : "join"));
    for (const button of this.#all("#login-form button")) if (button instanceof HTMLButtonElement) button.disabled = joining;
    if (page !== "chat") return this.#drawIncoming();
    this.#text(this.#at("my-name"), this.#model.username);
    this.#avatar("my-avatar", this.#model.username);
    this.#text(this.#at("banner"), this.#model.online ? "" : this.#t("offline"));
    this.#drawUsers();
    this.#drawStage();
    this.#drawRemote();
    this.#drawIncoming();
    this.#drawClock();
  }

  #drawUsers() {
    const { users, call, online } = this.#model;
    const find = this.#input("find");
    find.hidden = users.length < 8 && !find.value;
    const wanted = find.hidden ? "" : find.value.trim().toLocaleLowerCase();
    const found = wanted ? users.filter((user) => user.username.toLocaleLowerCase().includes(wanted)) : users;
    const shown = found.slice(0, ROWS);
    const rest = found.length - shown.length;
    this.#text(this.#at("count"), users.length ? String(users.length) : "");
    this.#text(this.#at("nobody"), !users.length ? this.#t("nobody") : !found.length ? this.#t("noMatch") : rest ? this.#t("more", { count: rest }) : "");
    const list = this.#at("users");
    const names = new Set(shown.map((user) => user.username));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    /** @type {Element | null} */
    let place = list.firstElementChild;
    for (const user of shown) {
      const row = this.#rows.get(user.username) ?? this.#row(user);
      this.#fillRow(row, user, online && !call);
      if (row === place) place = place.nextElementSibling;
      else list.insertBefore(row, place);
    }
  }

  /** @param {User} user */
  #row(user) {
    const row = this.#make("li", "row");
    row.dataset.testid = "user-row";
    row.dataset.username = user.username;
    const avatar = this.#make("span", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    this.#paint(avatar, user.username);
    const who = this.#make("div", "who");
    const name = this.#make("b");
    name.textContent = user.username;
    who.append(name, this.#make("small"));
    const call = this.#make("button", "call");
    call.setAttribute("type", "button");
    call.dataset.testid = "call";
    call.dataset.action = "dial";
    call.dataset.username = user.username;
    call.append(this.#icon("i-phone"), this.#make("span"));
    row.append(avatar, who, call);
    this.#rows.set(user.username, row);
    return row;
  }

  /** @param {HTMLElement} row @param {User} user @param {boolean} free */
  #fillRow(row, user, free) {
    row.dataset.status = user.status;
    const words = { available: "available", ringing: "ringingStatus", busy: "busyStatus" }[user.status] ?? "available";
    this.#text(/** @type {HTMLElement} */ (row.querySelector("small")), this.#t(words));
    const button = /** @type {HTMLButtonElement} */ (row.querySelector("button"));
    button.disabled = !free || user.status !== "available";
    button.setAttribute("aria-label", this.#t("callUser", { name: user.username }));
    this.#text(/** @type {HTMLElement} */ (button.querySelector("span")), this.#t("call"));
  }

  #drawStage() {
    const { call, local } = this.#model;
    const stage = this.#at("stage");
    stage.dataset.phase = call && call.phase !== "incoming" ? call.phase : "idle";
    const { text, tone } = this.#status();
    this.#text(this.#at("status"), text);
    const dot = this.#at("dot");
    if (tone) dot.dataset.tone = tone;
    else delete dot.dataset.tone;

    const path = call?.phase === "accepted" ? call.path : null;
    const chip = this.#at("path-chip");
    chip.hidden = !path;
    const label = this.#at("path");
    if (path) {
      chip.dataset.path = label.dataset.path = path.path;
      chip.title = this.#t(`pathHint_${path.path}`);
      this.#at("path-icon").setAttribute("href", path.path === "relay" ? "#i-relay" : "#i-lock");
      this.#text(label, this.#t(`path_${path.path}`));
    } else {
      delete label.dataset.path;
      this.#text(label, "");
    }

    const { wishes } = local;
    this.#toggle("audio", !wishes.audio, wishes.audio ? "muteAudio" : "unmuteAudio", wishes.audio ? "i-mic" : "i-mic-off");
    this.#toggle("video", !wishes.video, wishes.video ? "muteVideo" : "unmuteVideo", wishes.video ? "i-video" : "i-video-off");
    this.#toggle("screen", wishes.screen, wishes.screen ? "stopScreen" : "shareScreen", "i-screen");
    this.#toggle("source", null, local.chosen === "camera" ? "useVirtual" : "useCamera", local.chosen === "camera" ? "i-virtual" : "i-camera");
    const live = call?.phase === "accepted";
    this.#button("screen").hidden = !local.screens || !live;
    this.#button("hang-up").hidden = !call || call.phase === "incoming";
    this.#label(this.#button("hang-up"), this.#t(live ? "hangUp" : "cancel"));

    const mine = this.#at("local");
    mine.classList.toggle("dark", !local.video);
    mine.classList.toggle("mirror", !local.virtual && !wishes.screen);
    this.#avatar("my-cover", this.#model.username);
    const notes = [!wishes.audio && "youMuted", wishes.screen ? "youSharing" : !wishes.video && "youVideoOff"].filter((key) => key !== false);
    this.#text(this.#at("my-state"), notes.map((key) => this.#t(key)).join(" · "));
    const video = this.#video("local-video");
    for (const track of this.#local.getTracks()) if (track !== local.video) this.#local.removeTrack(track);
    if (local.video && !this.#local.getTracks().includes(local.video)) this.#local.addTrack(local.video);
    if (video.srcObject !== this.#local) video.srcObject = this.#local;
    if (local.video) void video.play().catch(() => {});
  }

  /** The call in one line. @returns {{text: string, tone: string}} */
  #status() {
    const { call, users } = this.#model;
    const name = call?.peer ?? "";
    if (!call || call.phase === "incoming") return { text: users.length ? this.#t("idle") : "", tone: "" };
    if (call.phase !== "accepted") return { text: this.#t(call.phase === "ringing" ? "ringing" : "calling", { name }), tone: "wait" };
    const tone = { idle: "wait", connecting: "wait", connected: "good", reconnecting: "wait", failed: "bad" }[call.state];
    return { text: this.#t(call.state === "idle" ? "connecting" : call.state, { name }), tone };
  }

  #drawRemote() {
    const { call } = this.#model;
    const video = this.#video("remote-video");
    const remote = this.#at("remote");
    const name = call?.peer ?? "";
    const live = call?.phase === "accepted";
    const sends = live && (call.theirs.video || call.theirs.screen);
    const arrived = video.videoWidth > 2 && video.readyState >= 2;
    remote.classList.toggle("picture", Boolean(sends && arrived));
    remote.classList.toggle("screen", Boolean(live && call.theirs.screen));
    // A tall picture on a wide stage would lose more than half by filling it.
    const { clientWidth: w, clientHeight: h } = remote;
    const crop = w && h && video.videoWidth ? (w / h) / (video.videoWidth / video.videoHeight) : 1;
    remote.classList.toggle("contain", crop > 1.6 || crop < 0.5);
    this.#avatar("peer-avatar", name);
    this.#at("peer-avatar").classList.toggle("rings", Boolean(call && (call.phase === "calling" || call.phase === "ringing")));
    let text = name;
    if (live && !call.theirs.video && !call.theirs.screen) text = this.#t("peerVideoOff", { name });
    this.#text(this.#at("cover-text"), text);
    this.#at("peer-muted").hidden = !live || call.theirs.audio;
  }

  #drawIncoming() {
    const { call } = this.#model;
    const dialog = this.#doc.getElementById("incoming");
    if (!(dialog instanceof HTMLDialogElement)) return;
    const rings = call?.phase === "incoming";
    if (rings) {
      this.#text(this.#at("incoming-title"), this.#t("incoming", { name: call.peer }));
      this.#text(this.#at("incoming-kind"), this.#t(call.audioOnly ? "incomingAudio" : "incomingVideo"));
      this.#avatar("incoming-avatar", call.peer);
    }
    if (rings && !dialog.open) dialog.showModal();
    if (!rings && dialog.open) dialog.close();
    this.#doc.title = rings ? `☎ ${this.#t("incoming", { name: call.peer })}` : "Duet";
  }

  #drawClock() {
    const { call } = this.#model;
    const seconds = call?.startedAt ? Math.max(0, Math.floor((performance.now() - call.startedAt) / 1_000)) : -1;
    const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3_600);
    const text = `${hours > 0 ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    this.#text(this.#at("clock"), seconds < 0 ? "" : text);
  }

  /** @param {string} action @param {boolean | null} pressed @param {string} key @param {string} icon */
  #toggle(action, pressed, key, icon) {
    const button = this.#button(action);
    if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
    this.#label(button, this.#t(key));
    button.querySelector("use")?.setAttribute("href", `#${icon}`);
  }

  /** @param {string} id @param {string} name */
  #avatar(id, name) {
    this.#paint(this.#at(id), name);
  }

  /** @param {HTMLElement} el @param {string} name */
  #paint(el, name) {
    this.#text(el, name ? initial(name) : "");
    el.style.setProperty("--hue", String(hueOf(name)));
  }

  /** @param {HTMLElement} el @param {string} text */
  #text(el, text) {
    if (el.textContent !== text) el.textContent = text; // a live region speaks at each write
  }

  /** @param {HTMLElement} el @param {string} text */
  #label(el, text) {
    el.setAttribute("aria-label", text);
    if (el instanceof HTMLButtonElement) el.title = text;
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  #t(key, values) {
    return translate(this.#model.language, key, values);
  }

  /** @param {string} id */
  #at(id) {
    return /** @type {HTMLElement} */ (this.#doc.getElementById(id));
  }

  /** @param {string} id */
  #input(id) {
    return /** @type {HTMLInputElement} */ (this.#doc.getElementById(id));
  }

  /** @param {string} id */
  #video(id) {
    return /** @type {HTMLVideoElement} */ (this.#doc.getElementById(id));
  }

  /** @param {string} action */
  #button(action) {
    return /** @type {HTMLButtonElement} */ (this.#doc.querySelector(`button[data-action="${action}"]`));
  }

  /** @param {string} selector @returns {NodeListOf<HTMLElement>} */
  #all(selector) {
    return this.#doc.querySelectorAll(selector);
  }

  /** @param {string} tag @param {string} [classes] */
  #make(tag, classes = "") {
    const el = this.#doc.createElement(tag);
    if (classes) el.className = classes;
    return el;
  }

  /** @param {string} id */
  #icon(id) {
    const ns = "http://www.w3.org/2000/svg";
    const svg = this.#doc.createElementNS(ns, "svg");
    svg.setAttribute("aria-hidden", "true");
    const use = this.#doc.createElementNS(ns, "use");
    use.setAttribute("href", `#${id}`);
    svg.append(use);
    return svg;
  }
}
