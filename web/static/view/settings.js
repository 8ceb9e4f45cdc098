// settings.js: the panel in which one looks at oneself, chooses devices, and reads why one gives nothing and what to do.

import { explain, translate } from "../i18n.js";
import { WORDS } from "../words.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {"camera" | "microphone" | "speaker"} DeviceName */
/**
 * @typedef {object} Room what the panel shows
 * @property {Record<DeviceName, string>} chosen
 * @property {Record<DeviceName, MediaDeviceInfo[]>} there
 * @property {{audio: string, video: string}} faults
 * @property {string} look
 * @property {boolean} mirror
 * @property {boolean} keys
 * @property {MediaStreamTrack | null} video
 */
/** @typedef {{choose: (name: DeviceName, id: string) => void, look: (look: string) => void, keys: (on: boolean) => void, again: () => void, check: () => void, test: () => void, closed: () => void}} Deeds */

const NAMES = /** @type {const} */ (["camera", "microphone", "speaker"]);
const LOOKS = ["letters", "hills", "night"];

export class Settings {
  #page;
  #deeds;
  #dialog;
  #stream = new MediaStream();
  /** @type {Record<string, HTMLElement>} by what they are for */
  #parts = {};
  /** @type {Map<DeviceName, string>} what each list shows, so that an open one is not filled again */
  #filled = new Map();

  /** @param {Page} page @param {Deeds} deeds */
  constructor(page, deeds) {
    this.#page = page;
    this.#deeds = deeds;
    const dialog = (this.#dialog = /** @type {HTMLDialogElement} */ (page.make("dialog", "panel")));
    dialog.dataset.testid = "settings";
    const title = this.#make("h2", "title");
    title.tabIndex = -1;
    title.id = "settings-title";
    dialog.setAttribute("aria-labelledby", title.id);
    const video = /** @type {HTMLVideoElement} */ (this.#make("video", "preview"));
    video.muted = video.playsInline = true;
    video.srcObject = this.#stream;
    dialog.append(title, video);
    for (const name of NAMES) dialog.append(this.#chooser(name));
    dialog.append(this.#looks(), this.#keys(), this.#button("check", "quiet", () => deeds.check()), this.#button("close", "primary", () => dialog.close()));
    dialog.addEventListener("close", () => {
      dialog.remove();
      deeds.closed();
    });
    page.doc.body.append(dialog);
  }

  open() {
    this.#dialog.showModal();
    this.#parts.title.focus();
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  #t(key, values) {
    return translate(this.#page.language, key, values, WORDS);
  }

  /** @param {string} tag @param {string} name @param {string} [classes] */
  #make(tag, name, classes = name) {
    return (this.#parts[name] = this.#page.make(tag, classes));
  }

  /** @param {string} name @param {string} classes @param {() => void} does */
  #button(name, classes, does) {
    const button = this.#make("button", name, classes);
    button.setAttribute("type", "button");
    button.dataset.testid = `settings-${name}`;
    button.addEventListener("click", does);
    return button;
  }

  /** @param {DeviceName} name */
  #chooser(name) {
    const part = this.#make("div", `part-${name}`, "part");
    const label = this.#make("label", `label-${name}`, "field");
    const select = /** @type {HTMLSelectElement} */ (this.#make("select", name));
    select.dataset.testid = `choose-${name}`;
    select.addEventListener("change", () => this.#deeds.choose(name, select.value));
    label.append(this.#make("span", `words-${name}`, ""), select);
    part.append(label);
    if (name === "speaker") part.append(this.#button("test", "quiet", () => this.#deeds.test()));
    else {
      if (name === "microphone") {
        const meter = this.#make("div", "level");
        meter.dataset.testid = "level";
        meter.setAttribute("role", "meter");
        meter.setAttribute("aria-valuemin", "0");
        meter.setAttribute("aria-valuemax", "100");
        part.append(meter, this.#make("p", "levelHint", "hint"));
      }
      const way = this.#make("p", `way-${name}`, "way");
      way.dataset.testid = `way-${name}`;
      way.setAttribute("role", "status");
      part.append(way, this.#button(`again-${name}`, "quiet", () => this.#deeds.again()));
    }
    return part;
  }

  #keys() {
    const label = this.#make("label", "keysLabel", "look");
    const box = /** @type {HTMLInputElement} */ (this.#make("input", "keysBox", ""));
    box.type = "checkbox";
    box.dataset.testid = "keys";
    box.addEventListener("change", () => this.#deeds.keys(box.checked));
    label.append(box, this.#make("span", "keys", ""));
    return label;
  }

  #looks() {
    const set = this.#make("fieldset", "looks", "part");
    set.append(this.#make("legend", "look", ""));
    for (const look of LOOKS) {
      const label = this.#page.make("label", "look");
      const radio = /** @type {HTMLInputElement} */ (this.#make("input", `radio-${look}`, ""));
      radio.type = "radio";
      radio.name = "look";
      radio.value = look;
      radio.dataset.testid = `look-${look}`;
      radio.addEventListener("change", () => this.#deeds.look(look));
      label.append(radio, this.#make("span", `look_${look}`, ""));
      set.append(label);
    }
    return set;
  }

  /** @param {number} loud from 0 to 1 */
  level(loud) {
    const percent = Math.round(loud * 100);
    this.#parts.level.style.setProperty("--level", `${percent}%`);
    this.#parts.level.setAttribute("aria-valuenow", String(percent));
  }

  /** @param {Room} room */
  draw(room) {
    const page = this.#page;
    const parts = this.#parts;
    for (const key of ["title", "close", "test", "levelHint", "look", "keys", "check", ...LOOKS.map((look) => `look_${look}`)]) page.text(parts[key], this.#t(key));
    parts.preview.setAttribute("aria-label", this.#t("preview"));
    parts.level.setAttribute("aria-label", this.#t("level"));
    for (const name of NAMES) {
      page.text(parts[`words-${name}`], this.#t(name));
      this.#fill(name, room.there[name], room.chosen[name]);
    }
    parts["part-speaker"].hidden = !room.there.speaker.length;
    this.#way("camera", "video", room.faults.video);
    this.#way("microphone", "audio", room.faults.audio);
    for (const look of LOOKS) /** @type {HTMLInputElement} */ (parts[`radio-${look}`]).checked = look === room.look;
    /** @type {HTMLInputElement} */ (parts.keysBox).checked = room.keys;
    parts.preview.classList.toggle("mirror", room.mirror);
    for (const track of this.#stream.getTracks()) if (track !== room.video) this.#stream.removeTrack(track);
    if (room.video && !this.#stream.getTracks().includes(room.video)) this.#stream.addTrack(room.video);
    if (room.video) void /** @type {HTMLVideoElement} */ (parts.preview).play().catch(() => {});
  }

  /** @param {DeviceName} name @param {MediaDeviceInfo[]} there @param {string} chosen */
  #fill(name, there, chosen) {
    const select = /** @type {HTMLSelectElement} */ (this.#parts[name]);
    const rows = there.map(({ deviceId, label }, i) => [deviceId, label || this.#t("nth", { kind: this.#t(name), n: i + 1 })]);
    if (!rows.some(([id]) => id === chosen)) rows.unshift([chosen, this.#t("automatic")]);
    const now = JSON.stringify(rows);
    if (this.#filled.get(name) !== now) {
      this.#filled.set(name, now);
      select.replaceChildren(...rows.map(([id, label]) => {
        const option = /** @type {HTMLOptionElement} */ (this.#page.make("option"));
        option.value = id;
        option.textContent = label;
        return option;
      }));
    }
    select.value = chosen;
  }

  /** Why a device gives nothing, and the way out. @param {"camera" | "microphone"} name @param {"audio" | "video"} kind @param {string} fault */
  #way(name, kind, fault) {
    const page = this.#page;
    const again = this.#parts[`again-${name}`];
    const way = fault === "refused" ? `refused-${engine(page.doc)}` : fault;
    page.text(this.#parts[`way-${name}`], fault ? `${explain(page.language, "fault", `${kind}-${fault}`)} ${this.#t(`way_${way}`)}` : "");
    page.text(again, this.#t("again"));
    again.hidden = !fault || fault === "asking" || fault === "insecure";
  }
}

/** Whose the browser's own signs and menus are. @param {Document} doc */
function engine(doc) {
  const agent = doc.defaultView?.navigator?.userAgent ?? "";
  if (/Firefox\//.test(agent)) return "firefox";
  return /Chrom(e|ium)\//.test(agent) ? "chromium" : "safari";
}
