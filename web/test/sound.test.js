// sound.test.js: the first ring is heard, whatever a browser allows, and sound comes back after the system took it.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { PageAudio } from "../static/audio.js";
import { Ringer } from "../static/sound.js";
import { virtualAudio } from "../static/virtual.js";
import { fakeAudio } from "./devicelab.js";
import { advance, fakeTime, settle } from "./fakes.js";

let undo;
beforeEach(() => (undo = fakeTime()));
afterEach(() => undo());

function open(options) {
  const sound = fakeAudio(options);
  const audio = new PageAudio({ window: sound.window, document: sound.document, AudioContext: sound.FakeAudioContext });
  return { sound, audio, ringer: new Ringer(audio) };
}

for (const [name, sticky] of [["Firefox, where a context begins suspended", true], ["Safari, which wants each start in a touch", false]]) {
  test(`${name}: the first note is heard`, async () => {
    const { sound, audio, ringer } = open({ sticky });
    sound.touching = sound.touched = true; // the click of Join
    audio.wake();
    sound.touching = false;
    await advance(60_000, 1_000);
    ringer.play("incoming");
    await settle();
    assert.deepEqual(sound.notes, ["running", "running"]);
    await advance(2_400);
    assert.equal(sound.notes.length, 4);
    ringer.play("");
    await advance(10_000);
    assert.deepEqual([sound.notes.length, sound.contexts.length], [4, 1]);
  });
}

test("a page that nobody has touched rings at the first touch, and not before", async () => {
  const { sound, ringer } = open({ sticky: false });
  ringer.play("incoming");
  await advance(20_000, 100);
  assert.deepEqual(sound.notes, [], "nothing piles up");
  sound.touch("pointerdown");
  await settle();
  assert.deepEqual(sound.notes, []);
  sound.touch("pointerup");
  await settle();
  assert.deepEqual(sound.notes, ["running", "running"]);
});

test("the stand-in for the microphone begins with the touch that counts, and comes back after a phone call", async () => {
  const { sound, audio } = open({ sticky: false });
  virtualAudio(audio);
  const [context] = sound.contexts;
  sound.touch("pointerdown");
  await settle();
  assert.equal(context.state, "suspended", "and the listener is not burnt");
  sound.touch("touchend");
  await settle();
  assert.equal(context.state, "running");
  sound.interrupt(true);
  sound.touch("click");
  await settle();
  assert.equal(context.state, "interrupted");
  sound.interrupt(false);
  sound.touch("click");
  await settle();
  assert.equal(context.state, "running");
});

test("where a touch of old is enough, sound comes back by itself", async () => {
  const { sound, audio } = open();
  sound.touched = true;
  audio.wake();
  await settle();
  sound.contexts[0]?.become("suspended");
  await settle();
  assert.equal(audio.context.state, "running");
});

test("a browser without sound rings without it", async () => {
  const audio = new PageAudio({ window: new EventTarget(), document: new EventTarget(), AudioContext: undefined });
  const ringer = new Ringer(audio);
  ringer.play("incoming");
  await advance(5_000);
  assert.equal(virtualAudio(audio).track, null);
});
