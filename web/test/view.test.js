// view.test.js: what is to be read, where, and for how long.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TEXTS, translate } from "../static/i18n.js";
import { Journey } from "../static/journey.js";
import { Checkup, verdict } from "../static/view/checkup.js";
import { Route, report } from "../static/view/route.js";
import { WORDS } from "../static/words.js";
import { loadPage } from "./dom.js";
import { advance } from "./fakes.js";
import { at, button, call, did, doc, model, show, user, view } from "./screen.js";

const notices = () => doc.querySelectorAll(".notice").map((line) => line.children[0].textContent);

test("the page has its words before any script has run", () => {
  const bare = loadPage();
  for (const el of bare.querySelectorAll("[data-text]")) assert.equal(el.textContent, TEXTS.en[el.dataset.text], el.dataset.text);
  for (const el of bare.querySelectorAll("[data-label]")) assert.equal(el.getAttribute("aria-label"), TEXTS.en[el.dataset.label]);
  for (const el of bare.querySelectorAll("[data-placeholder]")) assert.equal(el.getAttribute("placeholder"), TEXTS.en[el.dataset.placeholder]);
});

for (const [state, change] of [["login", { page: "login" }], ["list", { page: "chat" }], ["call", { page: "chat", call: call("accepted") }]]) {
  test(`${state}: one main and one first heading are there`, async () => {
    await show(change);
    for (const tag of ["main", "h1"]) assert.equal(doc.querySelectorAll(tag).filter((el) => el.shown).length, 1, tag);
  });
}

test("a fault of a device is said for as long as it lasts, and the button shows it", async () => {
  const local = { wishes: { audio: true, video: true, screen: false }, faults: { audio: "ended", video: "" }, virtual: false, mirror: true, flips: false, phone: false, screens: true, video: null };
  await show({ page: "chat", local });
  await advance(120_000, 1_000);
  assert.equal(at("faults").textContent, TEXTS.en["fault_audio-ended"]);
  assert.equal(button("toggle-audio").getAttribute("aria-pressed"), "true");
  await show({ language: "zh", local: { ...local, faults: { audio: "ended", video: "missing" } } });
  assert.equal(at("faults").textContent, TEXTS.zh["fault_audio-ended"] + TEXTS.zh["fault_video-missing"]);
  await show({ local: { ...local, faults: { audio: "", video: "" } } });
  assert.equal(at("faults").textContent, "");
});

test("what stands still while the call reconnects looks so", async () => {
  await show({ page: "chat", call: call("accepted", { state: "reconnecting" }) });
  assert.equal(at("remote").classList.contains("stale"), true);
  await show({ call: call("accepted") });
  assert.equal(at("remote").classList.contains("stale"), false);
});

test("a notice goes after a while, but not from under a pointer or a finger on a key", async () => {
  view.notice("bob", {});
  const [line] = doc.querySelectorAll(".notice");
  line.dispatch("pointerenter");
  await advance(30_000, 500);
  line.dispatch("focusin");
  line.dispatch("pointerleave");
  await advance(30_000, 500);
  assert.deepEqual(notices(), ["bob"]);
  line.dispatch("focusout");
  await advance(6_500, 500);
  assert.deepEqual(notices(), ["bob"]);
  await advance(1_000, 500);
  assert.deepEqual(notices(), []);
});

test("names that are written from right to left keep their beginning, and the sentence around them", async () => {
  const name = "محمد الأنصاري";
  await show({ page: "chat", users: [user(name)] });
  assert.equal(doc.querySelector(".who b").getAttribute("dir"), "auto");
  assert.equal(translate("en", "incoming", { name }), `\u2068${name}\u2069 is calling`);
  assert.equal(translate("en", "incoming", { name: "Bob" }), "Bob is calling");
});

test("who has a name that looks like another's is marked, in the list and while they ring", async () => {
  await show({ page: "chat", users: [user("Bob"), { ...user("Bоb"), lookalike: true }] });
  const said = () => doc.querySelectorAll("[data-testid=user-row]").map((row) => row.querySelector("small").textContent);
  assert.deepEqual(said(), ["Available", "Available · looks like another"]);
  await show({ call: call("incoming", { peer: "Bоb", lookalike: true }) });
  assert.equal(at("incoming-lookalike").textContent, TEXTS.en.incomingLookalike);
  await show({ call: null });
  await show({ call: call("incoming") });
  assert.equal(at("incoming-lookalike").textContent, "");
});

test("the path is explained to whoever presses it, drawn and in words, with how well it goes and the ways before", async () => {
  const path = { path: "turn", candidateType: "relay", protocol: "udp" };
  await show({ page: "chat", call: call("accepted", { path }) });
  assert.equal(at("path").textContent, "Via server");
  view.on("path", () => did.push("path"));
  at("path-chip").press({ isTrusted: true, detail: 1 });
  assert.deepEqual(did, ["path"]);
  const panel = new Route(view.page, { copied() {}, closed: () => did.push("closed") });
  const sample = { path: "turn", rttMs: 40, jitterMs: 3, lossPct: 1.5, receivedKbps: 900, sentKbps: 800, frames: 30 };
  const moves = [{ at: 0, path: "direct", gapMs: 0 }, { at: 5_000, path: "lost", gapMs: 0 }, { at: 8_200, path: "turn", gapMs: 3_200 }];
  panel.draw({ me: "alice", peer: "bob", path, sample, moves });
  const text = doc.querySelector("[data-testid=route]").textContent;
  for (const words of [TEXTS.en.pathHint_turn, "You", "Server", "bob", "40 ms", "1.5 %", "Via server, after 3.2 s without"]) assert.ok(text.includes(words), words);
  assert.equal(report({ me: "alice", peer: "bob", path, sample, moves }).includes("bob"), false, "what is sent to the operator names nobody");
  assert.match(report({ me: "alice", peer: "bob", path, sample, moves }), /rtt 40 ms.*\n.*direct\n.*lost\n.*turn after 3200 ms/s);
  panel.close();
  await show({});
  assert.deepEqual([did.at(-1), doc.querySelector("[data-testid=route]")], ["closed", null]);
});

test("the check says of each whether it works, what to do, and what it comes to", async () => {
  const ok = (what, ms = 0) => ({ what, ok: true, ms, code: "" });
  const bad = (what, code) => ({ what, ok: false, ms: 0, code });
  const all = [ok("server"), ok("stun", 30), bad("turn-udp", "no-answer"), bad("turn-tls", "missing"), bad("microphone", "refused")];
  new Checkup(view.page, async () => all);
  await advance(50);
  const rows = doc.querySelectorAll(".checks li").map((row) => [row.dataset.ok, row.textContent]);
  assert.deepEqual(rows, [
    ["true", "Serverworks"], ["true", "Direct calls (STUN)works, 30 ms"], ["false", "Through the server (TURN, UDP)No answer: a firewall on the way may keep it back."],
    ["false", "The same over TLSNot offered by this server."], ["false", 'MicrophoneThis page may not use it. Open "Camera and sound" to see how to allow it.'],
  ]);
  const words = (...checks) => WORDS.en[verdict(checks)];
  assert.equal(doc.querySelector("[data-testid=checkup] p").textContent, WORDS.en.verdictDeaf);
  for (const ways of [[ok("turn-udp")], []]) assert.equal(words(ok("server"), ...ways, ok("microphone")), WORDS.en.verdictGood);
  assert.equal(words(ok("server"), bad("stun", "no-answer"), ok("turn-tls"), ok("microphone")), WORDS.en.verdictTCP);
  assert.equal(words(ok("server"), bad("stun", "no-answer"), ok("microphone")), WORDS.en.verdictNone);
  assert.equal(words(bad("server", "no-answer"), ok("stun")), WORDS.en.verdictServer);
});

test("a journey has a gap where no way carried, and no move where nothing moved", () => {
  const journey = new Journey();
  journey.lost(5);
  journey.took("direct", 10);
  journey.took("direct", 20);
  journey.lost(1_000);
  journey.lost(1_500);
  journey.healed(3_000);
  journey.healed(4_000);
  journey.lost(5_000);
  journey.took("relay", 6_000);
  assert.deepEqual(journey.moves.map(({ at, path, gapMs }) => [at, path, gapMs]), [[10, "direct", 0], [1_000, "lost", 0], [3_000, "direct", 2_000], [5_000, "lost", 0], [6_000, "relay", 1_000]]);
});

for (const code of ["silence", "loss", "narrow", "delay"]) {
  test(`${code}: a bad line is told in words, and only then`, async () => {
    await show({ page: "chat", call: call("accepted", { bad: code }) });
    assert.equal(at("status").textContent, translate("en", `bad_${code}`, { name: "bob" }));
    await show({ call: call("accepted", { bad: code, state: "reconnecting" }) });
    assert.match(at("status").textContent, /is lost/);
    await show({ call: call("accepted") });
    assert.equal(at("status").textContent, "In a call with bob");
  });
}

test("the other side's screen is told in words", async () => {
  await show({ page: "chat", call: call("accepted", { theirs: { audio: true, video: true, screen: true } }) });
  assert.equal(at("status").textContent, "bob is sharing the screen");
});

test("what changes at the other side is said to those who do not see it, once, with its cause", async () => {
  const said = [];
  const next = async (theirs) => {
    await show({ page: "chat", call: call("accepted", { theirs: { audio: true, video: true, screen: false, ...theirs } }) });
    said.push(at("said").textContent);
  };
  for (const theirs of [{}, { audio: false, audioCause: "missing" }, { audio: false }, {}, { screen: true }, { video: false }]) await next(theirs);
  assert.deepEqual(said, [
    "", "bob has no microphone", "bob's microphone is off", "bob's microphone is on", "bob is sharing the screen", "bob shares the screen no more. bob's picture is off",
  ]);
  assert.deepEqual([at("said").getAttribute("role"), at("cover-text").textContent], ["status", "bob's picture is off"]);
  await next({ audio: false, audioCause: "in-use" });
  assert.equal(at("peer-muted-text").textContent, "Another program is using bob's microphone");
  await show({ call: null });
  assert.equal(at("said").textContent, "");
});

test("a call that rings nowhere is not told to ring", async () => {
  await show({ page: "chat", call: call("calling") });
  assert.equal(at("status").textContent, "Calling bob…");
  await show({ call: call("calling", { unheard: true }) });
  assert.equal(at("status").textContent, "bob's page does not answer: it may be asleep. Still calling…");
  await show({ call: call("ringing") });
  assert.equal(at("status").textContent, "Ringing at bob…");
});

test("a page that is hidden before its next frame is drawn all the same", async () => {
  const { requestAnimationFrame } = globalThis;
  globalThis.requestAnimationFrame = () => 0; // which never comes
  await show({ page: "chat", call: call("incoming") });
  await advance(200);
  globalThis.requestAnimationFrame = requestAnimationFrame;
  assert.equal(at("incoming").open, true);
});

test("a browser that cannot make calls is told so at login, and for as long as it stays", async () => {
  await show({ able: false });
  assert.equal(at("login-unable").shown, true);
  assert.equal(at("login-unable").textContent, TEXTS.en.unable);
  await show({ page: "chat" });
  await advance(60_000, 1_000);
  assert.equal(at("faults").textContent, TEXTS.en.unable);
});

test("what a phone paused plays again, and where it may not, a button asks for the touch", async () => {
  await show({ page: "chat", call: call("accepted") });
  view.remote({ audio: null, video: /** @type {any} */ ({ kind: "video", id: "v" }) });
  await advance(50);
  const video = at("remote-video");
  for (let i = 0; i < 10; i++) {
    video.pause();
    await advance(400);
    assert.equal(video.paused, false);
  }
  video.refusal = "NotAllowedError";
  video.pause();
  await advance(400);
  assert.deepEqual([video.paused, at("listen").hidden], [true, false]);
  video.refusal = null;
  at("listen").press({ isTrusted: true, detail: 1 });
  await advance(50);
  assert.deepEqual([video.paused, at("listen").hidden], [false, true]);
  video.refusal = "NotAllowedError";
  video.pause();
  await advance(400);
  video.refusal = null;
  doc.dispatch("visibilitychange");
  await advance(50);
  assert.equal(video.paused, false, "or the return to the page");
  view.remote(null);
  const { plays } = video;
  video.pause();
  await advance(400);
  assert.equal(video.plays, plays, "not when there is nothing to play");
});

test("a call with sound only is heard: a picture joins what is played when it is sent, and leaves if none has come", async () => {
  const audio = /** @type {any} */ ({ kind: "audio", id: "a" });
  const picture = /** @type {any} */ ({ kind: "video", id: "v" });
  const kinds = () => at("remote-video").srcObject.getTracks().map(({ kind }) => kind);
  const theirs = (video) => ({ theirs: { audio: true, video, screen: false } });
  await show({ page: "chat", call: call("accepted", theirs(true)) });
  view.remote({ audio, video: picture });
  assert.deepEqual(kinds(), ["audio", "video"]);
  await show({ call: call("accepted", theirs(false)) });
  assert.deepEqual([kinds(), at("remote-video").paused], [["audio"], false]);
  await show({ call: call("accepted", theirs(true)) });
  assert.deepEqual(kinds(), ["audio", "video"]);
  at("remote-video").readyState = 4;
  const { plays } = at("remote-video");
  await show({ call: call("accepted", theirs(false)) });
  assert.deepEqual([kinds(), at("remote-video").plays], [["audio", "video"], plays], "what plays is left alone");
});

test("a picture that stands still on a connection that is up looks so", async () => {
  await show({ page: "chat", call: call("accepted", { still: true }) });
  assert.equal(at("remote").classList.contains("stale"), true);
});

test("the button for the other camera is there where there is one", async () => {
  await show({ page: "chat" });
  assert.equal(button("flip").hidden, true);
  await show({ local: { ...model.local, flips: true } });
  assert.equal(button("flip").hidden, false);
  await show({ local: { ...model.local, virtual: true } });
  assert.equal(button("flip").hidden, true);
});

test("on a phone without a microphone one is told to stay, while a call would end otherwise", async () => {
  const local = { ...model.local, phone: true, faults: { audio: "refused", video: "" } };
  await show({ page: "chat", local });
  assert.equal(at("faults").textContent, TEXTS.en["fault_audio-refused"]);
  await show({ call: call("accepted") });
  assert.equal(at("faults").textContent, TEXTS.en["fault_keepInFront"] + TEXTS.en["fault_audio-refused"]);
  await show({ local: { ...local, faults: { audio: "", video: "" } } });
  assert.equal(at("faults").textContent, "");
});
