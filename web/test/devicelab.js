// devicelab.js: a browser's devices, as far as a page meets them: one question at a time, answered by the test; of one
// kind one capture, the second of which ends the first (as phones do); tracks that end, are muted, and say so.

import { fakeTime } from "./fakes.js";

class Target {
  #listeners = [];
  addEventListener(type, fn) {
    this.#listeners.push([type, fn]);
  }
  removeEventListener(type, fn) {
    this.#listeners = this.#listeners.filter(([t, f]) => t !== type || f !== fn);
  }
  tell(type, event = { type }) {
    for (const [t, fn] of [...this.#listeners]) if (t === type) fn(event);
  }
}

let serial = 0;

export class FakeTrack {
  enabled = true;
  muted = false;
  readyState = "live";
  onended = null;
  onmute = null;
  onunmute = null;
  contentHint = "";
  constructor(kind, label = kind, settings = {}) {
    Object.assign(this, { kind, label, id: `${kind}-${++serial}`, settings });
  }
  getSettings() {
    return this.settings;
  }
  /** By the page: without an event. */
  stop() {
    this.readyState = "ended";
  }
  /** By the system. */
  end() {
    if (this.readyState === "ended") return;
    this.readyState = "ended";
    this.onended?.({ type: "ended" });
  }
  mute(on) {
    this.muted = on;
    if (on) this.onmute?.({ type: "mute" });
    else this.onunmute?.({ type: "unmute" });
  }
}

/** What the page is given, and what the test does to it. */
export function fakeDevices() {
  const media = new Target();
  const doc = Object.assign(new Target(), { visibilityState: "visible" });
  const lab = {
    media, doc,
    /** What is plugged in, and what the browser has decided; "" asks. */
    has: { audio: true, video: true },
    permission: { audio: "granted", video: "granted" },
    absent: [], // ids of devices that are not plugged in
    held: false, // by another program
    questions: [], // what was asked for, such as "audio video"
    waiting: [], // questions to the user
    tracks: { audio: null, video: null }, // the newest of each kind
    permissions: {
      async query({ name }) {
        return (statuses[name] ??= { name, onchange: null, get state() { return lab.permission[name === "camera" ? "video" : "audio"] || "prompt"; } });
      },
    },
    /** The user answers the oldest question that stands open. */
    answer(yes) {
      const { kinds, resolve, reject } = lab.waiting.shift();
      if (yes) for (const kind of kinds) lab.permission[kind] = "granted";
      if (yes) give(kinds, resolve, reject);
      else reject(new DOMException("no", "NotAllowedError"));
    },
    permit(kind) {
      lab.permission[kind] = "granted";
      statuses[kind === "video" ? "camera" : "microphone"]?.onchange?.({});
    },
    see(state) {
      doc.visibilityState = state;
      doc.tell("visibilitychange");
    },
  };
  const statuses = {};
  function give(kinds, resolve, reject) {
    if (kinds.some((kind) => !lab.has[kind])) return reject(new DOMException("none", "NotFoundError"));
    if (lab.held) return reject(new DOMException("held", "NotReadableError"));
    const tracks = kinds.map((kind) => {
      lab.tracks[kind]?.end(); // phones give one capture of a kind
      return (lab.tracks[kind] = new FakeTrack(kind, kind, kind === "video" ? { facingMode: lab.facing } : {}));
    });
    resolve(new MediaStream(tracks));
  }
  media.getUserMedia = (constraints) => {
    const kinds = ["audio", "video"].filter((kind) => constraints[kind]);
    lab.questions.push(kinds.join(" "));
    lab.constraints = constraints;
    lab.facing = constraints.video?.facingMode?.exact ?? constraints.video?.facingMode?.ideal;
    return new Promise((resolve, reject) => {
      const wanted = kinds.map((kind) => constraints[kind].deviceId?.exact);
      if (wanted.some((id) => id && lab.absent.includes(id))) reject(new DOMException("no such", "OverconstrainedError"));
      else if (kinds.some((kind) => lab.permission[kind] === "denied")) reject(new DOMException("no", "NotAllowedError"));
      else if (kinds.some((kind) => !lab.permission[kind])) lab.waiting.push({ kinds, resolve, reject });
      else give(kinds, resolve, reject);
    });
  };
  return lab;
}

/**
 * Sound as browsers allow it: a context begins suspended, runs only after resume() in a touch (or, where `sticky`, after the
 * first touch), and says so later; the system may interrupt it, and then resume() is refused until that has ended.
 */
export function fakeAudio({ sticky = true } = {}) {
  const sound = { touching: false, touched: false, busy: false, contexts: [], notes: [], mixed: [], window: new Target(), document: new Target() };
  sound.touch = (type) => {
    // Where a finger comes down is no touch yet.
    sound.touching = type !== "pointerdown";
    sound.touched ||= sound.touching;
    sound.window.tell(type);
    sound.touching = false;
  };
  sound.interrupt = (on) => {
    sound.busy = on;
    for (const context of sound.contexts) if (on) context.become("interrupted");
  };
  sound.FakeAudioContext = class extends Target {
    state = "suspended";
    currentTime = 0;
    destination = {};
    constructor() {
      super();
      sound.contexts.push(this);
    }
    become(state) {
      this.state = state;
      this.tell("statechange");
    }
    async resume() {
      if (sound.busy || !(sound.touching || (sticky && sound.touched))) throw new DOMException("no", "NotAllowedError");
      await null;
      this.become("running");
    }
    createMediaStreamSource(stream) { return { connect: () => sound.mixed.push(stream.getTracks()[0]), disconnect: () => sound.mixed.splice(sound.mixed.indexOf(stream.getTracks()[0]), 1) }; }
    createMediaStreamDestination() { return { stream: new MediaStream([new FakeTrack("audio", "silence")]) }; }
    createOscillator() { return { frequency: {}, connect: (next) => next, start: () => sound.notes.push(this.state), stop() {} }; }
    createGain() { return { gain: { setValueAtTime() {}, linearRampToValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: (next) => next, disconnect() {} }; }
  };
  return sound;
}

/** Fake time with a Date that follows it, and the canvas and sound that stand-ins are made of. */
export function fakeStudio(now) {
  const undo = fakeTime();
  const { document: wasDocument, AudioContext: wasContext } = globalThis;
  const wasNow = Date.now;
  Date.now = now;
  const pen = new Proxy({}, { get: (_, key) => (key === "createLinearGradient" ? () => ({ addColorStop() {} }) : () => {}), set: () => true });
  const element = () => ({ style: {}, getContext: () => pen, captureStream: () => new MediaStream([new FakeTrack("video", "virtual")]), remove() {}, setAttribute() {} });
  globalThis.document = { createElement: element, body: { append() {} } };
  globalThis.AudioContext = fakeAudio().FakeAudioContext;
  return () => {
    Object.assign(globalThis, { document: wasDocument, AudioContext: wasContext });
    Date.now = wasNow;
    undo();
  };
}
