// remote.js: the other side, as it is seen and heard.

import { explain } from "../i18n.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./view.js").Model} Model */

/** A video that was paused plays again after so long, in milliseconds: what paused it is over then, or refuses. */
const AGAIN = 200;

export class Remote {
  #page;
  #stream = new MediaStream();
  /** @type {Model["call"]} */
  #call = null;
  /** @type {import("../peer.js").Tracks | null} */
  #tracks = null;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    const video = page.video("remote-video");
    // Turning a phone changes what fits, and nothing else may be drawn then.
    if (typeof ResizeObserver === "function") new ResizeObserver(() => this.draw(this.#call)).observe(page.at("remote"));
    // Phones pause what plays, for a call or a glance at another page, and leave it so.
    const again = () => video.srcObject && video.paused && this.play();
    video.addEventListener("pause", () => setTimeout(again, AGAIN));
    page.doc.addEventListener("visibilitychange", again);
    for (const type of ["pageshow", "focus"]) page.doc.defaultView?.addEventListener(type, again);
    for (const type of ["playing", "resize", "loadeddata"]) video.addEventListener(type, () => this.draw(this.#call));
  }

  /** What is to be seen and heard; null ends it. @param {import("../peer.js").Tracks | null} tracks */
  show(tracks) {
    this.#tracks = tracks;
    if (tracks) return this.#put(tracks);
    this.#page.at("remote").classList.remove("picture");
    this.#page.video("remote-video").srcObject = null;
    this.#stream = new MediaStream();
  }

  /** @param {import("../peer.js").Tracks} tracks */
  #put({ audio, video: picture }) {
    const video = this.#page.video("remote-video");
    const shown = this.#stream.getTracks();
    const theirs = this.#call?.phase === "accepted" ? this.#call.theirs : null;
    // Browsers play nothing, no sound either, of a stream with a picture of which nothing has come yet.
    const sent = !theirs || theirs.video || theirs.screen || (picture !== null && shown.includes(picture) && video.readyState >= 2);
    const wanted = [audio, sent ? picture : null].filter((track) => track !== null);
    if (video.srcObject === this.#stream && shown.length === wanted.length && wanted.every((track) => shown.includes(track))) return;
    // A stream of its own for a picture that comes to a sound, or goes.
    if (shown.some(({ kind }) => kind === "video") !== wanted.some(({ kind }) => kind === "video")) this.#stream = new MediaStream();
    // The old ones first: Firefox never shows a track that came while another was shown, and tracks of one id count as one.
    for (const track of this.#stream.getTracks()) if (!wanted.includes(track)) this.#stream.removeTrack(track);
    for (const track of wanted) this.#stream.addTrack(track);
    if (video.srcObject !== this.#stream) video.srcObject = this.#stream;
    this.play();
  }

  /** @param {string} id */
  speaker(id) {
    const video = /** @type {HTMLVideoElement & {setSinkId?: (id: string) => Promise<void>, sinkId?: string}} */ (this.#page.video("remote-video")); // not in every browser
    if ((video.sinkId ?? "") !== id) void video.setSinkId?.(id).catch(() => {}); // gone: the system's own is heard
  }

  play() {
    const button = this.#page.at("listen");
    this.#page.video("remote-video").play().then(
      () => (button.hidden = true),
      (error) => {
        if (error instanceof DOMException && error.name === "NotAllowedError") button.hidden = false;
      },
    );
  }

  /** @param {Model["call"]} call */
  draw(call) {
    this.#call = call;
    if (this.#tracks) this.#put(this.#tracks);
    const page = this.#page;
    const video = page.video("remote-video");
    const remote = page.at("remote");
    const name = call?.peer ?? "";
    const live = call?.phase === "accepted";
    const sends = live && (call.theirs.video || call.theirs.screen);
    const arrived = video.videoWidth > 2 && video.readyState >= 2;
    remote.classList.toggle("picture", Boolean(sends && arrived));
    remote.classList.toggle("stale", Boolean(live && (call.state !== "connected" || call.still)));
    remote.classList.toggle("screen", Boolean(live && call.theirs.screen));
    // A tall picture on a wide stage would lose more than half by filling it.
    const { clientWidth: w, clientHeight: h } = remote;
    const crop = w && h && video.videoWidth ? (w / h) / (video.videoWidth / video.videoHeight) : 1;
    remote.classList.toggle("contain", crop > 1.6 || crop < 0.5);
    page.avatar(page.at("peer-avatar"), name);
    page.at("peer-avatar").classList.toggle("rings", Boolean(call && (call.phase === "calling" || call.phase === "ringing")));
    let text = name;
    if (live && !call.theirs.video && !call.theirs.screen) text = off(page, "video", call);
    page.text(page.at("cover-text"), text);
    page.at("peer-muted").hidden = !live || call.theirs.audio;
    page.text(page.at("peer-muted-text"), call ? off(page, "audio", call) : "");
  }
}

/** That the other side is not heard or seen, and why if they say so. @param {Page} page @param {"audio" | "video"} kind @param {NonNullable<Model["call"]>} call */
export function off(page, kind, { peer, theirs }) {
  return explain(page.language, `peer-${kind}`, theirs[`${kind}Cause`] ?? "", { name: peer });
}
