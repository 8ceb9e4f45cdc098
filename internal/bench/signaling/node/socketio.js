// The same over Socket.IO, with the package `socket.io`.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { rules } from "./rules.js";

const http = createServer();
const io = new Server(http, { perMessageDeflate: false, maxHttpBufferSize: 128 << 10, serveClient: false });
const { types, received, gone } = rules((message) => io.emit(message.type, message));

io.on("connection", (socket) => {
  const user = { id: socket.id, peer: null, send: (message) => socket.emit(message.type, message) };
  for (const type of types) socket.on(type, (message) => received(user, type, message));
  socket.on("disconnect", () => gone(user));
});
http.listen(Number(process.env.PORT), "127.0.0.1");
