// What the clients in Node share: where their lines go, and media for libraries that send packets.
import { createInterface } from "node:readline";
import WebSocket from "ws";
import { drive } from "./session.mjs";

export function main(connect) {
  const [url, name, options] = process.argv.slice(2);
  const line = drive(connect, { url, name, options: JSON.parse(options), WebSocket, say: console.log });
  createInterface({ input: process.stdin }).on("line", line).on("close", () => process.exit(0));
}

// 20 ms of 400 Hz in Opus, and a blue key frame of VP8.
const tone = Buffer.from("+LvtelxK5ak5/xnrfWNEKciqNPwIwDhthNHtAvdcInzbA1HrPcXzuQ==", "base64");
const picture = Buffer.from("0AIAnQEqQAAwAAOHCIWFiJmEiBOCAnTyZro0eb8Wd8D+899n/srH/+lY//0rH7wXVVPX36A=", "base64");

/** rtp is the nth packet of a kind; a picture has one byte before it (RFC 7741). */
export function rtp(kind, n, payloadType, ssrc) {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = payloadType | 0x80;
  header.writeUInt16BE(n & 0xffff, 2);
  header.writeUInt32BE((n * (kind === "audio" ? 960 : 9000)) >>> 0, 4);
  header.writeUInt32BE(ssrc, 8);
  return Buffer.concat(kind === "audio" ? [header, tone] : [header, Buffer.from([0x10]), picture]);
}

/** pace calls send for sound every 20 ms and for pictures every 100 ms, with a count, unless muted. Returned is what ends it. */
export function pace(muted, send) {
  const timers = [["audio", 20], ["video", 100]].map(([kind, ms]) => {
    let n = 0;
    return setInterval(() => muted[kind] || send(kind, n++), ms);
  });
  return () => timers.forEach(clearInterval);
}
