// media.js: what this end sends: camera, microphone or their stand-ins, and the screen.

import { PageAudio } from "./audio.js";
import { Devices } from "./devices.js";
import { Emitter } from "./emitter.js";
import { mix } from "./mix.js";
import { virtualAudio, virtualVideo } from "./virtual.js";

/** @typedef {import("./protocol.js").MediaState} MediaState */
/** @typedef {import("./devices.js").Fault} Fault */
/** @typedef {"camera" | "virtual"} Source */
/** @typedef {"screen-refused"} Problem */

/** How long a question to the user may stand open before stand-ins take over; its answer still counts. */
const PATIENCE = 3_000;

/** And before it is worth a word: mostly the browser answers for the user. */
const UNSEEN = 1_000;

/**
 * LocalMedia owns every local track. `wishes` is what the user wants sent, `state` what the other side gets of it, and
 * `faults` why that may be less. A kind that is off has its device released (camera, screen) or sends silence (microphone).
 * Events: `track`: what is to be sent for this kind changed; `change`: any state; `problem`: in a word.
 * @extends {Emitter<{track: {kind: "audio" | "video", track: MediaStreamTrack | null}, change: void, problem: Problem}>}
 */
export class LocalMedia extends Emitter {
  #devices;
  #audio;
  /** @type {MediaState} */
  #on = { audio: true, video: true, screen: false };
  /** @type {Source} */
  #source = "camera";
  #name = "";
  /** @type {import("./virtual.js").Look} */
  #look = "letters";
  #tone = false;
  /** Where the other side is to be heard, as setSinkId takes it. */
  speaker = "";
  #started = false;
  /** @type {MediaStreamTrack | null} */
  #screen = null;
  /** @type {MediaStreamTrack | null} what the shown screen, or tab, sounds like */
  #screenSound = null;
  /** @type {{of: (MediaStreamTrack | null)[], track: MediaStreamTrack, stop: () => void} | null} that with the microphone */
  #mixed = null;
  /** @type {import("./virtual.js").VirtualVideo | null} */
  #virtual = null;
  /** @type {ReturnType<typeof virtualAudio> | null} */
  #silence = null;
  #patient = true; // the camera may still come: until then nothing stands in for it
  #unseen = true; // a question has only just been asked
  /** @type {any[]} */
  #timers = [];
  /** @type {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} */
  #tracks = { audio: null, video: null };

  /** @param {{devices?: Devices, audio?: PageAudio}} [options] audio: what makes the page's other sounds, if there is one */
  constructor({ devices = new Devices(), audio = new PageAudio() } = {}) {
    super();
    this.#devices = devices;
    this.#audio = audio;
    devices.on("change", () => this.#settle());
  }

  /** The user's wishes. */
  get wishes() {
    return { ...this.#on };
  }

  /** What the other side gets. While the screen is shown, pictures are being sent. @returns {MediaState} */
  get state() {
    const { audio, video, screen } = this.#on;
    const heard = this.#devices.audio.track !== null && !this.#devices.audio.fault;
    const seen = this.#tracks.video !== null && !(this.#tracks.video === this.#devices.video.track && this.#devices.video.fault === "muted");
    const state = { audio: (audio && (heard || this.#tone)) || this.#mixed !== null, video: screen || (video && seen), screen };
    const { audio: deaf, video: blind } = this.faults;
    return { ...state, ...(!state.audio && deaf && { audioCause: deaf }), ...(!state.video && blind && { videoCause: blind }) };
  }

  /** What keeps a wish from coming true; "" where nothing does. @returns {{audio: Fault, video: Fault}} */
  get faults() {
    const { audio, video, screen } = this.#on;
    const asked = video && !screen && this.#source === "camera";
    /** @param {Fault} fault @returns {Fault} */
    const seen = (fault) => (fault === "asking" && this.#unseen ? "" : fault);
    return { audio: audio ? seen(this.#devices.audio.fault) : "", video: asked ? seen(this.#devices.video.fault) : "" };
  }

  get source() {
    return this.#source;
  }

  /** Whether the picture is the virtual one, by choice or for want of a camera. */
  get isVirtual() {
    return this.#source === "virtual" || this.#virtual !== null;
  }

  /** Whether one's own picture is shown as in a mirror: one's face, but not what one shows others. */
  get isMirror() {
    return !this.isVirtual && this.#devices.video.track?.getSettings?.().facingMode !== "environment";
  }

  /** Whether there is another camera, on the other side of a phone. */
  get canFlip() {
    return this.#devices.all.filter(({ kind }) => kind === "videoinput").length > 1 && (globalThis.matchMedia?.("(pointer: coarse)").matches ?? false);
  }

  get canShareScreen() {
    return typeof navigator.mediaDevices?.getDisplayMedia === "function";
  }

  /** What is sent now. */
  get tracks() {
    return { ...this.#tracks };
  }

  /** What can be chosen among, and what is. */
  get devices() {
    const { all, chosen, audio, video } = this.#devices;
    /** @param {MediaDeviceKind} kind */
    const of = (kind) => all.filter((one) => one.kind === kind && one.deviceId);
    return {
      cameras: of("videoinput"), microphones: of("audioinput"), speakers: of("audiooutput"),
      camera: video.track?.getSettings?.().deviceId ?? chosen.video, microphone: audio.track?.getSettings?.().deviceId ?? chosen.audio, speaker: this.speaker,
    };
  }

  /** What to take when it is time to ask, as far as it is there then. @param {{camera?: string, microphone?: string, speaker?: string, look?: string}} was */
  prefer({ camera = "", microphone = "", speaker = "", look = "letters" }) {
    this.#devices.chosen = { audio: microphone, video: camera };
    this.speaker = speaker;
    this.#look = look === "hills" || look === "night" ? look : "letters";
  }

  /** What the user prefers, as prefer() takes it; what is not there now is not forgotten. */
  get preferences() {
    const { audio: microphone, video: camera } = this.#devices.chosen;
    return { camera, microphone, speaker: this.speaker, look: this.#look };
  }

  get look() {
    return this.#look;
  }

  /** Draws the virtual picture so. @param {import("./virtual.js").Look} look */
  setLook(look) {
    this.#look = look;
    this.#redraw();
    this.#settle();
  }

  /** Takes this device from now on, without a new negotiation. @param {import("./own.js").DeviceName} name @param {string} id "" leaves it to the browser */
  async choose(name, id) {
    if (name === "speaker") {
      this.speaker = id;
      this.emit("change", undefined);
    } else await this.#devices.choose(name === "camera" ? "video" : "audio", id);
  }

  /** Asks again for what gives nothing, as the user wants it. */
  async again() {
    await Promise.all(/** @type {const} */ (["audio", "video"]).map((kind) => this.#devices.again(kind)));
  }

  /** Looks what there is to choose among, without asking the user for any. */
  async enumerate() {
    await this.#devices.look();
  }

  /**
   * Asks for the devices, but not for those that it has. Stand-ins take over while the user thinks.
   * @param {{source: Source, name: string, tone?: boolean}} options tone: let the stand-in for the microphone be heard
   */
  async start({ source, name, tone = false }) {
    if (this.#name !== name) this.#redraw();
    this.#name = name;
    this.#tone = tone;
    this.#source = source;
    this.#started = this.#devices.audio.wanted = true;
    this.#want();
    if (!this.#devices.video.wanted) this.#devices.release("video");
    const kinds = /** @type {const} */ (["audio", "video"]).filter((kind) => !this.#devices[kind].track || this.#devices[kind].fault);
    await this.#ask(kinds);
  }

  stop() {
    this.#started = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#on = { audio: true, video: true, screen: false };
    this.#devices.stop();
    this.#screen?.stop();
    this.#virtual?.stop();
    this.#silence?.stop();
    this.#screenSound?.stop();
    this.#mixed?.stop();
    this.#screen = this.#screenSound = this.#virtual = this.#silence = this.#mixed = null;
    this.#tracks = { audio: null, video: null };
  }

  /** Switches the sound on or off; where it is on and a fault keeps it from being heard, tries to mend that. @param {boolean} on */
  async setAudio(on) {
    const again = on && this.#devices.audio.fault;
    this.#on.audio = on;
    this.#settle();
    if (again) await this.#devices.again("audio");
  }

  /** @param {boolean} on */
  async setVideo(on) {
    if (this.#on.video === on) return;
    this.#on.video = on;
    await this.#choose();
  }

  /** To the camera or to the virtual picture; to the camera again where the virtual one stands in for it. @param {Source} source */
  async setSource(source) {
    this.#source = source;
    await this.#choose();
  }

  /** To the camera on the other side; where that one cannot be had, back. */
  async flip() {
    const { video } = this.#devices;
    if (!video.wanted || video.fault === "asking") return;
    const was = this.#devices.facing;
    this.#devices.facing = was === "user" ? "environment" : "user";
    this.#devices.chosen.video = "";
    await this.#ask(["video"]);
    if (!video.fault) return;
    this.#devices.facing = was;
    await this.#ask(["video"]);
  }

  /** @param {boolean} on */
  async setScreen(on) {
    if (!on) {
      this.#screen?.stop();
      this.#screenSound?.stop();
      this.#screen = this.#screenSound = null;
      this.#on.screen = false;
      return this.#settle();
    }
    try {
      // Sound as it is, not as a voice; where a browser or a source has none, there is the picture alone.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 }, audio });
      const [track] = stream.getVideoTracks();
      this.#screenSound?.stop();
      this.#screenSound = stream.getAudioTracks()[0] ?? null;
      track.contentHint = "detail";
      track.onended = () => void this.setScreen(false);
      this.#screen?.stop();
      this.#screen = track;
      this.#on.screen = true;
    } catch {
      this.emit("problem", "screen-refused");
    }
    this.#settle();
  }

  /** Takes or releases the camera as the wishes say. */
  async #choose() {
    this.#want();
    if (!this.#devices.video.wanted) this.#devices.release("video");
    const { track, fault } = this.#devices.video;
    if (this.#devices.video.wanted && (!track || fault)) await this.#ask(["video"]);
    else this.#settle();
  }

  #want() {
    this.#devices.video.wanted = this.#started && this.#source === "camera" && this.#on.video;
  }

  /** @param {import("./devices.js").DeviceKind[]} kinds */
  async #ask(kinds) {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#patient = this.#unseen = true;
    this.#timers = [
      setTimeout(() => {
        this.#unseen = false;
        this.emit("change", undefined);
      }, UNSEEN),
      setTimeout(() => {
        this.#patient = false;
        this.#settle();
      }, PATIENCE),
    ];
    const asked = this.#devices.ask(kinds);
    this.#settle();
    await asked;
  }

  /** Makes what is sent agree with what is wanted and there. */
  #settle() {
    if (!this.#started) return;
    const { video, screen, audio } = this.#on;
    const camera = this.#source === "camera" ? this.#devices.video.track : null;
    const coming = this.#patient && this.#devices.video.wanted && this.#devices.video.fault === "asking";
    // What stands in goes on until the camera is there, but does not begin for the moment that it takes.
    const virtual = video && !screen && !camera && (!coming || this.#virtual !== null);
    if (virtual && !this.#virtual) this.#virtual = virtualVideo(this.#name, this.#look);
    if (!virtual && this.#virtual) {
      this.#virtual.stop();
      this.#virtual = null;
    }
    const microphone = this.#devices.audio.track;
    if (!microphone) this.#silence ??= virtualAudio(this.#audio, { tone: this.#tone });
    else if (this.#silence) {
      this.#silence.stop();
      this.#silence = null;
    }
    const sound = microphone ?? this.#silence?.track ?? null;
    if (sound) sound.enabled = audio;
    this.#put("audio", this.#together(sound));
    this.#put("video", screen ? this.#screen : video ? camera ?? this.#virtual?.track ?? null : null);
    this.emit("change", undefined);
  }

  /** With what the shown screen sounds like, where it does. @param {MediaStreamTrack | null} sound */
  #together(sound) {
    const { context } = this.#audio;
    const parts = this.#screenSound && context ? [sound, this.#screenSound] : [];
    if (this.#mixed && parts.length === this.#mixed.of.length && parts.every((part, i) => part === this.#mixed?.of[i])) return this.#mixed.track;
    this.#mixed?.stop();
    this.#mixed = null;
    if (!parts.length || !context) return sound;
    this.#audio.wake();
    this.#mixed = { of: parts, ...mix(context, parts.filter((part) => part !== null)) };
    return this.#mixed.track;
  }

  /** The next virtual picture is another. */
  #redraw() {
    this.#virtual?.stop();
    this.#virtual = null;
  }

  /** @param {"audio" | "video"} kind @param {MediaStreamTrack | null} track */
  #put(kind, track) {
    if (this.#tracks[kind] === track) return;
    this.#tracks[kind] = track;
    this.emit("track", { kind, track });
  }
}
