// invite.test.js: one's own link, and the page of those who come by it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { at, button, call, did, doc, model, show, user, view } from "./screen.js";

test("one's link leads to oneself below the page's own path, and can be copied", async () => {
  await show({ page: "chat", username: "Ann Lee/七" });
  assert.equal(at("invite-link").value, "https://duet.test/calls/call/Ann%20Lee%2F%E4%B8%83");
  const copied = [];
  doc.defaultView = { navigator: { clipboard: { writeText: async (text) => void copied.push(text) } } };
  button("copy-link").press({ isTrusted: true, detail: 1 });
  await show({});
  assert.deepEqual(copied, [at("invite-link").value]);
  assert.deepEqual(doc.querySelectorAll(".notice").map((line) => line.children[0].textContent), ["The link is copied."]);
});

test("with nobody here the link is open from the beginning, but not before that is known", async () => {
  await show({ page: "chat", listed: false });
  assert.notEqual(at("invite").open, true);
  await show({ listed: true });
  assert.equal(at("invite").open, true);
});

test("the code is fetched when it is wanted, and not before", async () => {
  await show({ page: "chat" });
  assert.equal(at("invite-code").src, undefined);
  button("show-code").press({ isTrusted: true, detail: 1 });
  assert.deepEqual([at("invite-code").hidden, at("invite-code").src], [false, "qr.png?text=https%3A%2F%2Fduet.test%2Fcalls%2Fcall%2Falice"]);
});

test("who comes by a link sees whom it calls, in words, and one button", async () => {
  await show({ page: "chat", invited: "bob" });
  const seen = () => [at("invited").shown, at("invited-text").textContent, button("dial-invited").disabled];
  assert.deepEqual(seen(), [true, "bob is not here now. Keep this page open: you see here when that changes.", true]);
  await show({ users: [user("bob", "busy")] });
  assert.deepEqual(seen(), [true, "bob is in another call.", true]);
  await show({ users: [user("bob")] });
  assert.deepEqual(seen(), [true, "bob is here.", false]);
  button("dial-invited").press({ isTrusted: true, detail: 1 });
  assert.deepEqual(did, [["dial", user("bob")]]);
  await show({ call: call("ringing") });
  assert.equal(at("invited").shown, false);
  view.show({ ...model, call: null });
});
