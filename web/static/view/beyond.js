// beyond.js: the call beyond its page: the whole screen, a small window above all others, and the system's own buttons.

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./view.js").Model} Model */

export class Beyond {
  #page;
  #session;
  /** @type {((action: "audio" | "video" | "hang-up") => void)} */
  #does;

  /** @param {Page} page @param {(action: "audio" | "video" | "hang-up") => void} does */
  constructor(page, does) {
    this.#page = page;
    this.#does = does;
    this.#session = /** @type {(MediaSession & {setMicrophoneActive?: (on: boolean) => void, setCameraActive?: (on: boolean) => void}) | undefined} */ (
      page.doc.defaultView?.navigator?.mediaSession);
    page.doc.addEventListener("fullscreenchange", () => this.#draw());
  }

  /** @param {Model} model */
  draw({ call, local }) {
    const { doc } = this.#page;
    const live = call?.phase === "accepted";
    this.#page.button("full").hidden = !live || !doc.fullscreenEnabled;
    this.#page.button("small").hidden = !live || !doc.pictureInPictureEnabled;
    this.#draw();
    if (!live && doc.pictureInPictureElement) void doc.exitPictureInPicture().catch(() => {});
    if (!live && doc.fullscreenElement) void doc.exitFullscreen().catch(() => {});
    this.#handle("togglemicrophone", live ? () => this.#does("audio") : null);
    this.#handle("togglecamera", live ? () => this.#does("video") : null);
    this.#handle("hangup", live ? () => this.#does("hang-up") : null);
    this.#session?.setMicrophoneActive?.(local.wishes.audio);
    this.#session?.setCameraActive?.(local.wishes.video);
  }

  #draw() {
    const page = this.#page;
    const full = Boolean(page.doc.fullscreenElement);
    page.toggle("full", full, { label: "fullScreen", title: full ? "leaveFullScreen" : "fullScreen", icon: full ? "i-small" : "i-full" });
  }

  async full() {
    const { doc } = this.#page;
    await (doc.fullscreenElement ? doc.exitFullscreen() : doc.documentElement.requestFullscreen()).catch(() => {});
  }

  async small() {
    const { doc } = this.#page;
    await (doc.pictureInPictureElement ? doc.exitPictureInPicture() : this.#page.video("remote-video").requestPictureInPicture()).catch(() => {});
  }

  /** @param {string} action @param {(() => void) | null} handler */
  #handle(action, handler) {
    try {
      this.#session?.setActionHandler(/** @type {MediaSessionAction} */ (action), handler);
    } catch {
      // An action that this browser does not know.
    }
  }
}
