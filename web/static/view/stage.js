// stage.js: the call as such: its state in a line, its path, the controls, and one's own picture.

import { explain } from "../i18n.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./view.js").Model} Model */

export class Stage {
  #page;
  #local = new MediaStream();

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    // One's own picture has the shape that the camera gives, which turns with a phone.
    const video = page.video("local-video");
    for (const type of ["resize", "loadedmetadata"]) {
      video.addEventListener(type, () => {
        if (video.videoWidth > 2) page.at("local").style.setProperty("--shape", String(video.videoWidth / video.videoHeight));
      });
    }
  }

  /** @param {Model} model */
  draw(model) {
    const page = this.#page;
    const { call } = model;
    page.at("stage").dataset.phase = call && call.phase !== "incoming" ? call.phase : "idle";
    const { text, tone } = this.#status(model);
    page.text(page.at("status"), text);
    const dot = page.at("dot");
    if (tone) dot.dataset.tone = tone;
    else delete dot.dataset.tone;
    this.#drawPath(call?.phase === "accepted" ? call.path : null);
    this.#drawControls(model);
    this.#drawLocal(model);
    this.clock(model);
  }

  /** @param {Model} model */
  clock({ call }) {
    const seconds = call?.startedAt ? Math.max(0, Math.floor((Date.now() - call.startedAt) / 1_000)) : -1;
    const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3_600);
    const text = `${hours > 0 ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    this.#page.text(this.#page.at("clock"), seconds < 0 ? "" : text);
  }

  /** The call in one line. @param {Model} model @returns {{text: string, tone: string}} */
  #status({ call, users }) {
    const page = this.#page;
    const name = call?.peer ?? "";
    if (!call || call.phase === "incoming") return { text: users.length ? page.t("idle") : "", tone: "" };
    if (call.phase !== "accepted") return { text: page.t(call.phase === "ringing" ? "ringing" : call.unheard ? "unheard" : "calling", { name }), tone: "wait" };
    const tone = { idle: "wait", connecting: "wait", connected: "good", reconnecting: "wait", failed: "bad" }[call.state];
    if (call.state === "connected" && call.bad) return { text: page.t(`bad_${call.bad}`, { name }), tone: "wait" };
    const shares = call.state === "connected" && call.theirs.screen;
    return { text: page.t(call.state === "idle" ? "connecting" : shares ? "peerSharing" : call.state, { name }), tone };
  }

  /** @param {import("../paths.js").PathInfo | null} path */
  #drawPath(path) {
    const page = this.#page;
    const chip = page.at("path-chip");
    chip.hidden = !path;
    const label = page.at("path");
    if (path) {
      chip.dataset.path = label.dataset.path = path.path;
      chip.title = page.t(`pathHint_${path.path}`);
      page.at("path-icon").setAttribute("href", path.path === "relay" ? "#i-relay" : "#i-lock");
      page.text(label, page.t(`path_${path.path}`));
    } else {
      delete label.dataset.path;
      page.text(label, "");
    }
  }

  /** @param {Model} model */
  #drawControls({ call, local, able }) {
    const page = this.#page;
    const { wishes, faults } = local;
    const heard = wishes.audio && !faults.audio;
    const retry = faults.audio && faults.audio !== "asking";
    page.toggle("audio", !heard, { label: retry ? "retryAudio" : "muteAudio", title: retry ? "retryAudio" : wishes.audio ? "muteAudio" : "unmuteAudio", icon: heard ? "i-mic" : "i-mic-off" });
    page.button("audio").dataset.fault = faults.audio;
    page.toggle("video", !wishes.video, { label: "muteVideo", title: wishes.video ? "muteVideo" : "unmuteVideo", icon: wishes.video ? "i-video" : "i-video-off" });
    page.toggle("screen", wishes.screen, { label: "shareScreen", title: wishes.screen ? "stopScreen" : "shareScreen", icon: "i-screen" });
    const source = local.virtual ? "useCamera" : "useVirtual";
    page.toggle("source", null, { label: source, title: source, icon: local.virtual ? "i-camera" : "i-virtual" });
    const live = call?.phase === "accepted";
    page.button("screen").hidden = !local.screens || !live;
    page.button("hang-up").hidden = !call || call.phase === "incoming";
    page.label(page.button("hang-up"), page.t(live ? "hangUp" : "cancel"));
    const flip = page.button("flip");
    flip.hidden = !local.flips || !wishes.video || local.virtual;
    page.label(flip, page.t("flip"));
    this.#drawFaults(faults, able, live && local.phone);
  }

  /** What keeps others from hearing or seeing, for as long as it does. @param {Model["local"]["faults"]} faults @param {boolean} able @param {boolean} phone in a call on one */
  #drawFaults({ audio, video }, able, phone) {
    const page = this.#page;
    const both = audio === video && (audio === "asking" || audio === "insecure");
    const codes = both ? [`both-${audio}`] : [audio && `audio-${audio}`, video && `video-${video}`].filter(Boolean);
    // A phone ends the pages behind the one in front, but for those that have its microphone.
    if (phone && audio) codes.unshift("keepInFront");
    const lines = able ? codes.map((code) => explain(page.language, "fault", code)) : [page.t("unable")];
    for (const [i, id] of ["fault-1", "fault-2", "fault-3"].entries()) {
      page.text(page.at(id), lines[i] ?? "");
      page.at(id).hidden = !lines[i];
    }
    page.at("what-to-do").hidden = !able || (!audio && !video);
  }

  /** @param {Model} model */
  #drawLocal({ local, username }) {
    const page = this.#page;
    const { wishes } = local;
    const mine = page.at("local");
    mine.classList.toggle("dark", !local.video);
    mine.classList.toggle("mirror", local.mirror && !wishes.screen);
    page.avatar(page.at("my-cover"), username);
    const notes = [!wishes.audio && "youMuted", wishes.screen ? "youSharing" : !wishes.video && "youVideoOff"].filter((key) => key !== false);
    page.text(page.at("my-state"), notes.map((key) => page.t(key)).join(" · "));
    const video = page.video("local-video");
    for (const track of this.#local.getTracks()) if (track !== local.video) this.#local.removeTrack(track);
    if (local.video && !this.#local.getTracks().includes(local.video)) this.#local.addTrack(local.video);
    if (video.srcObject !== this.#local) video.srcObject = this.#local;
    if (local.video) void video.play().catch(() => {});
  }
}
