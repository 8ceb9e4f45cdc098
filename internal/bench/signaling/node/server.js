// A usual signaling server, to compare with, over WebSockets with `ws`.
import { WebSocketServer } from "ws";
import { rules } from "./rules.js";

const { received, gone, users } = rules((message) => {
  const text = JSON.stringify(message);
  for (const user of users.values()) user.ws.send(text);
});

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.PORT), perMessageDeflate: false, maxPayload: 128 << 10 });
server.on("connection", (ws) => {
  const user = { ws, peer: null, send: (message) => ws.send(JSON.stringify(message)) };
  ws.on("message", (data) => {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    received(user, message.type, message);
  });
  ws.on("close", () => gone(user));
  ws.on("error", () => ws.terminate());
});
