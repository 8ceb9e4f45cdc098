// leg.js: one way on which media may travel: a Peer, what arrived on it, and how well it flows.

import { serverKind } from "./diagnosis.js";
import { Peer } from "./peer.js";
import { Flow, read } from "./stats.js";

/** @typedef {import("./protocol.js").PathName} PathName */
/** @typedef {import("./peer.js").Tracks} Tracks */

/** How long after the first packet a leg counts as carrying though no frame was decoded: the other side may send none. */
const FRAMELESS = 1_500;

export class Leg {
  /** What the counterpart sends on this leg. @type {Tracks} */
  tracks = { audio: null, video: null };
  flow = new Flow();
  /** When this leg's repair was last begun, and how often without success. */
  repairedAt = -Infinity;
  repairs = 0;
  /** When ICE was last restarted, by either side. */
  restartedAt = -Infinity;
  /** When ICE was first seen disconnected; 0: it is not. */
  shakySince = 0;
  closed = false;

  /**
   * @param {"direct" | "relay"} name
   * @param {ConstructorParameters<typeof Peer>[0]} options
   * @param {number} now
   */
  constructor(name, options, now) {
    this.name = name;
    this.bornAt = now;
    this.peer = new Peer(options);
    /** We began it, so we decide when it is taken. */
    this.ours = false;
  }

  /** @param {number} now */
  async measure(now) {
    const report = await this.peer.stats();
    if (!this.closed) this.flow.update(read(report, this.peer.relayedAddresses), now);
  }

  /**
   * Whether this leg brings all that the other side sends.
   * @param {boolean} video the other side sends pictures
   * @param {number} now
   */
  carries(video, now) {
    const { firstAt, frameAt, steadySince } = this.flow;
    return steadySince > 0 && (!video || frameAt > 0 || now - firstAt > FRAMELESS);
  }

  /**
   * What may be sent on this leg, in kbit/s, while it carries; 0: nobody knows.
   * @param {boolean} video
   * @param {number} now
   */
  known(video, now) {
    return this.carries(video, now) ? this.flow.last.estimate : 0;
  }

  /** @returns {PathName | null} */
  get path() {
    return this.name === "relay" ? "relay" : this.flow.last.way;
  }

  close() {
    this.closed = true;
    this.peer.close();
  }
}

/**
 * The configuration of a connection. `force` is the page's ?path=: direct leaves TURN out, turn leaves all else out.
 * @param {{iceServers: RTCIceServer[], force?: PathName | null, transport?: string | null, turn?: boolean, relay?: boolean}} options
 *   transport: udp, tcp or tls, for tests: only TURN URLs of this kind; turn: as RelayTerms says; relay: the leg towards the server
 * @returns {RTCConfiguration}
 */
export function iceConfig({ iceServers, force = null, transport = null, turn = true, relay = false }) {
  /** @param {string} url */
  const wanted = (url) => {
    const kind = serverKind(url);
    // Where UDP gets to this server it gets to the relay. The two may be one port, and Chromium takes all that comes from
    // a TURN server's address for TURN's: nothing but checks would reach the leg.
    if (relay && (kind === "stun" || kind === "udp")) return false;
    if (kind === "stun") return true;
    if ((force === "direct" || !turn) && !relay) return false;
    return !transport || transport === kind;
  };
  const servers = [];
  for (const server of iceServers) {
    const urls = [server.urls].flat().filter(wanted);
    if (urls.length) servers.push({ ...server, urls });
  }
  return {
    iceServers: servers,
    iceTransportPolicy: force === "turn" && !relay ? "relay" : "all",
    bundlePolicy: "max-bundle",
    iceCandidatePoolSize: 1,
  };
}
