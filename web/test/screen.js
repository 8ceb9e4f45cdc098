// screen.js: a View on a document of its own, and what a user does there. What is exported changes before each test.

import { afterEach, beforeEach } from "node:test";
import { View } from "../static/view/view.js";
import { loadPage } from "./dom.js";
import { advance, fakeTime, now } from "./fakes.js";

export let doc, view, model, did;
let undo, realNow;

beforeEach(() => {
  undo = fakeTime();
  realNow = performance.now;
  performance.now = now;
  doc = loadPage();
  did = [];
  model = {
    page: "login", able: true, language: "en", joining: false, loginError: "", username: "alice", online: true, users: [], listed: true, invited: "", past: { all: [], unseen: 0 }, call: null,
    local: { wishes: { audio: true, video: true, screen: false }, faults: { audio: "", video: "" }, virtual: false, mirror: true, flips: false, phone: false, screens: true, video: null },
  };
  view = new View(doc, model);
  for (const type of ["login", "dial", "accept", "refuse", "hang-up", "audio", "video", "screen", "source", "leave", "language"]) view.on(type, (what) => did.push(what === undefined ? type : [type, what]));
});
afterEach(() => {
  performance.now = realNow;
  undo();
});

/** The model changes so, and is drawn. */
export async function show(change) {
  Object.assign(model, change);
  view.show(model);
  await advance(50);
  doc.render();
}

export const user = (username, status = "available") => ({ id: `u_${username}`, username, status });
export const call = (phase, more = {}) => ({
  phase, peer: "bob", state: phase === "accepted" ? "connected" : "idle", path: null, theirs: { audio: true, video: true, screen: false }, still: false,
  startedAt: phase === "accepted" ? now() : 0, audioOnly: false, lookalike: false, unheard: false, bad: "", ...more,
});

/** What has the focus, in a word. */
export function focused() {
  doc.render();
  const el = doc.activeElement;
  return el.dataset.testid ?? (el.id || el.tagName);
}

export const at = (id) => doc.getElementById(id);
export const button = (testid) => doc.querySelector(`[data-testid="${testid}"]`);
