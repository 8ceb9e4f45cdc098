// frame.test.js: the page in a frame of another: who is heard, what is answered, what is told.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Emitter } from "../static/emitter.js";
import { lead } from "../static/frame.js";

let around, here, said, duet, joined;

beforeEach(() => {
  said = [];
  joined = [];
  around = { postMessage: (message, origin) => said.push([origin, message]) };
  here = new EventTarget();
  duet = Object.assign(new Emitter(), { self: { username: "" }, state: "closed", call: null, dial: () => {} });
  lead({ duet, join: async (...who) => void joined.push(who), around, window: here });
});

async function hears(data, { source = around, origin = "https://around.example" } = {}) {
  here.dispatchEvent(Object.assign(new Event("message"), { data, source, origin }));
  await Promise.resolve();
  await Promise.resolve();
}

test("nobody is told anything before somebody has spoken, and then only them", async () => {
  duet.emit("state", "online");
  assert.deepEqual(said, []);
  await hears({ type: "duet-state" });
  assert.deepEqual(said, [["https://around.example", { type: "duet-state", username: "", online: false, call: null }]]);
  duet.state = "online";
  duet.emit("state", "online");
  duet.emit("state", "online");
  assert.deepEqual(said.slice(1), [["https://around.example", { type: "duet-state", username: "", online: true, call: null }]], "a change is told once");
});

test("other windows and other messages are not heard", async () => {
  await hears({ type: "duet-join", name: "eve" }, { source: {} });
  await hears("duet-join");
  await hears(null);
  await hears({ type: "nonsense" });
  assert.deepEqual([joined, said], [[], []]);
});

test("joins with what is given, as text", async () => {
  await hears({ type: "duet-join", name: "ann", token: "t" });
  await hears({ type: "duet-join", name: { toString: () => "bob" } });
  assert.deepEqual(joined, [["ann", "t"], ["bob", ""]]);
});

test("what does not work is told by its code", async () => {
  duet.dial = () => {
    throw Object.assign(new Error(), { code: "not-joined" });
  };
  await hears({ type: "duet-call", target: "bob" });
  duet.emit("closed", "unreachable");
  assert.deepEqual(said.map(([, message]) => message), [{ type: "duet-error", code: "not-joined" }, { type: "duet-error", code: "unreachable" }]);
});

test("a call is followed to its end, and hung up", async () => {
  await hears({ type: "duet-state" });
  const call = Object.assign(new Emitter(), { phase: "ringing", state: "idle", peer: "bob", reason: "", hangUp: () => (call.hung = true), hung: false });
  duet.call = call;
  duet.emit("call", call);
  await hears({ type: "duet-hang-up" });
  duet.call = null;
  Object.assign(call, { phase: "ended", reason: "hangup-self" });
  call.emit("phase", "ended");
  assert.equal(call.hung, true);
  assert.deepEqual(said.slice(1).map(([, message]) => message.call), [
    { phase: "ringing", state: "idle", peer: "bob", reason: "" }, { phase: "ended", state: "idle", peer: "bob", reason: "hangup-self" },
  ]);
});
