// history.test.js: what becomes of each call in the list of calls, and what the page shows of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TEXTS } from "../static/i18n.js";
import { History } from "../static/history.js";
import { Calling } from "../static/view/calling.js";
import { Page } from "../static/view/page.js";
import { advance } from "./fakes.js";
import { at, button, did, doc, show, user } from "./screen.js";

/** A history, and the shelf that it is kept on. */
function kept(text = "") {
  const shelf = { text };
  return { shelf, history: new History({ load: () => shelf.text, store: (now) => (shelf.text = now) }) };
}
const ended = (role, reason, acceptedAt = 0) => ({ role, peer: "bob", reason, acceptedAt });

for (const [what, call, kind, unseen] of [
  ["the caller gave up", ended("callee", "cancelled"), "missed", 1],
  ["nobody was there", ended("callee", "timeout"), "missed", 1],
  ["the caller's page went", ended("callee", "disconnected"), "missed", 1],
  ["we did not want to", ended("callee", "hangup-self"), "refused", 0],
  ["they did not want to", ended("caller", "declined"), "unanswered", 0],
  ["we gave up", ended("caller", "hangup-self"), "unanswered", 0],
  ["we talked", ended("caller", "hangup", 5_000), "out", 0],
  ["we answered", ended("callee", "hangup-self", 5_000), "in", 0],
]) {
  test(`${what}: ${kind}`, () => {
    const { history } = kept();
    history.add(call, 1_000, 65_000);
    assert.deepEqual([history.all, history.unseen], [[{ who: "bob", at: 1_000, kind, seconds: call.acceptedAt ? 60 : 0 }], unseen]);
  });
}

test("it is kept for the next visit, the newest first, not without end, and what is not ours is nothing", () => {
  const { shelf, history } = kept();
  for (let i = 1; i <= 40; i++) history.add(ended("callee", "cancelled"), i, i);
  const next = new History({ load: () => shelf.text, store() {} });
  assert.deepEqual([next.all.length, next.all[0].at, next.unseen], [30, 40, 0]);
  history.clear();
  assert.deepEqual([history.all, history.unseen, shelf.text], [[], 0, ""]);
  for (const text of ["{", '{"a":1}', "[1,null]"]) assert.deepEqual(kept(text).history.all, []);
});

test("a missed call is in the list with who and when, and one press calls back who is there and free", async () => {
  const noon = new Date();
  noon.setHours(12, 4);
  const past = { all: [{ who: "bob", at: +noon, kind: "missed", seconds: 0 }, { who: "carol", at: +new Date(2020, 0, 1, 12), kind: "in", seconds: 130 }], unseen: 1 };
  await show({ page: "chat", past, users: [user("bob"), user("dan")] });
  const rows = doc.querySelectorAll("[data-testid=past-call]").map((row) => row.textContent);
  assert.deepEqual(rows, ["bobMissed · 12:04", "carolAnswered · 1 Jan · 2 min"]);
  assert.equal(at("missed").textContent, "1 missed");
  const [first, second] = doc.querySelectorAll("[data-testid=call-back]");
  assert.deepEqual([first.disabled, second.disabled, first.getAttribute("aria-label")], [false, true, "Call bob back"]);
  first.press({ isTrusted: true, detail: 1 });
  assert.deepEqual(did, [["dial", user("bob")]]);
  await show({ past: { all: [], unseen: 0 } });
  assert.equal(at("calls").shown, false);
});

test("a refusal may say when to call again", async () => {
  await show({ page: "chat", call: { phase: "incoming", peer: "bob", state: "idle", path: null, theirs: {}, audioOnly: false } });
  await advance(1_100);
  button("refuse-later").press({ isTrusted: true, detail: 1 });
  assert.deepEqual(did, [["refuse", "in-10-minutes"]]);
  for (const note of ["in-10-minutes", "in-an-hour", "will-call"]) for (const language of ["en", "zh"]) assert.ok(TEXTS[language][`note_${note}`] && TEXTS[language][`declined_${note}`]);
});

test("a call while one looks elsewhere flashes in the title and is told by the system, until one looks", async () => {
  const notes = [];
  class FakeNotification {
    static permission = "default";
    constructor(title) {
      notes.push([title, this]);
    }
    close() {
      notes.at(-1)[0] += " (closed)";
    }
  }
  const calling = new Calling(new Page(doc), /** @type {any} */ (FakeNotification));
  assert.equal(calling.askable, true);
  doc.visibilityState = "hidden";
  calling.draw("Bob is calling");
  assert.deepEqual([notes, doc.title], [[], "☎ Bob is calling"]);
  await advance(1_050);
  assert.equal(doc.title, "Duet");
  await advance(1_000);
  assert.equal(doc.title, "☎ Bob is calling");
  calling.draw("");
  FakeNotification.permission = "granted";
  calling.draw("Bob is calling");
  assert.deepEqual([notes.length, notes[0][0], calling.askable], [1, "Bob is calling", false]);
  doc.visibilityState = "visible";
  doc.dispatch("visibilitychange");
  assert.equal(notes[0][0], "Bob is calling (closed)");
  calling.draw("");
  await advance(5_000);
  assert.equal(doc.title, "Duet");
});
