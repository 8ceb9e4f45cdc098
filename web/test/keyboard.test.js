// keyboard.test.js: typing never answers a call, and the focus is never lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { advance } from "./fakes.js";
import { at, button, call, did, doc, focused, show, user } from "./screen.js";

const EIGHT = [..."abcdefgh"].map((name) => user(name));

async function rings() {
  await show({ page: "chat", users: EIGHT });
  at("find").focus();
  await show({ call: call("incoming") });
}

test("who types when a call comes in answers nothing, neither with the space that was meant for a field nor with Enter", async () => {
  await rings();
  assert.equal(focused(), "incoming-title");
  for (const key of "who is here") {
    doc.key(key);
    doc.key("Enter");
    await advance(40);
  }
  assert.deepEqual(did, []);
});

test("keys are deaf for a second, on the buttons too", async () => {
  await rings();
  button("accept").focus();
  for (const key of [" ", "Enter"]) doc.key(key);
  await advance(850);
  for (const key of [" ", "Enter"]) doc.key(key);
  assert.deepEqual(did, []);
  await advance(200);
  doc.key(" ");
  assert.deepEqual(did, ["accept"]);
});

test("a key that went down before its time, or elsewhere, is no answer when it goes up", async () => {
  await rings();
  button("accept").focus();
  doc.down("Enter");
  await advance(1_500);
  doc.down("Enter", true);
  doc.up("Enter");
  at("incoming-title").focus();
  doc.down(" ");
  button("accept").focus();
  doc.up(" ");
  doc.down(" ");
  button("refuse").focus();
  doc.up(" ");
  assert.deepEqual(did, []);
  doc.key("Enter");
  assert.deepEqual(did, ["refuse"]);
});

test("a press of the pointer answers at once, and so does what clicks for somebody", async () => {
  await rings();
  button("accept").press({ isTrusted: true, detail: 1 });
  button("refuse").click();
  assert.deepEqual(did, ["accept", "refuse"]);
});

test("what clicks in a key's place is deaf as long as keys are", async () => {
  await rings();
  button("accept").press({ isTrusted: true, detail: 0 });
  assert.deepEqual(did, []);
  await advance(1_100);
  button("accept").press({ isTrusted: true, detail: 0 });
  assert.deepEqual(did, ["accept"]);
});

test("Escape does not refuse, and a dialog that a browser closes all the same opens again", async () => {
  await rings();
  doc.key("Escape");
  at("incoming").close();
  await advance(10);
  assert.equal(at("incoming").open, true);
  await show({ call: null });
  await advance(10);
  assert.equal(at("incoming").open, false);
  assert.equal(focused(), "find", "back to where it was");
});

test("after joining the focus is at the list", async () => {
  button("login-submit").focus();
  await show({ joining: true });
  assert.equal(focused(), "login-submit", "what was pressed keeps it");
  await show({ joining: false, page: "chat" });
  assert.equal(focused(), "people-title");
});

test("calling, cancelling, calling again, hanging up, ending: the focus is where one goes on", async () => {
  await show({ page: "chat", users: [user("bob")] });
  button("call").focus();
  await show({ call: call("calling") });
  assert.equal(focused(), "hang-up");
  doc.key("Enter");
  assert.deepEqual(did, ["hang-up"]);
  await show({ call: null, users: [user("bob", "ringing")] });
  assert.equal(focused(), "people-title", "bob cannot be called yet");
  await show({ users: [user("bob")] });
  assert.equal(focused(), "call");
  await show({ call: call("calling") });
  await show({ call: call("accepted") });
  assert.equal(focused(), "hang-up");
  await show({ call: null, users: [] });
  assert.equal(focused(), "people-title", "bob has left");
});

test("after answering the focus is in the call", async () => {
  await rings();
  await show({ call: call("accepted") });
  assert.equal(focused(), "stage");
});

test("a user who put the focus nowhere, or elsewhere meanwhile, is left alone", async () => {
  await show({ page: "chat", users: [user("bob")] });
  button("call").focus();
  button("call").blur();
  await advance(10);
  await show({ call: call("calling") });
  assert.equal(focused(), "BODY");
  await show({ call: null, users: [user("bob", "ringing")] });
  button("toggle-audio").focus();
  await show({ users: [user("bob")] });
  assert.equal(focused(), "toggle-audio");
});

test("a key that is held presses once", async () => {
  await show({ page: "chat", users: [user("bob")] });
  button("toggle-audio").focus();
  doc.key("Enter", { repeats: 5 });
  assert.deepEqual(did, ["audio"]);
});

test("leaving goes to the name", async () => {
  await show({ page: "chat" });
  button("leave").focus();
  await show({ page: "login" });
  assert.equal(focused(), "login-name");
});
