// app.js: starts the page: ties client, media and view together.
//
// The page's URL may say ?path=direct|turn|relay to force a path, &transport=udp|tcp|tls to leave only such TURN
// servers, &tone=1 to make the stand-in for a missing microphone audible: for tests and for support.

import { PageAudio } from "./audio.js";
import { Duet } from "./duet.js";
import { preferred } from "./i18n.js";
import { LocalMedia } from "./media.js";
import { SignalingError } from "./socket.js";
import { Ringer } from "./sound.js";
import { View } from "./view/view.js";
import { Wake } from "./wake.js";

/** @typedef {import("./duet.js").Call} Call */

const query = new URLSearchParams(location.search);
const memory = {
  /** @param {string} key */
  get(key) {
    try {
      return localStorage.getItem(`duet.${key}`) ?? "";
    } catch {
      return ""; // storage may be forbidden; the page works without
    }
  },
  /** @param {string} key @param {string} value */
  set(key, value) {
    try {
      localStorage.setItem(`duet.${key}`, value);
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

const remembered = memory.get("language");
/** @type {import("./view/view.js").Model} */
const model = {
  page: "login",
  language: remembered === "zh" || remembered === "en" ? remembered : preferred(navigator.languages ?? [navigator.language]),
  joining: false,
  loginError: "",
  username: "",
  online: true,
  users: [],
  call: null,
  local: { wishes: { audio: true, video: true, screen: false }, faults: { audio: "", video: "" }, virtual: false, screens: false, video: null },
};

const url = new URL("ws", location.href);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
url.search = url.hash = "";

const audio = new PageAudio();
const media = new LocalMedia({ audio });
const ringer = new Ringer(audio);
const view = new View(document, model);
const wake = new Wake(document);
const duet = new Duet({
  url: url.href,
  media,
  force: /** @type {import("./protocol.js").PathName | null} */ (choice("path", ["direct", "turn", "relay"])),
  transport: choice("transport", ["udp", "tcp", "tls"]),
});
const connection = "connection" in navigator && navigator.connection instanceof EventTarget ? navigator.connection : undefined;
duet.watch({ window, document, connection });

function show() {
  const { call } = duet;
  model.call = call && {
    phase: call.phase, peer: call.peer, state: call.state, path: call.path, theirs: call.theirs, startedAt: call.acceptedAt,
    audioOnly: !call.theirs.video,
  };
  model.local = {
    wishes: media.wishes, faults: media.faults, virtual: media.isVirtual, screens: media.canShareScreen, video: media.tracks.video,
  };
  wake.keep(call?.phase === "accepted");
  view.show(model);
}

/** @param {string} code */
function signOut(code) {
  media.stop();
  ringer.play("");
  model.page = "login";
  model.loginError = code;
  model.users = [];
  view.remote(null);
  show();
}

view.prefill({ name: memory.get("name"), source: memory.get("source") || "camera" });

view.on("login", async ({ name, source }) => {
  if (model.joining) return;
  audio.wake(); // here is a touch; when it rings there may be none
  model.joining = true;
  model.loginError = "";
  show();
  try {
    // The question for the camera is asked under the user's click, and nobody waits for its answer.
    const welcome = await duet.join(name.trim());
    memory.set("name", welcome.username);
    memory.set("source", source);
    model.username = welcome.username;
    model.page = "chat";
    void media.start({ source, name: welcome.username, tone: query.has("tone") });
  } catch (error) {
    model.loginError = error instanceof SignalingError ? error.code : "internal";
  }
  model.joining = false;
  show();
  if (model.loginError) view.focusName();
});

view.on("language", () => {
  model.language = model.language === "zh" ? "en" : "zh";
  memory.set("language", model.language);
  show();
});
view.on("leave", () => {
  duet.leave();
  signOut("");
});
view.on("dial", (user) => void duet.dial(user));
view.on("accept", () => duet.call?.accept());
view.on("refuse", () => duet.call?.refuse());
view.on("hang-up", () => duet.call?.hangUp());
view.on("audio", () => {
  // Who presses the button of a microphone that nobody hears wants to be heard.
  const { audio: fault } = media.faults;
  void media.setAudio(!media.wishes.audio || (fault !== "" && fault !== "asking"));
});
view.on("video", () => void media.setVideo(!media.wishes.video));
view.on("screen", () => void media.setScreen(!media.wishes.screen));
view.on("source", () => {
  const next = media.isVirtual ? "camera" : "virtual";
  memory.set("source", next);
  void media.setSource(next);
});

media.on("change", show);
media.on("problem", (problem) => view.notice(problem, { family: "problem", tone: "warn" }));

duet.on("state", (state) => {
  model.online = state === "online" || state === "closed";
  show();
});
duet.on("users", (users) => {
  model.users = users;
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
  call.on("phase", (phase) => {
    sound();
    if (phase === "ended") ended(call);
    show();
  });
  for (const type of /** @type {const} */ (["path", "media", "state"])) call.on(type, show);
  call.on("tracks", (tracks) => view.remote(tracks));
  call.on("notice", (code) => {
    if (code === "relay-unavailable") view.notice(code, { family: "notice", tone: "warn" });
    else view.notice(code, { family: "verdict", tone: "warn", values: { name: call.peer }, ms: 60_000 });
  });
}

/** @param {Call} call */
function ended(call) {
  view.remote(null);
  if (media.wishes.screen) void media.setScreen(false);
  if (call.reason !== "hangup-self") view.notice(call.reason, { family: "end", values: { name: call.peer } });
}

// A closed tab should not keep the other side waiting for a return.
addEventListener("pagehide", () => duet.leave());
// The browser may bring the page back as it was, when it has long been signed out.
addEventListener("pageshow", (event) => {
  if (event.persisted && model.page === "chat") signOut("");
});

// For support and tests, from the developer tools.
Object.assign(globalThis, { duet });
show();
