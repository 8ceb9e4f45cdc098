// words.test.js: both languages say everything, and say it to the right people.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { TEXTS, explain, preferred, translate } from "../static/i18n.js";

const page = ["index.html", "view.js", "app.js"].map((name) => readFileSync(new URL(`../static/${name}`, import.meta.url), "utf8")).join("\n");

test("both languages have every text, with the same places to fill", () => {
  assert.deepEqual(Object.keys(TEXTS.zh).sort(), Object.keys(TEXTS.en).sort());
  const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of Object.keys(TEXTS.en)) assert.deepEqual(places(TEXTS.zh[key]), places(TEXTS.en[key]), key);
});

test("every text that the page names exists", () => {
  const named = [...page.matchAll(/data-(?:text|label|placeholder)="([^"]+)"/g), ...page.matchAll(/#t\("([^"]+)"/g)].map((match) => match[1]);
  assert.ok(named.length > 30);
  for (const key of named) assert.ok(key in TEXTS.en, key);
});

test("every reason of the protocol has its sentence", () => {
  for (const reason of ["hangup", "cancelled", "timeout", "disconnected", "server-shutdown", "declined", "busy", "unavailable", "lost"]) assert.ok(`end_${reason}` in TEXTS.en, reason);
});

for (const [preferences, want] of [[["zh-CN", "en"], "zh"], [["zh"], "zh"], [["fr", "zh-TW"], "zh"], [["en-GB", "zh"], "en"], [["fr"], "en"], [[], "en"]]) {
  test(`a browser that prefers ${preferences.join(", ") || "nothing"} sees ${want}`, () => assert.equal(preferred(preferences), want));
}

test("places are filled, and a name cannot fill others", () => {
  assert.equal(translate("en", "incoming", { name: "{count}" }), "{count} is calling");
  assert.equal(explain("en", "end", "no-such-code", { name: "Bob" }), "The call did not come about (no-such-code).");
});
