// leg.js: one way on which media may travel: a Peer, what arrived on it, and how well it flows.

import { serverKind } from "./diagnosis.js";
import { Peer } from "./peer.js";
import { Flow, read } from "./stats.js";

/** @typedef {import("./protocol.js").PathName} PathName */
/** @typedef {import("./peer.js").Tracks} Tracks */

/** How long after the first packet a leg counts as carrying though no frame was decoded: the other side may send none. */
const FRAMELESS = 1_500;

/** How long after it came up a leg counts as carrying though nothing comes that the other side says it sends. */
const MUTE = 3_000;

/** @typedef {{audio: boolean, video: boolean}} Both */

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
  /** When ICE and DTLS were first seen up; 0: they are not. */
  connectedSince = 0;
  /** A leg to the relay: the server says that the other side's is up, too. */
  joined = false;
  closed = false;
  /** This machine's addresses when it was made, where somebody has looked. @type {string[]} */
  madeWith = [];
  /** What ends with it. @type {() => void} */
  ends = () => {};

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
    if (this.peer.state !== "connected") this.connectedSince = 0;
    else this.connectedSince ||= now;
  }

  /** What is to come on this leg: what the other side says that it sends, in directions that were agreed. @param {import("./protocol.js").MediaState} theirs @returns {Both} */
  expects({ audio, video, screen }) {
    return { audio: audio && this.peer.receives("audio"), video: (video || screen) && this.peer.receives("video") };
  }

  /** Whether somebody who is there tells at once, several times a second, what became of media that we send. @param {Both} ours @param {number} now */
  acknowledged(ours, now) {
    const kinds = /** @type {const} */ (["audio", "video"]);
    return kinds.some((kind) => ours[kind] && this.peer.acknowledges(kind) && now - this.flow.sentAt[kind] < 1_000);
  }

  /**
   * Whether this leg brings all that the other side sends. Where nothing comes, a connection is a connection: one that
   * is up, and that nothing is to come on, or nothing has come on for a while.
   * @param {Both} expects
   * @param {number} now
   */
  carries(expects, now) {
    const { firstAt, frameAt, steadySince } = this.flow;
    if (steadySince > 0) return !expects.video || frameAt > 0 || now - firstAt > FRAMELESS;
    const up = this.connectedSince > 0 && this.peer.state === "connected" && (this.name === "direct" || this.joined);
    return up && ((!expects.audio && !expects.video) || now - this.connectedSince > MUTE);
  }

  /** This machine's addresses as this leg knows them; while a restart has gathered none, those from before. */
  get hosts() {
    const { hosts } = this.peer;
    if (hosts.length) this.madeWith = hosts;
    return this.madeWith;
  }

  /** Since when it has been carrying without a pause. */
  get steadySince() {
    return this.flow.steadySince || this.connectedSince;
  }

  /**
   * What may be sent on this leg, in kbit/s, while it carries; 0: nobody knows.
   * @param {Both} expects
   * @param {number} now
   */
  known(expects, now) {
    return this.flow.steadySince && this.carries(expects, now) ? this.flow.last.estimate : 0;
  }

  /** Until both ends are there no media takes a way by the relay. @returns {PathName | null} */
  get path() {
    if (this.name === "direct") return this.flow.last.way;
    return this.joined ? "relay" : null;
  }

  close() {
    this.closed = true;
    this.peer.close();
    this.ends();
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
