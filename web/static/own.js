// own.js: what is sent from a MediaStream of the caller's. Its tracks stay theirs: they are never stopped here, and one that
// is switched off is left as it is and no longer sent.

import { Emitter } from "./emitter.js";

/** @typedef {import("./protocol.js").MediaState} MediaState */
/** @typedef {import("./peer.js").Tracks} Tracks */

/**
 * What a call needs of whatever it sends. LocalMedia and OwnMedia are such. `tracks` is what is sent now, and the event `track`
 * says that it is another; `state` is what the other side gets, and `change` that this may have changed.
 * @typedef {object} Media
 * @property {Tracks} tracks
 * @property {MediaState} state
 * @property {(on: boolean) => Promise<void>} setAudio
 * @property {(on: boolean) => Promise<void>} setVideo
 * @property {(on: boolean) => Promise<void>} setScreen
 * @property {MediaOn} on
 * @property {(name: DeviceName, id: string) => Promise<void>} [choose] to another device
 */

/** @typedef {"camera" | "microphone" | "speaker"} DeviceName */

/** @typedef {{track: {kind: "audio" | "video", track: MediaStreamTrack | null}, change: void}} MediaEvents */
/** @typedef {<T extends keyof MediaEvents>(type: T, listener: (payload: MediaEvents[T]) => void) => () => void} MediaOn */

const KINDS = /** @type {const} */ (["audio", "video"]);

/**
 * Events: `track`: what is to be sent for this kind changed; `change`: any state.
 * @extends {Emitter<MediaEvents>}
 */
export class OwnMedia extends Emitter {
  /** @type {MediaStream} */
  #stream;
  /** @type {MediaState} */
  #on = { audio: true, video: true, screen: false };
  /** @type {MediaStreamTrack | null} this one is ours */
  #screen = null;
  /** @type {Tracks} */
  #tracks = { audio: null, video: null };
  #settle = () => this.#put();

  /** @param {MediaStream} stream */
  constructor(stream) {
    super();
    this.#stream = stream;
    this.#watch("addEventListener");
    this.#put();
  }

  /** What is sent now. */
  get tracks() {
    return { ...this.#tracks };
  }

  /** What the other side gets. @returns {MediaState} */
  get state() {
    const { screen } = this.#on;
    return { audio: gives(this.#tracks.audio), video: gives(this.#tracks.video), screen };
  }

  /** Sends another stream from now on, or the same one after its tracks have changed. @param {MediaStream} stream */
  use(stream) {
    this.#watch("removeEventListener");
    this.#stream = stream;
    this.#watch("addEventListener");
    this.#put();
  }

  /** @param {boolean} on */
  async setAudio(on) {
    this.#on.audio = on;
    this.#put();
  }

  /** @param {boolean} on */
  async setVideo(on) {
    this.#on.video = on;
    this.#put();
  }

  /** Shows the screen in place of the picture; where it cannot be had, nothing changes. @param {boolean} on */
  async setScreen(on) {
    let next = null;
    if (on) {
      try {
        [next = null] = (await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 }, audio: false })).getVideoTracks();
      } catch {
        return;
      }
    }
    this.#screen?.stop();
    this.#screen = next;
    if (next) {
      next.contentHint = "detail";
      next.onended = () => void this.setScreen(false);
    }
    this.#on.screen = next !== null;
    this.#put();
  }

  /** @param {"addEventListener" | "removeEventListener"} how */
  #watch(how) {
    for (const type of ["addtrack", "removetrack"]) this.#stream[how](type, this.#settle);
    for (const track of this.#stream.getTracks()) for (const type of ["ended", "mute", "unmute"]) track[how](type, this.#settle);
  }

  #put() {
    const [audio = null] = this.#stream.getAudioTracks();
    const [video = null] = this.#stream.getVideoTracks();
    const next = { audio: this.#on.audio ? audio : null, video: this.#screen ?? (this.#on.video ? video : null) };
    for (const kind of KINDS) {
      if (this.#tracks[kind] === next[kind]) continue;
      this.#tracks[kind] = next[kind];
      this.emit("track", { kind, track: next[kind] });
    }
    this.emit("change", undefined);
  }
}

/** @param {MediaStreamTrack | null} track */
function gives(track) {
  return track !== null && track.readyState === "live" && !track.muted;
}
