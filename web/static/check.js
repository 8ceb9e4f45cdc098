// check.js: what works between this browser and the server, before there is a call; loaded when it is asked for.

import { serverKind } from "./diagnosis.js";

/**
 * What was tried and how it went: `ms` until it worked. `code` says why not: no-answer; refused, by server or user; missing: no
 * such device, or not offered by the server.
 * @typedef {{what: "server" | "stun" | "turn-udp" | "turn-tcp" | "turn-tls" | "camera" | "microphone", ok: boolean, ms: number, code: "" | "no-answer" | "refused" | "missing"}} Check
 */

/** Without an answer for so long there is none, in milliseconds. */
const PATIENCE = 10_000;

/**
 * @param {{url: string, online: boolean, iceServers: RTCIceServer[], WebSocket: typeof WebSocket, RTCPeerConnection: typeof RTCPeerConnection}} where
 * @returns {Promise<Check[]>} the server first, then STUN and TURN by their URLs, then devices
 */
export async function check({ url, online, iceServers, WebSocket: Socket, RTCPeerConnection: Peer }) {
  const kinds = /** @type {const} */ ([["stun", "stun"], ["udp", "turn-udp"], ["tcp", "turn-tcp"], ["tls", "turn-tls"]]);
  const tries = kinds.map(([kind, what]) => {
    const servers = iceServers.flatMap((server) => [server.urls].flat().filter((one) => serverKind(one) === kind).map((urls) => ({ ...server, urls })));
    return servers.length ? timed(what, () => gather(Peer, servers[0], kind === "stun")) : Promise.resolve(failed(what, "missing"));
  });
  return Promise.all([
    online ? Promise.resolve(/** @type {Check} */ ({ what: "server", ok: true, ms: 0, code: "" })) : timed("server", () => open(Socket, url)),
    ...tries, device("camera", "videoinput"), device("microphone", "audioinput"),
  ]);
}

/** @param {Check["what"]} what @param {Check["code"]} code @returns {Check} */
const failed = (what, code) => ({ what, ok: false, ms: 0, code });

/** @param {Check["what"]} what @param {() => Promise<Check["code"]>} attempt @returns {Promise<Check>} */
async function timed(what, attempt) {
  const began = performance.now();
  /** @type {any} */
  let timer = 0;
  const late = new Promise((/** @type {(code: "no-answer") => void} */ done) => (timer = setTimeout(() => done("no-answer"), PATIENCE)));
  const code = await Promise.race([attempt(), late]);
  clearTimeout(timer);
  return { what, ok: code === "", ms: Math.round(performance.now() - began), code };
}

/** @param {typeof WebSocket} Socket @param {string} url @returns {Promise<Check["code"]>} */
function open(Socket, url) {
  return new Promise((done) => {
    const ws = new Socket(url);
    ws.onopen = () => {
      ws.close();
      done("");
    };
    ws.onclose = () => done("no-answer");
  });
}

/** @param {typeof RTCPeerConnection} Peer @param {RTCIceServer} server @param {boolean} stun @returns {Promise<Check["code"]>} */
async function gather(Peer, server, stun) {
  const peer = new Peer({ iceServers: [server], iceTransportPolicy: stun ? "all" : "relay" });
  try {
    return await new Promise((done, fail) => {
      /** @type {Check["code"]} */
      let code = "";
      peer.onicecandidateerror = ({ errorCode }) => (code = errorCode >= 300 && errorCode < 700 ? "refused" : "no-answer");
      peer.onicecandidate = ({ candidate }) => {
        if (candidate?.candidate.includes(stun ? "typ srflx" : "typ relay")) done("");
        // Where an address is the same from outside, the browser tells it once, as a host's.
        else if (!candidate) done(stun ? code : code || "no-answer");
      };
      peer.createDataChannel("check");
      peer.createOffer().then((offer) => peer.setLocalDescription(offer)).catch(fail);
    });
  } finally {
    peer.close();
  }
}

/** @param {"camera" | "microphone"} what @param {MediaDeviceKind} kind @returns {Promise<Check>} */
async function device(what, kind) {
  const { mediaDevices, permissions } = globalThis.navigator ?? {};
  const all = (await mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  if (!all.some((one) => one.kind === kind)) return failed(what, "missing");
  const name = /** @type {PermissionName} */ (what); // not in every browser, nor in its types
  const state = await permissions?.query({ name }).then((status) => status.state, () => "");
  return state === "denied" ? failed(what, "refused") : { what, ok: true, ms: 0, code: "" };
}
