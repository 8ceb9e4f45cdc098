// level.test.js: the meter stands at nothing in a quiet room and at its end for a voice close by.

import assert from "node:assert/strict";
import { test } from "node:test";
import { level, loudness } from "../static/level.js";
import "./fakes.js";

test("loudness in tens of decibels", () => {
  assert.deepEqual([0, 0.001, 0.01, 0.25, 1].map((rms) => Math.round(loudness(rms) * 100)), [0, 0, 42, 100, 100]);
});

test("the meter reads what the microphone gives, and lets it go", () => {
  let connected = 0;
  const context = {
    createMediaStreamSource: () => ({ connect: () => connected++, disconnect: () => connected-- }),
    createAnalyser: () => ({ getFloatTimeDomainData: (samples) => samples.fill(0.1) }),
  };
  const meter = level(/** @type {any} */ (context), /** @type {any} */ ({ kind: "audio" }));
  assert.deepEqual([Math.round(meter.read() * 100), connected], [83, 1]);
  meter.stop();
  assert.equal(connected, 0);
});
