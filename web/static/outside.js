// outside.js: makes the connections of this page to others, and knows them, so that simulate.js can get at them.

/** @typedef {{WebSocket?: typeof WebSocket, RTCPeerConnection?: typeof RTCPeerConnection}} Browser */

export class Outside {
  /** @type {WebSocket | null} the newest */
  socket = null;
  /** @type {Set<RTCPeerConnection>} */
  peers = new Set();
  /** What is done to each new connection. @type {Set<(peer: RTCPeerConnection) => void>} */
  tricks = new Set();
  WebSocket;
  RTCPeerConnection;

  /** @param {Browser} given in place of the browser's, for tests */
  constructor({ WebSocket: Socket, RTCPeerConnection: Peer }) {
    const outside = this;
    // To those who make one, these are the browser's own.
    this.WebSocket = /** @type {typeof WebSocket} */ (/** @type {unknown} */ (function (/** @type {string} */ url) {
      return (outside.socket = new (Socket ?? globalThis.WebSocket)(url));
    }));
    this.RTCPeerConnection = /** @type {typeof RTCPeerConnection} */ (/** @type {unknown} */ (function (/** @type {RTCConfiguration} */ config) {
      const peer = new (Peer ?? globalThis.RTCPeerConnection)(config);
      for (const old of outside.peers) if (old.connectionState === "closed") outside.peers.delete(old);
      outside.peers.add(peer);
      for (const trick of outside.tricks) trick(peer);
      return peer;
    }));
  }
}
