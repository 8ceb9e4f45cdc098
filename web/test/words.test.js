// words.test.js: both languages say everything, and say it to the right people.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { TEXTS, explain, preferred, translate } from "../static/i18n.js";
import { WORDS } from "../static/words.js";

const folder = new URL("../static/", import.meta.url);
const names = ["index.html", "app.js", ...readdirSync(new URL("view/", folder)).map((name) => `view/${name}`)];
const page = names.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");

for (const [what, { en, zh }] of [["the page", TEXTS], ["its panels", WORDS]]) {
  test(`${what}: both languages have every text, with the same places to fill`, () => {
    assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
    const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    for (const key of Object.keys(en)) assert.deepEqual(places(zh[key]), places(en[key]), key);
  });
}

test("every fault of a device has its way out", () => {
  for (const fault of ["asking", "missing", "in-use", "ended", "muted", "insecure", "refused-chromium", "refused-firefox", "refused-safari"]) assert.ok(`way_${fault}` in WORDS.en, fault);
});

test("every text that the page names exists", () => {
  const named = [...page.matchAll(/data-(?:text|label|placeholder)="([^"]+)"/g), ...page.matchAll(/page\.t\("([^"]+)"/g)].map((match) => match[1]);
  assert.ok(named.length > 30);
  for (const key of named) assert.ok(key in TEXTS.en, key);
});

test("every reason of the protocol has its sentence", () => {
  for (const reason of ["hangup", "cancelled", "timeout", "disconnected", "server-shutdown", "declined", "busy", "unavailable", "lost"]) assert.ok(`end_${reason}` in TEXTS.en, reason);
});

test("every fault of a device has its sentence", () => {
  for (const fault of ["asking", "missing", "refused", "in-use", "ended", "muted", "insecure"]) assert.ok(`peer-audio_${fault}` in TEXTS.en, fault);
  for (const kind of ["audio", "video"]) for (const fault of ["asking", "missing", "refused", "in-use", "ended", "muted", "insecure"]) assert.ok(`fault_${kind}-${fault}` in TEXTS.en, fault);
});

for (const code of ["peer-gone", "browser-blocked", "credentials-refused", "turn-full", "wrong-public-address", "turn-unreachable", "no-udp", "relay-firewalled", "ip-mismatch", "unknown"]) {
  test(`the verdict ${code} has its sentence, wherever the cause lies`, () => {
    for (const language of ["en", "zh"]) {
      for (const where of ["self", "peer", "both"]) {
        const text = explain(language, "verdict", `${code}_${where}`, { name: "Bob" });
        assert.ok(!/[{}]/.test(text) && !text.includes(code), text);
      }
    }
  });
}

test("a verdict on the other end names it, one on this end does not", () => {
  assert.match(explain("en", "verdict", "no-udp_peer", { name: "Bob" }), /^Bob's network/);
  assert.match(explain("en", "verdict", "no-udp_self", { name: "Bob" }), /^Your network/);
});

for (const [preferences, want] of [[["zh-CN", "en"], "zh"], [["zh"], "zh"], [["fr", "zh-TW"], "zh"], [["en-GB", "zh"], "en"], [["fr"], "en"], [[], "en"]]) {
  test(`a browser that prefers ${preferences.join(", ") || "nothing"} sees ${want}`, () => assert.equal(preferred(preferences), want));
}

test("places are filled, and a name cannot fill others", () => {
  assert.equal(translate("en", "incoming", { name: "{count}" }), "{count} is calling");
  assert.equal(explain("en", "end", "no-such-code", { name: "Bob" }), "The call did not come about (no-such-code).");
});
