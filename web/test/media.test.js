// media.test.js: what is sent, what is told of it, and why it may be less than was wished: devices that are missing,
// refused, unplugged, muted by the system, and come back.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { PageAudio } from "../static/audio.js";
import { Devices } from "../static/devices.js";
import { LocalMedia } from "../static/media.js";
import { fakeDevices, fakeStudio } from "./devicelab.js";
import { advance, now, settle } from "./fakes.js";

let undo, lab, media;
beforeEach(() => {
  undo = fakeStudio(now);
  lab = fakeDevices();
  media = new LocalMedia({ devices: new Devices({ media: lab.media, permissions: lab.permissions, document: lab.doc }), audio: new PageAudio({ window: lab.doc, document: lab.doc }) });
});
afterEach(() => {
  media.stop();
  undo();
});

async function start(more = {}) {
  void media.start({ source: "camera", name: "alice", ...more });
  await settle();
}
const sent = () => [media.tracks.audio?.label ?? "none", media.tracks.video?.label ?? "none"];
const told = () => [media.state.audio, media.state.video];
const faults = () => [media.faults.audio, media.faults.video];

test("camera and microphone come by one question", async () => {
  await start();
  assert.deepEqual([lab.questions, sent(), told(), faults()], [["audio video"], ["audio", "video"], [true, true], ["", ""]]);
});

for (const [what, change, want] of [
  ["no microphone", (lab) => (lab.has.audio = false), [["silence", "video"], [false, true], ["missing", ""]]],
  ["no camera", (lab) => (lab.has.video = false), [["audio", "virtual"], [true, true], ["", "missing"]]],
  ["neither", (lab) => (lab.has = {}), [["silence", "virtual"], [false, true], ["missing", "missing"]]],
  ["the microphone forbidden for good", (lab) => (lab.permission.audio = "denied"), [["silence", "video"], [false, true], ["refused", ""]]],
  ["the camera forbidden for good", (lab) => (lab.permission.video = "denied"), [["audio", "virtual"], [true, true], ["", "refused"]]],
  ["another program at both", (lab) => (lab.held = true), [["silence", "virtual"], [false, true], ["in-use", "in-use"]]],
  ["a browser without devices", (lab) => delete lab.media.getUserMedia, [["silence", "virtual"], [false, true], ["insecure", "insecure"]]],
]) {
  test(`${what}: it is known why, for as long as it lasts, and what is told is what is heard`, async () => {
    change(lab);
    await start();
    await advance(60_000, 1_000);
    assert.deepEqual([sent(), told(), faults()], want);
  });
}

test("a cause is told of what is off though it is wanted, and of nothing else", async () => {
  lab.has.audio = false;
  await start();
  const causes = () => [media.state.audioCause, media.state.videoCause];
  assert.deepEqual(causes(), ["missing", undefined]);
  void media.setAudio(false);
  assert.deepEqual(causes(), [undefined, undefined], "muted by choice");
  lab.tracks.video.mute(true);
  await advance(1_000);
  assert.deepEqual(causes(), [undefined, "muted"]);
});

test("while the user thinks: nothing for three seconds, then stand-ins, and what comes in the end is taken", async () => {
  lab.permission = { audio: "", video: "" };
  await start();
  assert.deepEqual(faults(), ["", ""], "mostly the browser answers at once");
  await advance(1_100);
  assert.deepEqual([sent(), told(), faults()], [["silence", "none"], [false, false], ["asking", "asking"]]);
  await advance(2_000);
  assert.deepEqual([sent(), told()], [["silence", "virtual"], [false, true]]);
  lab.answer(true);
  await settle();
  assert.deepEqual([sent(), told(), faults()], [["audio", "video"], [true, true], ["", ""]]);
});

test("who has said no is not asked again by itself", async () => {
  lab.permission = { audio: "", video: "" };
  await start();
  await advance(2_000);
  lab.answer(false);
  await advance(120_000, 1_000);
  lab.media.tell("devicechange");
  lab.see("visible");
  await advance(5_000);
  assert.deepEqual([lab.questions, faults()], [["audio video"], ["refused", "refused"]]);
  void media.setAudio(true);
  await settle();
  assert.deepEqual(lab.questions.slice(1), ["audio"], "but when the button is pressed");
});

test("a permission that is given in the browser's settings is used at once", async () => {
  lab.permission.audio = "denied";
  await start();
  lab.permit("audio");
  await settle();
  assert.deepEqual([sent(), told()], [["audio", "video"], [true, true]]);
});

test("the picture or its source switched while the browser still asks: the microphone is not thrown away", async () => {
  lab.permission = { audio: "", video: "" };
  for (const change of [() => media.setVideo(false), () => media.setSource("virtual")]) {
    await start();
    void change();
    await settle();
    lab.answer(true);
    await settle();
    assert.deepEqual([sent()[0], told()[0], lab.tracks.video.readyState], ["audio", true, "ended"]);
    media.stop();
    lab.permission = { audio: "", video: "" };
  }
  await start();
  void media.setVideo(false);
  void media.setVideo(true);
  await settle();
  lab.answer(true);
  await settle();
  assert.deepEqual([sent(), lab.waiting.length], [["audio", "video"], 0]);
});

for (const kind of ["audio", "video"]) {
  const index = kind === "audio" ? 0 : 1;
  test(`${kind} unplugged: a sign that stays; plugged in again it is back by itself`, async () => {
    await start();
    lab.has[kind] = false;
    lab.tracks[kind].end();
    assert.equal(faults()[index], "ended");
    assert.equal(told()[0], kind !== "audio");
    await advance(20_000, 500);
    assert.equal(faults()[index], "missing");
    lab.has[kind] = true;
    lab.media.tell("devicechange");
    await settle();
    assert.deepEqual([sent(), told(), faults()], [["audio", "video"], [true, true], ["", ""]]);
  });

  test(`${kind} that something else took comes back without a hint`, async () => {
    await start();
    lab.tracks[kind].end();
    await advance(2_000);
    assert.deepEqual([sent(), faults()], [["audio", "video"], ["", ""]]);
  });

  test(`${kind} that ends again and again is not asked for in a hurry`, async () => {
    await start();
    for (let i = 0; i < 60; i++) {
      lab.tracks[kind].end();
      await advance(1_000, 250);
    }
    assert.ok(lab.questions.length < 8, `${lab.questions.length} questions in a minute`);
  });

  test(`${kind} muted by the system for a moment is nothing, for longer it is told, and told back`, async () => {
    await start();
    const track = lab.tracks[kind];
    track.mute(true);
    await advance(500);
    track.mute(false);
    await advance(1_000);
    assert.deepEqual(told(), [true, true]);
    track.mute(true);
    await advance(1_000);
    assert.equal(told()[index], false);
    assert.equal(faults()[index], "muted");
    track.mute(false);
    assert.deepEqual([told(), faults(), lab.questions.length], [[true, true], ["", ""], 1]);
  });

  test(`${kind} still muted a second after the page is seen again is asked for anew`, async () => {
    await start();
    lab.tracks[kind].mute(true);
    lab.see("hidden");
    await advance(5_000);
    assert.equal(lab.questions.length, 1);
    lab.see("visible");
    await advance(1_500);
    assert.deepEqual([lab.questions.at(-1), sent(), told()], [kind, ["audio", "video"], [true, true]]);
  });
}

test("the next press of the button brings back a microphone that is gone, and muting works as ever", async () => {
  await start();
  lab.has.audio = false;
  lab.tracks.audio.end();
  await advance(5_000);
  lab.has.audio = true;
  void media.setAudio(false);
  assert.deepEqual([faults()[0], told()[0]], ["", false], "muted by the user: no fault to show");
  void media.setAudio(true);
  await settle();
  assert.deepEqual([sent()[0], told()[0]], ["audio", true]);
});

test("switching the picture off and on: the camera, with no stand-in before it", async () => {
  await start();
  const seen = [];
  media.on("track", ({ kind, track }) => kind === "video" && seen.push(track?.label ?? "none"));
  void media.setVideo(false);
  assert.equal(lab.tracks.video.readyState, "ended", "the light goes out");
  lab.permission.video = "";
  void media.setVideo(true);
  await advance(1_000);
  assert.deepEqual([told()[1], seen], [false, ["none"]], "nothing is shown, and nothing is promised");
  lab.answer(true);
  await settle();
  assert.deepEqual([told()[1], seen], [true, ["none", "video"]]);
});

test("from the virtual picture to the camera: the one goes on until the other is there", async () => {
  await start({ source: "virtual" });
  assert.deepEqual([lab.questions, sent()], [["audio"], ["audio", "virtual"]]);
  lab.permission.video = "";
  void media.setSource("camera");
  await advance(1_000);
  assert.deepEqual(sent(), ["audio", "virtual"]);
  lab.answer(true);
  await settle();
  assert.deepEqual([sent(), media.isVirtual], [["audio", "video"], false]);
});

test("the button of the source does what it says while the virtual picture stands in", async () => {
  lab.has.video = false;
  await start();
  assert.equal(media.isVirtual, true);
  lab.has.video = true;
  void media.setSource("camera");
  await settle();
  assert.deepEqual([sent(), media.isVirtual], [["audio", "video"], false]);
});

test("leaving stops everything, and an answer that comes later too", async () => {
  lab.permission = { audio: "", video: "" };
  await start();
  media.stop();
  lab.answer(true);
  await settle();
  assert.deepEqual([lab.tracks.audio.readyState, lab.tracks.video.readyState, sent()], ["ended", "ended", ["none", "none"]]);
});

test("the camera towards the user first; the other one on demand; back when that one cannot be had", async () => {
  await start();
  assert.deepEqual([lab.facing, media.isMirror], ["user", true]);
  const first = lab.tracks.video;
  void media.flip();
  assert.equal(first.readyState, "ended", "of one kind a phone gives one capture");
  assert.deepEqual([media.tracks.video, media.state.video], [first, true], "nothing else is shown meanwhile");
  await settle();
  assert.deepEqual([lab.facing, media.isMirror, sent()], ["environment", false, ["audio", "video"]]);
  const { getUserMedia } = lab.media;
  lab.media.getUserMedia = (constraints) => (constraints.video?.facingMode.ideal === "user" ? Promise.reject(new DOMException("none", "OverconstrainedError")) : getUserMedia(constraints));
  await media.flip();
  assert.deepEqual([lab.facing, sent(), faults()], ["environment", ["audio", "video"], ["", ""]]);
});

test("another microphone is taken in place of the first, which is let go; the camera is not asked for again", async () => {
  await start();
  const first = lab.tracks.audio;
  await media.choose("microphone", "m2");
  assert.deepEqual([lab.questions, lab.constraints.audio.deviceId, first.readyState], [["audio video", "audio"], { exact: "m2" }, "ended"]);
  assert.equal(media.tracks.audio, lab.tracks.audio);
  const choosing = media.choose("camera", "c2");
  assert.deepEqual(media.preferences, { camera: "c2", microphone: "m2", speaker: "", look: "letters" }, "what was wished, at once");
  await choosing;
  assert.deepEqual([lab.constraints.video.deviceId, lab.constraints.video.facingMode], [{ exact: "c2" }, undefined]);
});

test("what was chosen on an earlier visit is asked for, and joining asks for nothing that the preview has", async () => {
  media.prefer({ camera: "c2", microphone: "m2", speaker: "s2", look: "night" });
  await start();
  assert.deepEqual([lab.constraints.video.deviceId, lab.constraints.audio.deviceId, media.speaker, media.look], [{ exact: "c2" }, { exact: "m2" }, "s2", "night"]);
  await start({ name: "alice lee" });
  assert.deepEqual([lab.questions, sent()], [["audio video"], ["audio", "video"]]);
});

test("sound only: no camera is asked for, and one that the preview had is let go", async () => {
  await start();
  const camera = lab.tracks.video;
  void media.setVideo(false);
  await start();
  assert.deepEqual([camera.readyState, sent(), told()], ["ended", ["audio", "none"], [true, false]]);
  media.stop();
  lab.questions.length = 0;
  void media.setVideo(false);
  await start();
  assert.deepEqual([lab.questions, sent()], [["audio"], ["audio", "none"]]);
});

test("another drawn picture replaces the one that is sent", async () => {
  await start({ source: "virtual" });
  const { video } = media.tracks;
  media.setLook("hills");
  assert.deepEqual([video.readyState, media.tracks.video.readyState, sent()[1]], ["ended", "live", "virtual"]);
});

test("what was chosen and is not there gives way to another", async () => {
  lab.absent = ["c2"];
  media.prefer({ camera: "c2" });
  await start();
  assert.deepEqual([lab.questions, sent(), faults()], [["audio video", "audio video"], ["audio", "video"], ["", ""]]);
  lab.absent = [];
  await media.choose("camera", "c2");
  assert.deepEqual(lab.constraints.video.deviceId, { exact: "c2" });
});
