// hurdle.test.js: what a plain request meets tells why a WebSocket does not come up.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { TEXTS } from "../static/i18n.js";
import { hurdle } from "../static/hurdle.js";

for (const [status, want] of [[403, "refused"], [426, "no-websocket"], [502, "unreachable"], [0, "unreachable"]]) {
  test(`${status || "no answer"}: ${want}`, async () => {
    const methods = [];
    const server = createServer((request, response) => {
      methods.push(request.method);
      response.writeHead(status).end();
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address();
    if (!status) await new Promise((resolve) => server.close(resolve));
    assert.equal(await hurdle(`ws://127.0.0.1:${port}/ws`), want);
    if (status) assert.deepEqual(methods, ["POST"]); // a GET would not tell the origin
    await new Promise((resolve) => server.close(resolve));
    for (const language of ["en", "zh"]) assert.ok(TEXTS[language][`login_${want}`]);
  });
}
