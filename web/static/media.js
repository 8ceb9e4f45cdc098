// media.js: what this end sends: camera, microphone or their stand-ins, and the screen.

import { Emitter } from "./emitter.js";
import { virtualAudio, virtualVideo } from "./virtual.js";

/** @typedef {import("./protocol.js").MediaState} MediaState */
/** @typedef {"camera" | "virtual"} Source */
/** @typedef {"no-camera" | "camera-refused" | "camera-in-use" | "no-microphone" | "microphone-refused" | "screen-refused" | "no-devices"} Problem */

/** How long a question to the user may stand open before stand-ins take over; its answer still counts. */
const PATIENCE = 3_000;

/**
 * LocalMedia owns every local track. `on` says what the user wants sent; a kind that is off has its device released
 * (camera, screen) or sends silence (microphone).
 * Events: `track`: what is to be sent for this kind changed; `change`: any state; `problem`: in a word.
 * @extends {Emitter<{track: {kind: "audio" | "video", track: MediaStreamTrack | null}, change: void, problem: Problem}>}
 */
export class LocalMedia extends Emitter {
  /** @type {MediaState} */
  #on = { audio: true, video: true, screen: false };
  /** @type {Source} */
  #source = "camera";
  #name = "";
  #tone = false;
  /** @type {MediaStreamTrack | null} */
  #camera = null;
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  /** @type {MediaStreamTrack | null} */
  #screen = null;
  /** @type {import("./virtual.js").VirtualVideo | null} */
  #virtual = null;
  /** @type {ReturnType<typeof virtualAudio> | null} */
  #silence = null;
  #standIn = false; // virtual video although the user chose the camera
  #round = 0; // answers to older questions are dropped
  /** @type {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} */
  #tracks = { audio: null, video: null };

  /** The user's wishes. */
  get wishes() {
    return { ...this.#on };
  }

  /** What the other side is to be told. While the screen is shown, pictures are being sent. @returns {MediaState} */
  get state() {
    const { audio, video, screen } = this.#on;
    return { audio, video: video || screen, screen };
  }

  get source() {
    return this.#source;
  }

  /** Whether the picture is the virtual one, by choice or for want of a camera. */
  get isVirtual() {
    return this.#source === "virtual" || this.#standIn;
  }

  get hasMicrophone() {
    return this.#microphone !== null;
  }

  get canShareScreen() {
    return typeof navigator.mediaDevices?.getDisplayMedia === "function";
  }

  /** What is sent now. */
  get tracks() {
    return { ...this.#tracks };
  }

  /**
   * Asks for the devices. Returns when there is something to send, which is soon: stand-ins take over while the
   * user thinks.
   * @param {{source: Source, name: string, tone?: boolean}} options tone: let the stand-in for the microphone be heard
   */
  async start({ source, name, tone = false }) {
    this.#name = name;
    this.#tone = tone;
    this.#source = source;
    const round = ++this.#round;
    const asked = this.#ask(round, source === "camera" && this.#on.video, true);
    const soon = new Promise((resolve) => setTimeout(resolve, source === "virtual" ? 0 : PATIENCE));
    await Promise.race([asked, soon]);
    if (round === this.#round) this.#settle();
  }

  stop() {
    this.#round++;
    for (const track of [this.#camera, this.#microphone, this.#screen]) track?.stop();
    this.#virtual?.stop();
    this.#silence?.stop();
    this.#camera = this.#microphone = this.#screen = this.#virtual = this.#silence = null;
    this.#on = { audio: true, video: true, screen: false };
    this.#standIn = false;
    this.#tracks = { audio: null, video: null };
  }

  /** @param {boolean} on */
  setAudio(on) {
    this.#on.audio = on;
    this.#settle();
  }

  /** @param {boolean} on */
  async setVideo(on) {
    if (this.#on.video === on) return;
    this.#on.video = on;
    if (!on) {
      this.#camera?.stop(); // the light goes out
      this.#camera = null;
    }
    this.#settle();
    if (on && this.#source === "camera" && !this.#camera) await this.#askCamera();
  }

  /** @param {Source} source */
  async setSource(source) {
    if (this.#source === source) return;
    this.#source = source;
    this.#standIn = false;
    if (source === "virtual") {
      this.#camera?.stop();
      this.#camera = null;
    }
    this.#settle();
    if (source === "camera" && this.#on.video) await this.#askCamera();
  }

  /** @param {boolean} on */
  async setScreen(on) {
    if (!on) {
      this.#screen?.stop();
      this.#screen = null;
      this.#on.screen = false;
      return this.#settle();
    }
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 }, audio: false });
      const [track] = stream.getVideoTracks();
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

  async #askCamera() {
    const round = ++this.#round;
    await this.#ask(round, true, false);
    if (round === this.#round) this.#settle();
  }

  /**
   * One question for both where that is possible; when it fails, each by itself, so that a missing camera does not
   * cost the microphone.
   * @param {number} round @param {boolean} video @param {boolean} audio
   */
  async #ask(round, video, audio) {
    const devices = navigator.mediaDevices;
    if (!devices?.getUserMedia) {
      this.#standIn = true;
      return this.emit("problem", "no-devices");
    }
    const camera = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
    const microphone = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (video && audio) {
      try {
        return this.#accept(round, await devices.getUserMedia({ video: camera, audio: microphone }));
      } catch {
        // Which of the two it was the next two questions tell.
      }
    }
    if (audio) {
      try {
        this.#accept(round, await devices.getUserMedia({ audio: microphone }));
      } catch (error) {
        if (round === this.#round) this.emit("problem", refusal(error) ? "microphone-refused" : "no-microphone");
      }
    }
    if (video) {
      try {
        this.#accept(round, await devices.getUserMedia({ video: camera }));
      } catch (error) {
        if (round !== this.#round) return;
        this.#standIn = true;
        const name = error instanceof DOMException ? error.name : "";
        this.emit("problem", refusal(error) ? "camera-refused" : name === "NotReadableError" ? "camera-in-use" : "no-camera");
      }
    }
  }

  /** @param {number} round @param {MediaStream} stream */
  #accept(round, stream) {
    const video = stream.getVideoTracks()[0] ?? null;
    const audio = stream.getAudioTracks()[0] ?? null;
    const wanted = this.#on.video && this.#source === "camera";
    if (round !== this.#round || (video && !wanted)) {
      video?.stop();
      if (round !== this.#round) audio?.stop();
      if (round !== this.#round) return;
    } else if (video) {
      this.#camera?.stop();
      this.#camera = video;
      this.#standIn = false;
      video.onended = () => {
        // Unplugged, or taken back by the user in the browser's own dialog.
        this.#camera = null;
        this.#standIn = true;
        this.emit("problem", "no-camera");
        this.#settle();
      };
    }
    if (audio) {
      this.#microphone?.stop();
      this.#microphone = audio;
      audio.onended = () => {
        this.#microphone = null;
        this.emit("problem", "no-microphone");
        this.#settle();
      };
    }
    this.#settle();
  }

  /** Makes what is sent agree with what is wanted and there. */
  #settle() {
    const { video, screen, audio } = this.#on;
    const virtual = video && !screen && !this.#camera;
    if (virtual && !this.#virtual) this.#virtual = virtualVideo(this.#name);
    if (!virtual && this.#virtual) {
      this.#virtual.stop();
      this.#virtual = null;
    }
    if (!this.#microphone) this.#silence ??= virtualAudio({ tone: this.#tone });
    else if (this.#silence) {
      this.#silence.stop();
      this.#silence = null;
    }
    const sound = this.#microphone ?? this.#silence?.track ?? null;
    if (sound) sound.enabled = audio;
    this.#put("audio", sound);
    this.#put("video", screen ? this.#screen : video ? this.#camera ?? this.#virtual?.track ?? null : null);
    this.emit("change", undefined);
  }

  /** @param {"audio" | "video"} kind @param {MediaStreamTrack | null} track */
  #put(kind, track) {
    if (this.#tracks[kind] === track) return;
    this.#tracks[kind] = track;
    this.emit("track", { kind, track });
  }
}

/** @param {unknown} error */
function refusal(error) {
  return error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "SecurityError");
}
