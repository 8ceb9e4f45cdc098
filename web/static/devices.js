// devices.js: camera and microphone: asks for them, watches them, and knows why one gives nothing. Devices come and go:
// they are unplugged, taken by a phone call, muted by the system, and each is taken again as soon as that may help.

import { Emitter } from "./emitter.js";

/** @typedef {"audio" | "video"} DeviceKind */

/**
 * Why a device gives nothing: asking: the user has not answered yet; ended: unplugged, or taken back; muted: by the system,
 * such as during a phone call; insecure: the browser has no devices for this page.
 * @typedef {"" | "asking" | "missing" | "refused" | "in-use" | "ended" | "muted" | "insecure"} Fault
 */

/** In milliseconds. */
const TIMES = Object.freeze({
  muted: 800, // browsers mute a track for a moment when they begin or switch; longer is a fault
  again: 1_500, // one that ended is asked for after this, then twice this and so on: what took it may need it a moment more
  settled: 10_000, // one that lives for so long has come to stay
  returned: 1_000, // a track that is still muted so long after the page is seen again is asked for anew
  human: 500, // nobody answers a question faster
});

const KINDS = /** @type {const} */ (["audio", "video"]);

/** @extends {Emitter<{change: void, ended: void}>} */
class Device extends Emitter {
  /** @type {MediaStreamTrack | null} what it gives; one that has stopped stays until the next is there or the question fails */
  track = null;
  /** @type {Fault} */
  fault = "";
  /** Whether what an answer brings is to be kept. */
  wanted = false;
  /** How often it ended soon after it had come. */
  ends = 0;
  #takenAt = 0;
  /** @type {any} */
  #muting = 0;

  /** @param {MediaStreamTrack} track */
  take(track) {
    this.#drop();
    this.track = track;
    this.fault = "";
    this.#takenAt = Date.now();
    track.onended = () => {
      if (Date.now() - this.#takenAt > TIMES.settled) this.ends = 0;
      this.ends++;
      this.fail("ended");
      this.emit("ended", undefined);
    };
    track.onmute = () => {
      clearTimeout(this.#muting);
      this.#muting = setTimeout(() => track.muted && this.#become("muted"), TIMES.muted);
    };
    track.onunmute = () => {
      clearTimeout(this.#muting);
      if (this.fault === "muted") this.#become("");
    };
    if (track.muted) track.onmute(new Event("mute"));
    this.emit("change", undefined);
  }

  /** It gives nothing more. @param {Fault} fault */
  fail(fault) {
    this.#drop();
    this.#become(fault);
  }

  /** The user is about to be asked. What it gave until now ends: of one kind no phone gives two. */
  asked() {
    if (this.track) this.track.onended = null;
    this.track?.stop();
    this.fault = "asking";
  }

  #drop() {
    clearTimeout(this.#muting);
    const { track } = this;
    this.track = null;
    if (!track) return;
    track.onended = track.onmute = track.onunmute = null;
    track.stop();
  }

  /** @param {Fault} fault */
  #become(fault) {
    this.fault = fault;
    this.emit("change", undefined);
  }
}

/**
 * Events: `change`: something about a device.
 * @extends {Emitter<{change: DeviceKind}>}
 */
export class Devices extends Emitter {
  audio = new Device();
  video = new Device();
  /** Which camera is meant, where there are several. @type {"user" | "environment"} */
  facing = "user";
  /** Which device of a kind is meant, by its id; "" is the browser's choice. */
  chosen = { audio: "", video: "" };
  /** What there is, as far as the browser says; without permission it names none. @type {MediaDeviceInfo[]} */
  all = [];
  #media;
  #permissions;
  #doc;
  #life = 0; // answers to questions of an earlier one are dropped
  #watching = false;
  /** @type {Set<any>} */
  #timers = new Set();

  /**
   * @param {{media?: MediaDevices, permissions?: Permissions, document?: Document}} [browser]
   */
  constructor({ media = globalThis.navigator?.mediaDevices, permissions = globalThis.navigator?.permissions, document: doc = globalThis.document } = {}) {
    super();
    this.#media = media;
    this.#permissions = permissions;
    this.#doc = doc;
    for (const kind of KINDS) {
      this[kind].on("change", () => this.emit("change", kind));
      this[kind].on("ended", () => this.#later(TIMES.again * 2 ** Math.min(this[kind].ends - 1, 5), () => this.#seen && this.again(kind)));
    }
  }

  /**
   * Asks for the kinds that are wanted: one question for both where that is possible; when it fails, each by itself, so
   * that a missing camera does not cost the microphone. What is asked already is not asked twice.
   * @param {DeviceKind[]} kinds
   */
  async ask(kinds) {
    const life = this.#life;
    this.#watch();
    const open = kinds.filter((kind) => this[kind].wanted && this[kind].fault !== "asking");
    for (const kind of open) this[kind].asked();
    for (const kind of open) this.emit("change", kind);
    if (open.length) await this.#question(open, life);
  }

  /** Asks again for what is wanted and gives nothing. @param {DeviceKind} kind */
  async again(kind) {
    if (this[kind].wanted && this[kind].fault) await this.ask([kind]);
  }

  /** Takes another device of this kind; one that is not there is taken as soon as it is. @param {DeviceKind} kind @param {string} id */
  async choose(kind, id) {
    this.chosen[kind] = id;
    await this.ask([kind]);
  }

  /** Looks what there is, without asking the user. */
  async look() {
    this.#watch();
    await this.#count();
  }

  /** No longer needed: its light goes out. @param {DeviceKind} kind */
  release(kind) {
    const device = this[kind];
    device.wanted = false;
    if (device.fault !== "asking") device.fail("");
  }

  stop() {
    this.#life++;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const kind of KINDS) {
      this[kind].wanted = false;
      this[kind].fail("");
    }
  }

  get #seen() {
    return this.#doc?.visibilityState !== "hidden";
  }

  /** @param {DeviceKind[]} kinds @param {number} life @param {boolean} [chosen] only those that were chosen will do @returns {Promise<void>} */
  async #question(kinds, life, chosen = kinds.some((kind) => this.chosen[kind])) {
    if (!this.#media?.getUserMedia) {
      for (const kind of kinds) this[kind].fail("insecure");
      return;
    }
    const began = Date.now();
    try {
      const stream = await this.#media.getUserMedia(constraints(kinds, this, chosen));
      for (const track of stream.getTracks()) {
        const device = this[track.kind === "audio" ? "audio" : "video"];
        if (life === this.#life && device.wanted) device.take(track);
        else track.stop();
        if (life === this.#life && !device.wanted) device.fail("");
      }
      void this.#count();
    } catch (error) {
      if (life !== this.#life) return;
      if (chosen && cause(error) === "missing") return this.#question(kinds, life, false); // better another than none
      if (kinds.length === 1) return this[kinds[0]].fail(this[kinds[0]].wanted ? cause(error) : "");
      const refused = cause(error) === "refused";
      const answered = refused && Date.now() - began > TIMES.human; // by the user, who does not want to be asked again
      for (const kind of kinds) {
        const may = refused ? await this.#permission(kind) : "";
        if (life !== this.#life) return;
        if (may === "denied" || (answered && may !== "granted")) this[kind].fail("refused");
        else await this.#question([kind], life);
      }
    }
  }

  async #count() {
    try {
      this.all = (await this.#media?.enumerateDevices?.()) ?? [];
      this.emit("change", "video");
    } catch {
      // Then there is no choice.
    }
  }

  /** @param {DeviceKind} kind */
  async #permission(kind) {
    try {
      const name = /** @type {PermissionName} */ (kind === "audio" ? "microphone" : "camera"); // not in every browser, nor in its types
      const status = await this.#permissions?.query({ name });
      if (status) status.onchange = () => status.state === "granted" && void this.again(kind);
      return status?.state ?? "";
    } catch {
      return "";
    }
  }

  /** What may bring a device back. */
  #watch() {
    if (this.#watching) return;
    this.#watching = true;
    this.#media?.addEventListener?.("devicechange", () => {
      void this.#count();
      this.#retry((fault) => fault !== "refused");
    });
    const returned = () => this.#seen && this.#later(TIMES.returned, () => this.#retry((fault) => fault !== "refused" && fault !== "insecure"));
    this.#doc?.addEventListener("visibilitychange", returned);
    globalThis.window?.addEventListener("pageshow", returned);
  }

  /** @param {(fault: Fault) => boolean} helps */
  #retry(helps) {
    void this.ask(KINDS.filter((kind) => this[kind].wanted && this[kind].fault && helps(this[kind].fault)));
  }

  /** @param {number} ms @param {() => void} fn */
  #later(ms, fn) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
  }
}

/**
 * Wishes: what cannot be had exactly should come as near as it can, but for the device that was chosen.
 * @param {DeviceKind[]} kinds @param {Devices} devices @param {boolean} exactly @returns {MediaStreamConstraints}
 */
function constraints(kinds, { chosen, facing }, exactly) {
  /** @param {DeviceKind} kind */
  const id = (kind) => (exactly && chosen[kind] ? { deviceId: { exact: chosen[kind] } } : {});
  return {
    ...(kinds.includes("audio") && { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...id("audio") } }),
    ...(kinds.includes("video") && {
      video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, ...(exactly && chosen.video ? id("video") : { facingMode: { ideal: facing } }) },
    }),
  };
}

/** @param {unknown} error @returns {Fault} */
function cause(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  return name === "NotReadableError" || name === "AbortError" ? "in-use" : "missing";
}
