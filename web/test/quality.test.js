// quality.test.js: samples of a call, and warnings with their end.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Quality } from "../static/quality.js";
import { emptyReading } from "../static/stats.js";

const ON = { audio: true, video: true, screen: false };
let quality, samples, warnings, reading, now, theirs;

beforeEach(() => {
  quality = new Quality();
  samples = [];
  warnings = [];
  quality.on("sample", (sample) => samples.push(sample));
  quality.on("warning", ({ code, active }) => warnings.push(`${active ? "+" : "-"}${code}`));
  reading = { ...emptyReading(), estimate: 2_000 };
  theirs = ON;
  now = 1_000;
  quality.look({ leg: "first", reading, path: "direct", theirs }, now);
});

/** Seconds of a call in which each brings this; looks come four times a second. */
function pass(seconds, { packets = 100, lost = 0, audio = 50, rttMs = 40, estimate = 2_000, leg = "first" } = {}) {
  for (let look = 0; look < 4 * seconds; look++) {
    now += 250;
    reading = {
      ...reading, packets: reading.packets + packets / 4, lost: reading.lost + lost / 4, audioPackets: reading.audioPackets + audio / 4,
      bytes: reading.bytes + 12_500, bytesSent: reading.bytesSent + 25_000, frames: reading.frames + 5, rttMs, estimate,
    };
    quality.look({ leg, reading, path: "direct", theirs }, now);
  }
}

test("a sample each second, of what that second brought", () => {
  pass(3, { lost: 1 });
  assert.deepEqual(samples, Array(3).fill({ path: "direct", rttMs: 40, jitterMs: 0, lossPct: 1, receivedKbps: 400, sentKbps: 800, frames: 20 }));
  assert.deepEqual(warnings, []);
});

for (const [code, bad, between] of [
  ["loss", { lost: 20 }, { lost: 5 }],
  ["delay", { rttMs: 700 }, { rttMs: 400 }],
  ["narrow", { estimate: 50 }, { estimate: 120 }],
  ["silence", { audio: 0 }, null],
]) {
  test(`${code} begins when it lasts, and ends when it is really over`, () => {
    pass(2, bad);
    pass(1);
    assert.deepEqual(warnings, [], "a moment is none");
    pass(3, bad);
    assert.deepEqual([warnings, [...quality.active]], [[`+${code}`], [code]]);
    if (between) pass(20, between);
    pass(4);
    assert.deepEqual(warnings, [`+${code}`]);
    pass(1);
    assert.deepEqual([warnings, [...quality.active]], [[`+${code}`, `-${code}`], []]);
  });
}

test("who says that no sound is sent is not silent", () => {
  theirs = { ...ON, audio: false };
  pass(10, { audio: 0 });
  assert.deepEqual(warnings, []);
});

test("a browser that estimates nothing has no narrow line", () => {
  pass(10, { estimate: 0 });
  assert.deepEqual(warnings, []);
});

test("another connection counts anew, and what is over is told", () => {
  pass(3, { lost: 20 });
  reading = emptyReading();
  pass(1, { leg: "second" });
  assert.ok(samples.every(({ lossPct }) => lossPct < 20 && lossPct >= 0));
  quality.close();
  assert.deepEqual(warnings, ["+loss", "-loss"]);
});
