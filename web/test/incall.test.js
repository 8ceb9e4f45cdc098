// incall.test.js: what one does in a call without its buttons, and what a shown screen sounds like.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { PageAudio } from "../static/audio.js";
import { Devices } from "../static/devices.js";
import { LocalMedia } from "../static/media.js";
import { FakeTrack, fakeAudio, fakeDevices } from "./devicelab.js";
import { settle } from "./fakes.js";
import { at, button, call, did, doc, model, show, user, view } from "./screen.js";

test("M and V switch microphone and picture and say so, but not where one types, nor held, nor when switched off", async () => {
  view.on("audio", () => (model.local.wishes = { ...model.local.wishes, audio: !model.local.wishes.audio }));
  await show({ page: "chat", call: call("accepted") });
  doc.key("m", { repeats: 5 });
  assert.deepEqual([did, at("said").textContent], [["audio"], "Your microphone is off"]);
  doc.key("M");
  assert.equal(at("said").textContent, "Your microphone is on");
  doc.key("v");
  assert.deepEqual(did, ["audio", "audio", "video"]);
  await show({ call: null, users: Array.from({ length: 9 }, (_, i) => user(`u${i}`)) });
  at("find").focus();
  doc.key("m");
  assert.deepEqual([did.length, at("find").value], [3, "m"]);
  at("find").blur();
  await show({ call: call("incoming") });
  doc.key("m");
  await show({ call: call("accepted") });
  view.keys = false;
  doc.key("m");
  assert.equal(did.length, 3);
});

test("those who are free come first, and numbers in names count", async () => {
  await show({ page: "chat", users: [user("User 10"), user("User 2"), user("Ann", "busy"), user("User 1", "ringing"), user("bob")] });
  const names = doc.querySelectorAll("[data-testid=user-row]").map((row) => row.dataset.username);
  assert.deepEqual(names, ["bob", "User 2", "User 10", "Ann", "User 1"]);
});

let lab, sound, media, was, screen;
beforeEach(() => {
  was = globalThis.navigator;
  lab = fakeDevices();
  sound = fakeAudio();
  sound.touched = true;
  media = new LocalMedia({
    devices: new Devices({ media: lab.media, permissions: lab.permissions, document: lab.doc }),
    audio: new PageAudio({ window: sound.window, document: sound.document, AudioContext: sound.FakeAudioContext }),
  });
  screen = [new FakeTrack("video", "tab"), new FakeTrack("audio", "tab's sound")];
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { mediaDevices: { getDisplayMedia: async (what) => ((lab.asked = what), new MediaStream(screen)) } } });
});
afterEach(() => {
  media.stop();
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: was });
});

test("a tab is shown with its sound, beside the voice; muting takes the voice alone; afterwards the voice is as before", async () => {
  void media.start({ source: "camera", name: "alice" });
  await settle();
  const voice = media.tracks.audio;
  await media.setScreen(true);
  assert.deepEqual([sound.mixed, media.tracks.video, lab.asked.audio.noiseSuppression], [[voice, screen[1]], screen[0], false]);
  assert.notEqual(media.tracks.audio, voice);
  void media.setAudio(false);
  assert.deepEqual([voice.enabled, media.tracks.audio.enabled, media.state.audio], [false, true, true]);
  void media.setAudio(true);
  await media.setScreen(false);
  assert.deepEqual([sound.mixed, media.tracks.audio, voice.enabled, voice.readyState, screen.map((track) => track.readyState)], [[], voice, true, "live", ["ended", "ended"]]);
});

test("a screen without sound changes nothing about the voice", async () => {
  screen.pop();
  void media.start({ source: "camera", name: "alice" });
  await settle();
  const voice = media.tracks.audio;
  await media.setScreen(true);
  assert.deepEqual([media.tracks.audio, sound.mixed], [voice, []]);
});

test("what a browser cannot do has no button", async () => {
  await show({ page: "chat", call: call("accepted") });
  assert.deepEqual([button("full").hidden, button("small").hidden], [true, true]);
  doc.fullscreenEnabled = doc.pictureInPictureEnabled = true;
  await show({});
  assert.deepEqual([button("full").hidden, button("small").hidden], [false, false]);
});
