// token.test.js: a token that is asked for again before it expires.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Token, lifetime } from "../static/token.js";
import { advance, fakeTime } from "./fakes.js";

const jwt = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
const seconds = () => Math.floor(Date.now() / 1_000);

let undo, asked, renewed, give, token;

beforeEach(() => {
  undo = fakeTime();
  asked = 0;
  renewed = [];
  token = new Token(() => {
    asked++;
    return give();
  }, (next) => renewed.push(next));
});
afterEach(() => {
  token.close();
  undo();
});

test("how long a token is good for, by what is left and by what it was made for", () => {
  const about = (value, want) => assert.ok(Math.abs(value - want) < 2_000, `${value}, want ${want}`);
  about(lifetime(jwt({ exp: seconds() + 100 })), 100_000);
  about(lifetime(jwt({ exp: seconds() + 100, iat: seconds() - 200 })), 100_000); // a third of it is left
  about(lifetime(jwt({ exp: seconds() - 3_600, iat: seconds() - 3_900 })), 300_000); // a clock that is an hour fast
  about(lifetime(jwt({ exp: seconds() + 3_900, iat: seconds() + 3_600 })), 300_000); // and one that is slow
  for (const none of ["secret", "", "a.b.c", jwt({ sub: "ann" })]) assert.equal(lifetime(none), 0, none);
});

test("asked for at once, and again before it expires, as often as that", async () => {
  give = async () => jwt({ exp: seconds() + 100, iat: seconds() });
  assert.equal(await token.first(), await give());
  await advance(70_000, 5_000);
  assert.deepEqual([asked, renewed.length], [1, 0]);
  await advance(15_000, 5_000);
  assert.deepEqual([asked, renewed.length], [2, 1]);
  await advance(80_000, 5_000);
  assert.deepEqual([asked, renewed.length], [3, 2]);
});

test("a function that fails is asked again soon; the first time its error is the caller's", async () => {
  give = async () => {
    throw new Error("no");
  };
  await assert.rejects(token.first(), { message: "no" });
  give = async () => jwt({ exp: seconds() + 100, iat: seconds() });
  await token.first();
  const works = give;
  give = () => {
    throw new Error("no");
  };
  await advance(85_000, 5_000);
  assert.deepEqual([asked, renewed.length], [3, 0]);
  give = works;
  await advance(20_000, 5_000);
  assert.deepEqual([asked, renewed.length], [4, 1]);
});

test("one that does not say when it ends is not asked for again, nor is one after the end", async () => {
  give = () => "secret";
  await token.first();
  await advance(600_000, 60_000);
  assert.equal(asked, 1);
  give = () => jwt({ exp: seconds() + 100 });
  await token.first();
  token.close();
  await advance(600_000, 60_000);
  assert.equal(asked, 2);
});
