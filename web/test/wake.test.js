// wake.test.js: the screen stays on from the touch that calls or answers, in browsers that give a lock only then.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Wake } from "../static/wake.js";
import { settle } from "./fakes.js";

/** A phone's browser: a lock in a touch, or at any time after one was given; hidden pages lose theirs. */
function phone() {
  const doc = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const state = { touching: false, given: false, locks: [] };
  const wakeLock = {
    async request() {
      if (!state.touching && !state.given) throw new DOMException("no touch", "NotAllowedError");
      state.given = true;
      const lock = Object.assign(new EventTarget(), { async release() { state.locks = state.locks.filter((one) => one !== lock); lock.dispatchEvent(new Event("release")); } });
      state.locks.push(lock);
      return lock;
    },
  };
  const wake = new Wake(/** @type {any} */ (doc), /** @type {any} */ (wakeLock));
  return {
    wake, held: () => state.locks.length,
    touch(fn = () => {}) {
      state.touching = true;
      fn();
      doc.dispatchEvent(new Event("click"));
      state.touching = false;
    },
    see(visible) {
      doc.visibilityState = visible ? "visible" : "hidden";
      if (!visible) for (const lock of [...state.locks]) void lock.release();
      doc.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

test("a lock is asked for in the touch, once, and again when the page is seen again; it ends with the call", async () => {
  const { wake, held, touch, see } = phone();
  touch(() => wake.keep(true));
  await settle();
  touch();
  await settle();
  assert.equal(held(), 1);
  see(false);
  await settle();
  assert.equal(held(), 0);
  see(true);
  await settle();
  assert.equal(held(), 1);
  wake.keep(false);
  await settle();
  touch();
  await settle();
  assert.equal(held(), 0);
});

test("what is refused is asked for in the next touch", async () => {
  const { wake, held, touch } = phone();
  wake.keep(true);
  await settle();
  assert.equal(held(), 0);
  touch();
  await settle();
  assert.equal(held(), 1);
});

test("a browser without locks has none", async () => {
  const wake = new Wake(/** @type {any} */ (Object.assign(new EventTarget(), { visibilityState: "visible" })), undefined);
  wake.keep(true);
  await settle();
  wake.keep(false);
});
