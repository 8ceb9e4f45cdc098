// keep.test.js: what a page leaves for the next: for a reload of its own tab, for a new tab after a crash, for nobody else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Keep } from "../static/keep.js";

class FakeStorage {
  #map = new Map();
  get length() { return this.#map.size; }
  key(i) { return [...this.#map.keys()][i] ?? null; }
  getItem(key) { return this.#map.get(key) ?? null; }
  setItem(key, value) { this.#map.set(key, String(value)); }
  removeItem(key) { this.#map.delete(key); }
  copy() { const next = new FakeStorage(); for (const [key, value] of this.#map) next.setItem(key, value); return next; }
}

/** A browser: its tabs share storage and locks; a tab that ends loses its locks. */
function browser({ locks = true } = {}) {
  const local = new FakeStorage();
  const held = new Map();
  const waiting = [];
  let time = 1_000_000;
  const tab = (session = new FakeStorage()) => {
    const mine = [];
    const manager = {
      async request(name, { signal, ifAvailable }, fn) {
        const take = () => (held.set(name, true), mine.push(name), void fn({ name }));
        if (!held.has(name)) return take();
        if (ifAvailable) return void fn(null);
        await new Promise((resolve, reject) => {
          waiting.push({ name, resolve });
          signal.addEventListener("abort", () => reject(signal.reason));
        });
        take();
      },
    };
    const keep = new Keep({ session, local, locks: locks ? manager : undefined, now: () => time });
    return {
      keep, session,
      end() {
        for (const name of mine) held.delete(name);
        for (const one of waiting.splice(0)) if (mine.includes(one.name)) one.resolve();
      },
    };
  };
  return { tab, sleep: (ms) => (time += ms) };
}

const LEFT = { session: "token", heard: 4, username: "alice", source: "virtual", audio: false, video: true };
const names = (left) => left && [left.session, left.heard, left.username, left.source, left.audio, left.video];

for (const locks of [true, false]) {
  test(`a reload finds what its tab left, ${locks ? "also while the old page still ends" : "in a browser without locks"}`, async () => {
    const { tab } = browser({ locks });
    const old = tab();
    assert.equal(await old.keep.find(), null);
    old.keep.save(LEFT);
    const next = tab(old.session);
    const found = next.keep.find();
    old.end();
    assert.deepEqual(names(await found), Object.values(LEFT));
  });
}

test("a new tab finds what a crashed one left, and not what one left that lives", async () => {
  const { tab } = browser();
  const [alice, bob] = [tab(), tab()];
  for (const one of [alice, bob]) await one.keep.find();
  alice.keep.save(LEFT);
  bob.keep.save({ ...LEFT, username: "bob" });
  assert.equal(await tab().keep.find(), null);
  alice.end();
  const found = await tab().keep.find();
  assert.deepEqual([found.username, found.own], ["alice", false], "and knows that it was another tab's");
  assert.equal(await tab().keep.find(), null, "once");
});

test("a copy of a living tab is another user's", async () => {
  const { tab } = browser();
  const old = tab();
  await old.keep.find();
  old.keep.save(LEFT);
  assert.equal(await tab(old.session.copy()).keep.find(), null);
});

test("what is old is not gone on with, and what was left on purpose only by a reload", async () => {
  const { tab, sleep } = browser();
  const old = tab();
  await old.keep.find();
  old.keep.save({ ...LEFT, session: "" });
  old.end();
  assert.equal(await tab().keep.find(), null);
  assert.equal((await tab(old.session).keep.find())?.username, "alice");
  const other = tab();
  await other.keep.find();
  other.keep.save(LEFT);
  other.end();
  sleep(121_000);
  assert.equal(await tab(other.session).keep.find(), null);
});

test("nothing is left after signing out, and junk is nothing", async () => {
  const { tab } = browser();
  const old = tab();
  await old.keep.find();
  old.keep.save(LEFT);
  old.keep.save(null);
  old.end();
  assert.equal(await tab(old.session).keep.find(), null);
  const junk = tab();
  junk.session.setItem("duet.left.", "{");
  assert.equal(await junk.keep.find(), null);
});
