// simulate.js: makes something go wrong, to try how a program takes it. All but the paths happens to what really is there; loaded
// when it is asked for.

/** @import { CallOptions } from "./call.js" */
/** @import { Media } from "./own.js" */
/** @import { Outside } from "./outside.js" */
/** @import { ClientMessage } from "./protocol.js" */

/**
 * socket-loss: the connection to the server breaks. resume-refused: the server has ended the session when it comes back.
 * ice-failure: no new connection between the two comes up. relay-only, turn-only, tls-only: the calls that begin from now on have
 * no other way, the last one TURN over TLS. bandwidth-cap: 150 kbit/s for the picture. device-loss: camera and microphone
 * end, as if they were unplugged.
 * @typedef {"socket-loss" | "resume-refused" | "ice-failure" | "relay-only" | "turn-only" | "tls-only" | "bandwidth-cap" | "device-loss"} Simulation
 */

/** @typedef {{outside: Outside, options: CallOptions, media: Media, send: (message: ClientMessage) => unknown}} Stage */

/** In bit/s. */
const CAP = 150_000;

/** @param {Simulation} name @param {Stage} stage @returns {() => void} ends what lasts */
export function simulate(name, { outside, options, media, send }) {
  switch (name) {
    case "socket-loss":
      outside.socket?.close();
      return () => {};
    case "resume-refused":
      send({ type: "leave" }); // the server ends the session and the connection, and our end thinks nothing of it
      return () => {};
    case "ice-failure":
      return trick(outside, spoil);
    case "relay-only":
      return path(options, { force: "relay" });
    case "turn-only":
      return path(options, { force: "turn" });
    case "tls-only":
      return path(options, { force: "turn", transport: "tls" });
    case "bandwidth-cap":
      return cap(outside);
    case "device-loss":
      for (const track of [media.tracks.audio, media.tracks.video]) {
        track?.stop();
        track?.dispatchEvent(new Event("ended")); // which stop() does not
      }
      return () => {};
  }
}

/** @param {Outside} outside @param {(peer: RTCPeerConnection) => void} fn */
function trick(outside, fn) {
  outside.tricks.add(fn);
  return () => void outside.tricks.delete(fn);
}

/** Checks with another password than the other side's come to nothing. The relay's end is told by its lite ICE. @param {RTCPeerConnection} peer */
function spoil(peer) {
  const real = peer.setRemoteDescription.bind(peer);
  peer.setRemoteDescription = async (/** @type {any} */ description) => {
    const { type, sdp = "" } = description;
    await real(/^a=ice-lite/m.test(sdp) ? description : { type, sdp: sdp.replace(/^(a=ice-pwd:).*?(\r?)$/gm, "$1simulatedsimulatedsimulated$2") });
  };
}

/** @param {CallOptions} options @param {CallOptions} forced */
function path(options, forced) {
  const { force = null, transport = null } = options;
  Object.assign(options, { transport: null }, forced);
  return () => void Object.assign(options, { force, transport });
}

/** @param {Outside} outside */
function cap(outside) {
  /** @param {number | undefined} bits */
  const limit = (bits) => {
    for (const peer of outside.peers) for (const sender of peer.getSenders()) {
      const parameters = sender.getParameters();
      if (sender.track?.kind !== "video" || !parameters.encodings?.length) continue;
      for (const encoding of parameters.encodings) {
        if (bits) encoding.maxBitrate = bits;
        else delete encoding.maxBitrate;
      }
      sender.setParameters(parameters).catch(() => {}); // it is being negotiated: the next look meets it
    }
  };
  limit(CAP);
  const timer = setInterval(() => limit(CAP), 1_000); // connections come and go
  return () => {
    clearInterval(timer);
    limit(undefined);
  };
}
