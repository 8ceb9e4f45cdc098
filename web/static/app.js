// app.js: starts the page: ties client, media and view together.
//
// The page's URL may say ?path=direct|turn|relay to force a path, &transport=udp|tcp|tls to leave only such TURN
// servers, &tone=1 to make the stand-in for a missing microphone audible, &clock=1 to draw a picture that moves: for tests
// and for support.

import { PageAudio } from "./audio.js";
import { Duet, DuetError } from "./duet.js";
import { History } from "./history.js";
import { preferred } from "./i18n.js";
import { Journey } from "./journey.js";
import { Keep } from "./keep.js";
import { LocalMedia } from "./media.js";
import { Ringer } from "./sound.js";
import { View } from "./view/view.js";
import { Wake } from "./wake.js";

/** @typedef {import("./call.js").Call} Call */

const query = new URLSearchParams(location.search);
/** @typedef {"localStorage" | "sessionStorage"} Shelf */
const memory = {
  /** @param {string} key @param {Shelf} [shelf] */
  get(key, shelf = "localStorage") {
    try {
      return window[shelf].getItem(`duet.${key}`) ?? "";
    } catch {
      return ""; // storage may be forbidden; the page works without
    }
  },
  /** @param {string} key @param {string} value @param {Shelf} [shelf] */
  set(key, value, shelf = "localStorage") {
    try {
      window[shelf].setItem(`duet.${key}`, value);
    } catch {
      // As above.
    }
  },
};

/** @param {string} name @param {readonly string[]} allowed */
function choice(name, allowed) {
  const value = query.get(name);
  return value && allowed.includes(value) ? value : null;
}

/**
 * The operator's invitation, as somebody else's page links to this one: #token=, or ?token= where a fragment will not do. It
 * is taken out of the address, which people copy, and kept for a reload.
 */
function invitation() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const bare = /^#[\w-]+\.[\w-]+\.[\w-]+$/.test(location.hash) ? location.hash.slice(1) : "";
  const given = fragment.get("token") || bare || query.get("token") || query.get("jwt") || "";
  if (given) {
    memory.set("token", given, "sessionStorage");
    const rest = new URLSearchParams(query);
    for (const name of ["token", "jwt"]) rest.delete(name);
    window.history.replaceState(window.history.state, "", location.pathname + (String(rest) ? `?${rest}` : ""));
  }
  return given || memory.get("token", "sessionStorage");
}

const remembered = memory.get("language");
/** @type {import("./view/view.js").Model} */
const model = {
  page: "login",
  able: true,
  language: remembered === "zh" || remembered === "en" ? remembered : preferred(navigator.languages ?? [navigator.language]),
  joining: false,
  loginError: "",
  username: "",
  online: true,
  users: [],
  listed: false,
  invited: query.get("call")?.trim() ?? "",
  past: { all: [], unseen: 0 },
  call: null,
  local: { wishes: { audio: true, video: true, screen: false }, faults: { audio: "", video: "" }, virtual: false, mirror: false, flips: false, phone: false, screens: false, video: null },
};

const token = invitation();
const keep = new Keep();
const audio = new PageAudio();
const media = new LocalMedia({ audio });
const ringer = new Ringer(audio);
const history = new History({ load: () => memory.get("calls"), store: (text) => memory.set("calls", text) });
const view = new View(document, model);
const wake = new Wake(document);
const duet = new Duet({
  media,
  lasting: true,
  force: /** @type {import("./protocol.js").PathName | null} */ (choice("path", ["direct", "turn", "relay"])),
  transport: choice("transport", ["udp", "tcp", "tls"]),
});
model.able = duet.able;

/** What goes badly, the worst first: one is enough to read. */
const BAD = /** @type {const} */ (["silence", "loss", "narrow", "delay"]);

/** A call that does not ring for so long, in milliseconds, is told to: the other page sleeps, as those of phones do. */
const UNHEARD = 5_000;
let calledAt = 0;
let journey = new Journey();
/** The newest measures of the call. @type {import("./quality.js").Sample | null} */
let sample = null;

function show() {
  const { call } = duet;
  model.call = call && {
    phase: call.phase, peer: call.peer, state: call.state, path: call.path, theirs: call.theirs, still: call.still, startedAt: call.acceptedAt || calledAt,
    audioOnly: !call.theirs.video, lookalike: call.lookalike,
    bad: BAD.find((code) => call.warnings.includes(code)) ?? "",
    unheard: call.phase === "calling" && Date.now() - calledAt >= UNHEARD && model.online && duet.has("call-state"),
  };
  model.local = {
    wishes: media.wishes, faults: media.faults, virtual: media.isVirtual, mirror: media.isMirror, flips: media.canFlip, phone: matchMedia("(pointer: coarse)").matches, screens: media.canShareScreen, video: media.tracks.video,
  };
  model.past = { all: history.all, unseen: history.unseen };
  wake.keep(call !== null && call.phase !== "incoming"); // from the touch that calls or answers on
  view.show(model);
}

/** What a page before this one left, in this tab or in one that crashed. */
let found = keep.find();
/** What the server gave for a page after this one. @type {import("./socket.js").Kept | null} */
let kept = null;
let source = /** @type {import("./media.js").Source} */ ("camera");

/** Puts back what was chosen on an earlier visit. */
function recall() {
  /** @type {Partial<Record<"camera" | "microphone" | "speaker" | "look" | "keys", string>>} */
  let was = {};
  try {
    was = JSON.parse(memory.get("devices") || "{}");
  } catch {
    // Somebody else's, or an older page's.
  }
  media.prefer(was);
  view.keys = was.keys !== "off";
  if (query.has("clock")) media.setLook("clock");
}

function remember() {
  memory.set("devices", JSON.stringify({ ...media.preferences, keys: view.keys ? "" : "off" }));
}

/** The panel that draws the way of the call. */
async function route() {
  const { Route } = await import("./view/route.js");
  const { call } = duet;
  if (call?.phase !== "accepted") return;
  const draw = () => panel.draw({ me: model.username, peer: call.peer, path: call.path, sample, moves: journey.moves });
  const undo = [call.on("sample", () => draw()), call.on("path", () => draw()), call.on("phase", () => panel.close())];
  const panel = new Route(view.page, { copied: () => view.notice("reportCopied"), closed: () => undo.forEach((off) => off()) });
  draw();
}

/** Before joining there are no servers to try. */
async function check() {
  const all = await duet.checkConnection();
  return all.filter(({ what }) => model.page === "chat" || !/^(stun|turn)/.test(what));
}

/** The panel of camera and sound; before joining it is where the devices are asked for. */
async function settings() {
  const { openRoom } = await import("./room.js");
  const before = () => model.page === "login" && !model.joining;
  if (before()) {
    const { name, source: chosen } = view.form;
    audio.wake();
    void media.setVideo(chosen !== "none");
    void media.start({ source: chosen === "virtual" ? chosen : "camera", name: name.trim() });
  }
  openRoom({ media, audio, view, check, remember, test: () => ringer.once("test"), closed: () => before() && media.stop() });
}

/** Notes what a page after this one needs. @param {{left?: boolean}} [how] left: the server has been told that we leave */
function note({ left = false } = {}) {
  const { audio, video } = media.wishes;
  if (kept) keep.save({ ...kept, session: left ? "" : kept.session, source, audio, video });
}

/** @param {string} code */
function signOut(code) {
  kept = null;
  keep.save(null);
  media.stop();
  ringer.play("");
  model.page = "login";
  model.loginError = code;
  model.users = [];
  model.listed = false;
  view.remote(null);
  show();
}

recall();
view.prefill({ name: memory.get("name"), source: memory.get("source") || "camera" });

view.on("login", ({ name, source: chosen }) => {
  if (model.joining) return;
  audio.wake(); // here is a touch; when it rings there may be none
  source = chosen === "virtual" ? chosen : "camera";
  memory.set("source", chosen);
  void media.setVideo(chosen !== "none");
  void enter(async () => {
    const left = await found; // one's own name may be held by a page that is gone
    found = Promise.resolve(null);
    return left?.session && left.username === name.trim() ? duet.resume(left, token) : duet.join(name.trim(), token);
  });
});

/** Comes in. The question for the devices is asked at once, and nobody waits for its answer. @param {() => Promise<{username: string}>} join */
async function enter(join) {
  model.joining = true;
  model.loginError = "";
  show();
  try {
    const { username } = await join();
    memory.set("name", username);
    model.username = username;
    model.page = "chat";
    void media.start({ source, name: username, tone: query.has("tone") });
    note();
  } catch (error) {
    const code = error instanceof DuetError ? error.code : "internal";
    model.loginError = code === "unreachable" ? await (await import("./hurdle.js")).hurdle(duet.url) : code;
  }
  model.joining = false;
  show();
  if (model.loginError) view.focusName();
}

/** Goes on where the page before this one was ended by a reload or a crash. */
async function goOn() {
  const left = await found;
  // In a new tab the user says so, by the name.
  if (!left?.own || model.joining || model.page !== "login") return;
  found = Promise.resolve(null);
  source = left.source;
  // Whoever was muted stays so.
  void media.setAudio(left.audio);
  void media.setVideo(left.video);
  await enter(() => (left.session ? duet.resume(left, token) : duet.join(left.username, token)));
  if (duet.call?.phase === "accepted") view.notice("pickedUp", { values: { name: duet.call.peer } });
}

view.on("language", () => {
  model.language = model.language === "zh" ? "en" : "zh";
  memory.set("language", model.language);
  show();
});
view.on("leave", () => {
  duet.leave();
  signOut("");
});
view.on("dial", (user) => {
  history.seen();
  if (!duet.able) view.notice("unable", { tone: "warn" });
  else if (!duet.call) duet.dial(user);
});
view.on("accept", () => duet.call?.accept());
view.on("accept-sound", () => duet.call?.accept({ video: false }));
view.on("path", () => void route());
view.on("settings", () => void settings());
view.on("refuse", (note) => duet.call?.decline(note));
view.on("clear-calls", () => {
  history.clear();
  show();
});
view.on("hang-up", () => duet.call?.hangUp());
view.on("audio", () => {
  // Who presses the button of a microphone that nobody hears wants to be heard.
  const { audio: fault } = media.faults;
  void media.setAudio(!media.wishes.audio || (fault !== "" && fault !== "asking"));
});
view.on("video", () => void media.setVideo(!media.wishes.video));
view.on("screen", () => void media.setScreen(!media.wishes.screen));
view.on("flip", () => void media.flip());
view.on("source", () => {
  source = media.isVirtual ? "camera" : "virtual";
  memory.set("source", source);
  void media.setSource(source);
});

media.on("change", () => {
  view.speaker(media.speaker);
  audio.speaker(media.speaker);
  note();
  show();
});
media.on("problem", (problem) => view.notice(problem, { family: "problem", tone: "warn" }));

duet.on("state", (state) => {
  model.online = state === "online" || state === "closed";
  show();
});
duet.on("kept", (next) => {
  kept = next;
  note();
});
duet.on("users", (users) => {
  model.users = users;
  model.listed = true;
  show();
});
duet.on("closed", (code) => {
  if (model.page === "chat") signOut(code);
});
duet.on("call", (call) => {
  follow(call);
  show();
});

/** @param {Call} call */
function follow(call) {
  const sound = () => ringer.play(call.phase === "incoming" ? "incoming" : call.phase === "ringing" ? "outgoing" : "");
  sound();
  calledAt = call.phase === "incoming" ? 0 : Date.now();
  const began = Date.now();
  let was = call.state;
  setTimeout(show, UNHEARD);
  call.on("phase", (phase) => {
    sound();
    if (phase === "ended") ended(call, began);
    show();
  });
  for (const type of /** @type {const} */ (["path", "media", "state"])) call.on(type, show);
  journey = new Journey();
  sample = null;
  call.on("sample", (seen) => (sample = seen));
  call.on("warning", show);
  call.on("path", ({ path }) => journey.took(path, Date.now()));
  call.on("state", (state) => {
    if (state === "reconnecting") journey.lost(Date.now());
    if (state === "connected") journey.healed(Date.now());
    if (state === "connected" && was !== "connected") ringer.once("connect");
    if (state === "reconnecting" && was === "connected") ringer.once("drop");
    was = state;
  });
  call.on("tracks", (tracks) => view.remote(tracks));
  call.on("notice", (code) => {
    if (code === "relay-unavailable") view.notice(code, { family: "notice", tone: "warn" });
    else view.notice(code, { family: "verdict", tone: "warn", values: { name: call.peer }, ms: 60_000 });
  });
}

/** @param {Call} call @param {number} began when it began to ring */
function ended(call, began) {
  view.remote(null);
  history.add(call, began, Date.now());
  if (call.acceptedAt) ringer.once("hang-up");
  if (media.wishes.screen) void media.setScreen(false);
  const values = { name: call.peer };
  if (call.reason === "declined") view.notice(call.note, { family: "declined", values, ms: call.note ? 30_000 : undefined });
  else if (call.reason !== "hangup-self") view.notice(call.reason, { family: "end", values });
}

// A reload goes on with the call, and a closed tab should not be in the list for longer: the browser does not say which it
// is, so whoever is in a call is asked first.
addEventListener("beforeunload", (event) => {
  if (duet.call?.phase === "accepted") event.preventDefault();
});
addEventListener("pagehide", ({ persisted }) => {
  if (persisted) return; // the page may come back as it is
  const ends = model.page === "chat" && duet.call?.phase !== "accepted";
  note({ left: ends });
  if (!ends) return;
  kept = null; // what is noted stays
  duet.leave();
});

if (parent !== window) {
  void import("./frame.js").then(({ lead }) =>
    lead({
      duet,
      join: async (name, given) => {
        if (model.joining || model.page !== "login") throw new DuetError("already-joined");
        await enter(() => duet.join(name, given || token));
      },
    }),
  );
}

// For support and tests, from the developer tools.
Object.assign(globalThis, { duet });
show();
void goOn();
