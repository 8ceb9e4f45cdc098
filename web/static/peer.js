// peer.js: negotiation with one counterpart, human or relay.
//
// Peer is the W3C's perfect negotiation around one RTCPeerConnection, plus three things that it leaves open: what is
// said before the other side may hear it is held back (hold/release), what belongs to an older generation is dropped
// (candidates by their ufrag, answers by the offer that they answer), and an offer of another connection is told from
// a renegotiation of this one by its key, so that either side may begin afresh at any time. Our own lines in descriptions
// are told in PROTOCOL.md, section 4.

import { Findings, candidates } from "./diagnosis.js";
import { Emitter } from "./emitter.js";
import { hosts } from "./fresh.js";
import { begin, fingerprint, isFirefox, origin, sections, ufrag } from "./sdp.js";

/** @typedef {{description: RTCSessionDescriptionInit} | {candidate: RTCIceCandidateInit | null}} Signal */
/** @typedef {"new" | "connecting" | "connected" | "disconnected" | "failed" | "closed"} PeerState */
/** @typedef {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} Tracks */

const KINDS = /** @type {const} */ (["audio", "video"]);

/** Our own line in each description: its side can go on with another connection. Browsers and servers ignore what they don't know. */
const OURS = "a=x-duet:1";

/** The same in the first offer of a connection. */
const FIRST = `${OURS} first`;

/** And one in an answer's: which offer it answers. */
const ANSWERS = "a=x-duet-answers:";

/**
 * Events: `signal` to be sent to the counterpart; `state`; `track`: one of theirs arrived; `restarted`: the counterpart
 * restarted ICE; `collision`: it offered while our own offer was under way, and one of us has to begin anew, see
 * #collides; `error`: the browser refused a description.
 * @extends {Emitter<{signal: Signal, state: PeerState, track: MediaStreamTrack, restarted: void, collision: void, error: unknown}>}
 */
export class Peer extends Emitter {
  #pc;
  #config;
  #polite;
  #held;
  #known;
  #order;
  /** @type {Signal[]} */
  #outbox = [];
  /** @type {Tracks} */
  #tracks;
  /** @type {{audio: RTCRtpSender | null, video: RTCRtpSender | null}} */
  #senders = { audio: null, video: null };
  /** Holds nothing, but what is said to belong to one stream is played in time with each other. */
  #together = new MediaStream();

  #makingOffer = false;
  #settingAnswer = false;
  #closed = false;
  /** @type {Promise<void>} */
  #inbox = Promise.resolve();
  /** @type {RTCIceCandidateInit[]} */
  #early = []; // candidates heard before any description
  #feedback = { sdp: "", audio: false, video: false }; // as read from that description
  #relayed = new Set(); // addresses at which the counterpart says it has TURN allocations
  #findings = new Findings();

  /**
   * @param {{polite: boolean, config: () => RTCConfiguration, tracks: Tracks, hold?: boolean, known?: () => number, order?: (sdp: string) => string,
   *   RTCPeerConnection?: typeof RTCPeerConnection}} options config is asked again at each restart, as credentials
   *   change; hold: keep signals back until release(); known: kbit/s that may be sent to the counterpart now, 0 if nobody knows;
   *   order: puts codecs in the order that this machine likes
   */
  constructor({ polite, config, tracks, hold = false, known = () => 0, order = (sdp) => sdp, RTCPeerConnection: ctor = globalThis.RTCPeerConnection }) {
    super();
    this.#polite = polite;
    this.#held = hold;
    this.#known = known;
    this.#order = order;
    this.#tracks = { ...tracks };
    this.#config = config;
    const pc = (this.#pc = new ctor(config()));
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onicecandidate = ({ candidate }) => this.#candidate(candidate);
    pc.ontrack = ({ track }) => this.emit("track", track);
    pc.onconnectionstatechange = pc.oniceconnectionstatechange = () => this.emit("state", this.state);
    pc.onicecandidateerror = ({ url, errorCode }) => this.#findings.blocked({ url: url ?? "", code: errorCode });
  }

  /** The worse of ICE's and the whole connection's state: ICE tells of trouble first. @returns {PeerState} */
  get state() {
    if (this.#closed) return "closed";
    const { connectionState, iceConnectionState } = this.#pc;
    if (connectionState === "failed" || iceConnectionState === "failed") return "failed";
    if (iceConnectionState === "disconnected") return "disconnected";
    return connectionState;
  }

  /** Whether the counterpart has been heard at all. */
  get fresh() {
    return !this.#pc.remoteDescription && !this.#settingAnswer;
  }

  /** Whether an offer of ours is waiting for its answer. */
  get offering() {
    return this.#pc.signalingState === "have-local-offer";
  }

  /**
   * Whether ICE can be restarted on a path that carries, without a pause of the media. A Firefox that nominates drops its
   * older pairs with the first new one, while Chromium (156) goes on sending on them: nothing comes for two seconds.
   */
  get restartsSoftly() {
    return !isFirefox(this.#pc.localDescription?.sdp) && !isFirefox(this.#pc.remoteDescription?.sdp);
  }

  /** Whether media of this kind is to come, as agreed; before anything is agreed it is. @param {"audio" | "video"} kind */
  receives(kind) {
    const lines = this.#pc.getTransceivers().filter((one) => one.receiver.track.kind === kind);
    return lines.some(({ currentDirection }) => !currentDirection || /recv/.test(currentDirection)) || !this.#pc.remoteDescription;
  }

  /** Whether the counterpart tells several times a second what became of media of this kind. @param {"audio" | "video"} kind */
  acknowledges(kind) {
    const sdp = this.#pc.remoteDescription?.sdp ?? "";
    if (this.#feedback.sdp !== sdp) {
      /** @param {string} of */
      const says = (of) => sections(sdp).some((lines) => lines[0].startsWith(`m=${of} `) && lines.some((line) => /^a=rtcp-fb:\S+ transport-cc$/.test(line)));
      this.#feedback = { sdp, audio: says("audio"), video: says("video") };
    }
    return this.#feedback[kind];
  }

  /** The addresses of this machine that were gathered. */
  get hosts() {
    return hosts(this.#pc.localDescription?.sdp ?? "");
  }

  /** The counterpart's TURN addresses, as "ip port". */
  get relayedAddresses() {
    return this.#relayed;
  }

  /**
   * Begins as the offering side. The m-lines are audio, video, in this order. The lines are made without tracks: they
   * would lend them their ids, and the other side's browser takes tracks of one id, from two connections, for one.
   */
  start() {
    for (const kind of KINDS) {
      this.#senders[kind] = this.#pc.addTransceiver(kind, { direction: "sendrecv", streams: [this.#together] }).sender;
      void this.#replace(kind);
    }
  }

  /** From now on signals leave at once, those held back first. */
  release() {
    this.#held = false;
    for (const signal of this.#outbox.splice(0)) this.emit("signal", signal);
  }

  /**
   * Sends another track, or none, without negotiation.
   * @param {"audio" | "video"} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    this.#tracks[kind] = track;
    return this.#replace(kind);
  }

  /** Asks for an ICE restart: new candidates, new credentials, the old path until a new one is there. */
  restart() {
    // Before anything was said there is nothing to restart, and the answering side has nothing to offer.
    if (this.#closed || (this.fresh && !this.offering)) return;
    // An offer that is still waiting for its answer may have been lost with a server; saying it again is harmless.
    if (this.offering) this.#sendLocal();
    try {
      this.#pc.setConfiguration(this.#config());
    } catch {
      // Some browsers refuse changes; the old servers stay.
    }
    this.#pc.restartIce();
  }

  /**
   * Takes what the counterpart said. Signals are worked on one after the other, in their order.
   * @param {Signal} signal
   */
  receive(signal) {
    this.#inbox = this.#inbox.then(async () => {
      if (this.#closed) return;
      try {
        if ("description" in signal) await this.#describe(signal.description);
        else await this.#hear(signal.candidate);
      } catch (error) {
        this.#settingAnswer = false;
        if (!this.#closed) this.emit("error", error);
      }
    });
    return this.#inbox;
  }

  /** Whether this offer comes from another connection than the one we are talking to. @param {RTCSessionDescriptionInit} offer */
  isStranger(offer) {
    const known = this.#pc.remoteDescription;
    if (!known) return false;
    // The key is the connection's (RFC 8842): one key, one connection. Some make up another o= line for each description, and
    // some repeat that of ours.
    const key = fingerprint(known.sdp);
    return key ? key !== fingerprint(offer.sdp) : origin(known.sdp).id !== origin(offer.sdp).id;
  }

  /** What may explain a failure. @param {import("./diagnosis.js").Diagnosis["relay"]} relay as the relay's own leg fares */
  diagnose(relay) {
    const asked = this.#config().iceServers?.flatMap(({ urls }) => urls) ?? [];
    return this.#findings.tell(relay, this.#pc.iceGatheringState === "complete" ? [] : asked);
  }

  /** @returns {Promise<RTCStatsReport>} */
  stats() {
    return this.#pc.getStats();
  }

  /** For good, and without an event: whoever closes knows. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox = [];
    const pc = this.#pc;
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.onicecandidateerror = null;
    pc.onconnectionstatechange = pc.oniceconnectionstatechange = null;
    pc.close();
  }

  async #offer() {
    if (this.#closed || !this.#pc.getTransceivers().length) return; // the answering side has nothing to offer yet
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#sendLocal();
    } catch (error) {
      if (!this.#closed) this.emit("error", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #describe(description) {
    const pc = this.#pc;
    const ready = !this.#makingOffer && (pc.signalingState === "stable" || this.#settingAnswer);
    if (description.type === "offer" && !ready && !this.#polite) return; // they yield
    if (description.type === "offer" && !ready && this.#collides(description)) return this.emit("collision", undefined);
    if (description.type === "answer" && !this.#isAwaited(description)) return;

    this.#note(description.sdp);
    const was = ufrag(pc.remoteDescription?.sdp);
    if (description.type === "offer" && was && was !== ufrag(description.sdp)) this.emit("restarted", undefined);
    this.#settingAnswer = description.type === "answer";
    const { type, sdp } = was ? description : begin(description, this.#known());
    await pc.setRemoteDescription({ type, sdp: this.#order(sdp ?? "") });
    this.#settingAnswer = false;
    for (const candidate of this.#early.splice(0)) await this.#hear(candidate);
    if (description.type !== "offer") return;
    await this.#adopt();
    await pc.setLocalDescription();
    this.#sendLocal();
  }

  /**
   * Whether an offer that met ours is to be left alone. The W3C's way is to roll ours back. But once media has come on a
   * connection, Chromium (156) decodes after a rollback and shows nothing, for good: no restart, renegotiation or other
   * element helps. A new connection does. It is offered by us, and the counterpart, if it is one of ours, follows.
   * @param {RTCSessionDescriptionInit} offer
   */
  #collides(offer) {
    return !this.fresh && !!offer.sdp?.includes(OURS);
  }

  /** An answer to an offer that we have replaced or rolled back is of no use. @param {RTCSessionDescriptionInit} answer */
  #isAwaited(answer) {
    if (this.#pc.signalingState !== "have-local-offer") return false;
    const line = answer.sdp?.split(/\r?\n/).find((text) => text.startsWith(ANSWERS));
    return !line || line.slice(ANSWERS.length) === origin(this.#pc.localDescription?.sdp).full;
  }

  /** Sends our tracks in the lines that the counterpart's offer made. */
  async #adopt() {
    for (const kind of KINDS) {
      if (this.#senders[kind]) continue;
      const transceiver = this.#pc.getTransceivers().find((t) => t.receiver.track.kind === kind && t.direction !== "stopped");
      if (!transceiver) continue;
      transceiver.direction = "sendrecv";
      this.#senders[kind] = transceiver.sender;
      transceiver.sender.setStreams(this.#together);
      await this.#replace(kind);
    }
  }

  /** @param {"audio" | "video"} kind */
  async #replace(kind) {
    try {
      await this.#senders[kind]?.replaceTrack(this.#tracks[kind]);
      if (kind === "video") await this.#activate();
    } catch (error) {
      if (!this.#closed) this.emit("error", error);
    }
  }

  /**
   * Stops the video encoder while there is no track for it: Firefox would go on with a black picture each second, and
   * the other side would take it for video that is on.
   */
  async #activate() {
    const sender = this.#senders.video;
    for (let attempt = 1; sender && !this.#closed; attempt++) {
      const active = this.#tracks.video !== null;
      const parameters = sender.getParameters();
      if (parameters.encodings.every((encoding) => encoding.active === active)) return;
      for (const encoding of parameters.encodings) encoding.active = active;
      try {
        return await sender.setParameters(parameters);
      } catch (error) {
        if (attempt === 3) throw error; // a negotiation may have changed them in between, hardly three times
      }
    }
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #hear(candidate) {
    const remote = this.#pc.remoteDescription;
    if (!remote) {
      if (candidate && this.#early.length < 256) this.#early.push(candidate);
      return;
    }
    if (!candidate) return; // all said; nothing waits for it
    const { usernameFragment: name } = candidate;
    if (name && !remote.sdp.includes(`a=ice-ufrag:${name}\r\n`)) return; // an older generation, or an ignored offer
    this.#note(candidate.candidate);
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch {
      // One candidate that cannot be used (an address family, a name that does not resolve) is no reason to give up.
    }
  }

  /** Remembers where the counterpart's TURN allocations are. @param {string | undefined} text */
  #note(text = "") {
    this.#findings.other(text);
    for (const { kind, address, port } of candidates(text)) if (kind === "relay" && this.#relayed.size < 256) this.#relayed.add(`${address} ${port}`);
  }

  #sendLocal() {
    const description = this.#pc.localDescription;
    if (!description || this.#closed) return;
    const { type } = description;
    const kind = this.#pc.remoteDescription ? OURS : FIRST;
    const line = type === "answer" ? `${OURS}\r\n${ANSWERS}${origin(this.#pc.remoteDescription?.sdp).full}` : kind;
    const sdp = this.#order(description.sdp.replace(/^m=/m, `${line}\r\nm=`));
    this.#signal({ description: { type, sdp } });
  }

  /** @param {RTCIceCandidate | null} candidate */
  #candidate(candidate) {
    const { url } = /** @type {{url?: string | null}} */ (candidate ?? {}); // not in every browser yet
    if (candidate) this.#findings.own(candidate.candidate, url);
    this.#signal({ candidate: candidate && candidate.toJSON() });
  }

  /** @param {Signal} signal */
  #signal(signal) {
    if (this.#closed) return;
    if (this.#held) this.#outbox.push(signal);
    else this.emit("signal", signal);
  }
}

/** Whether whoever wrote this can go on with another connection, as this library can. @param {RTCSessionDescriptionInit} description */
export function isOurs({ sdp = "" }) {
  return /^a=x-duet[:-]/m.test(sdp);
}

/** Whether an offer of this library renegotiates a connection that has been there before. @param {RTCSessionDescriptionInit} offer */
export function isOld({ sdp = "" }) {
  return sdp.includes(OURS) && !sdp.includes(FIRST);
}
