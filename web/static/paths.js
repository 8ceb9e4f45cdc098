// paths.js: which path a call uses, and how it moves from one to the next.
//
// A call has up to two legs: one towards the other person (ICE finds the direct way or TURN) and one towards the
// server's relay. One of them is current: its tracks are seen and heard. Every move is make before break: the next leg
// is built beside the current one, becomes current when it carries media, and only then is the other closed. Paths is
// the one owner of media recovery: dead paths, ICE's complaints and network changes all end in recovery.repair.

import { choose } from "./choice.js";
import { Current } from "./current.js";
import { Emitter } from "./emitter.js";
import { Legs } from "./legs.js";
import { Lookout } from "./lookout.js";
import { isOld, isOurs } from "./peer.js";
import { Probe } from "./probe.js";
import { RELAY } from "./protocol.js";
import { Recovery } from "./recovery.js";
import { RelayTerms } from "./relay.js";
import { Reporter } from "./report.js";
import { Succession } from "./succession.js";
import { PATHS as TIMES } from "./times.js";

/** @typedef {import("./leg.js").Leg} Leg */
/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").MediaState} MediaState */
/** @typedef {import("./protocol.js").PathName} PathName */
/** @typedef {import("./peer.js").Tracks} Tracks */
/** @typedef {"idle" | "connecting" | "connected" | "reconnecting" | "failed"} PathState */
/** @typedef {{path: PathName, candidateType: string, protocol: string}} PathInfo */

/**
 * Events: `tracks`: what is to be seen and heard now; `path`; `state`; `still`: whether their picture stands still; `failed`:
 * no way was found, and what was seen; `look`: what was read of the connection that is seen.
 * @extends {Emitter<{look: {leg: Leg, reading: import("./stats.js").Reading, path: PathName}, tracks: Tracks, path: PathInfo, state: PathState, still: boolean, failed: import("./diagnosis.js").Diagnosis}>}
 */
export class Paths extends Emitter {
  #role;
  #terms;
  #relayAfterMs;
  #force;
  #send;
  #now;
  #legs;
  #recovery;
  #lookout;
  #renew;
  #reporter;
  /** @type {MediaState} */
  #theirs = { audio: true, video: true, screen: false };
  /** @type {MediaState} */
  #ours = { audio: true, video: true, screen: false };

  #shown = new Current();
  #succession;
  /** @type {PathState} */
  #state = "idle";

  #begun = 0; // when the call was accepted
  #firstMediaAt = 0;
  #deadSince = 0;
  #leavingSince = 0; // relayStop was heard
  #probe;
  #ticking = false;
  #plain = true; // the other side has not shown that it can go on with another connection
  #again = false; // the other side may still speak to a page that is gone
  #closed = false;

  /**
   * @param {{role: import("./protocol.js").Role, iceServers: RTCIceServer[], relay: "off" | "fallback" | "prefer" | "always",
   *   relayAfterMs?: number, force?: PathName | null, transport?: string | null, tracks: Tracks,
   *   send: (message: ClientMessage, options?: {lossy?: boolean}) => void, renew: () => Promise<void>,
   *   RTCPeerConnection?: typeof RTCPeerConnection, look?: typeof import("./fresh.js").fresh, now?: () => number}} options
   *   renew: makes sure of the signaling connection; force, transport: see iceConfig
   */
  constructor({ role, iceServers, relay, relayAfterMs = 8_000, force = null, transport = null, tracks, send, renew,
    RTCPeerConnection: ctor = globalThis.RTCPeerConnection, look, now = () => performance.now() }) {
    super();
    this.#role = role;
    this.#terms = new RelayTerms({ mode: relay, force, send, now });
    this.#relayAfterMs = relayAfterMs;
    this.#force = force;
    this.#send = send;
    this.#now = now;
    this.#renew = renew;
    this.#recovery = new Recovery({ renew, now });
    this.#reporter = new Reporter(send);
    const known = () => this.#current?.known(this.#current.expects(this.#theirs), now()) ?? 0;
    this.#legs = new Legs({ iceServers, tracks, force, transport, turn: () => this.#terms.turn, known, send, RTCPeerConnection: ctor, now });
    this.#succession = new Succession({ legs: this.#legs, recovery: this.#recovery, begin: (name) => this.#begin(name), now });
    this.#lookout = new Lookout({ legs: this.#legs, anew: (leg) => this.#moved(leg), look });
    this.#shown.on("tracks", (tracks) => this.emit("tracks", tracks));
    this.#probe = new Probe({ legs: this.#legs, shown: this.#shown, terms: this.#terms, recovery: this.#recovery, force, plain: () => this.#plain, begin: () => this.#goDirect(), now });
    this.#shown.on("still", (still) => this.emit("still", still));
    this.#shown.on("path", (path) => this.emit("path", path));
    this.#legs.on("track", (leg) => this.#shown.arrived(leg) && this.#use(leg));
    this.#legs.on("state", () => this.#decide());
    this.#legs.on("collision", (leg) => leg === this.#legs.direct && this.#succession.anew("direct", this.#current));
  }

  get state() {
    return this.#state;
  }

  get info() {
    return this.#shown.info;
  }

  get #current() {
    return this.#shown.leg;
  }

  /** @param {Leg} leg @param {number} now */
  #carries(leg, now) {
    return leg.carries(leg.expects(this.#theirs), now);
  }

  /**
   * The call was accepted: nothing of this begins before, neither towards the other person nor towards a server.
   * @param {import("./protocol.js").Role} role as the server says
   * @param {{again?: boolean, relayed?: boolean}} [how] again: a page that is gone had begun it, and had come to the relay
   */
  begin(role, { again = false, relayed = false } = {}) {
    if (this.#begun || this.#closed) return;
    this.#role = role; // another than before where both had called
    this.#begun = this.#now();
    this.#become("connecting");
    const legs = this.#legs;
    if (again && relayed) this.#rejoinRelay();
    else if (this.#terms.first) {
      legs.relay ??= legs.make("relay", { offer: true, polite: false, hold: true });
      if (this.#force === "relay") this.#terms.ask("user");
      else legs.later(TIMES.relayStart, () => legs.relay?.peer.fresh && !this.#terms.asked && this.#terms.ask("ice-failed"));
    } else {
      legs.direct ??= this.#makeDirect(role === "caller" || again);
      this.#again = again;
      if (this.#terms.allowed) this.#terms.dueAt = this.#begun + this.#relayAfterMs;
    }
    this.#schedule();
  }

  /** @param {"audio" | "video"} kind @param {MediaStreamTrack | null} track */
  setTrack(kind, track) {
    this.#legs.setTrack(kind, track);
  }

  /** What the other side says that it sends. @param {MediaState} media */
  setTheirs(media) {
    this.#theirs = { ...media };
  }

  /** What the other side was told that we send: nothing else is acknowledged. @param {MediaState} media */
  setOurs(media) {
    this.#ours = { ...media };
  }

  /** @param {RTCIceServer[]} iceServers */
  setIceServers(iceServers) {
    this.#legs.setIceServers(iceServers);
  }

  /** Takes a message of the call's negotiation. @param {ServerMessage} message */
  receive(message) {
    if (this.#closed) return;
    switch (message.type) {
      case "offer":
        return this.#offered(message.offer);
      case "answer":
        if (message.sender !== RELAY) this.#met(message.answer);
        return void this.#from(message.sender)?.peer.receive({ description: message.answer });
      case "iceCandidate":
        return void this.#from(message.sender)?.peer.receive({ candidate: message.candidate });
      case "relayStart":
        return this.#startRelay(message.reason);
      case "relayReady":
        if (this.#legs.relay) this.#legs.relay.joined = true;
        return this.#terms.ready();
      case "relayStop":
        return this.#stopRelay();
      case "relayFailed":
        return this.#relayLost();
    }
  }

  /** Moves the call to the relay because a person wants it. */
  useRelay() {
    this.#terms.wanted = true;
    if (this.#current?.name !== "relay") this.#terms.ask("user");
  }

  /** Tries the direct way now, and takes it when it is stable. */
  useDirect() {
    this.#terms.wanted = false;
    if (this.#current?.name === "relay") this.#probe.look();
  }

  /** Restarts ICE on everything, on demand. */
  restart() {
    for (const leg of this.#legs) void this.#recovery.repair(leg, { force: true });
  }

  /** The browser says that the network is another. */
  async networkChanged() {
    if (!this.#begun) return;
    this.#probe.changed();
    if (!(await this.#lookout.moved()) && !this.#closed) this.restart();
  }

  /** This machine has none of the addresses left that this leg was made with. @param {Leg} leg */
  #moved(leg) {
    if (!this.#closed && this.#room(leg) && !this.#alone(leg)) this.#succession.anew(leg.name, this.#current);
  }

  /** The server was restarted: what it had not yet passed on is lost, and so is its relay. */
  restored() {
    if (!this.#begun) return;
    const { direct, relay } = this.#legs;
    if (relay || this.#terms.asked || this.#current?.name === "relay") {
      if (relay) this.#retire(relay);
      this.#terms.reset();
      this.#terms.ask("ice-failed");
    }
    if (direct && (direct.peer.offering || !this.#carries(direct, this.#now()))) direct.peer.restart();
  }

  close() {
    this.#closed = true;
    this.#legs.close();
    this.#shown.leg = null;
  }

  /** @param {string} sender */
  #from(sender) {
    return sender === RELAY ? this.#legs.relay : this.#legs.direct;
  }

  /** @param {boolean} offer we make the first offer */
  #makeDirect(offer) {
    return this.#legs.make("direct", { offer, polite: this.#role === "callee", hold: false });
  }

  /** @param {Leg} leg */
  #retire(leg) {
    this.#legs.retire(leg, {
      seen: this.#current === leg,
      inUse: () => this.#current === leg, // a replacement that has not come yet is no reason to go dark
      carries: () => this.#carries(leg, this.#now()),
      gone: () => this.#shown.gone(leg),
    });
  }

  /** Who has shown once that it is of our kind is. @param {RTCSessionDescriptionInit} description */
  #met(description) {
    if (isOurs(description)) this.#plain = false;
  }

  /** @param {RTCSessionDescriptionInit} offer */
  #offered(offer) {
    this.#met(offer);
    if (this.#terms.first || this.#legs.isLeft(offer)) return; // they will follow to the relay, or the new connection
    const leg = this.#legs.direct;
    if (this.#again && leg?.ours && leg.peer.fresh && isOld(offer)) return; // said to the page that is gone
    const anew = !leg || leg.peer.isStranger(offer) || (leg.ours && leg.peer.fresh && this.#role === "callee");
    if (anew) {
      if (leg) this.#retire(leg);
      this.#legs.direct = this.#makeDirect(false);
    }
    void this.#legs.direct?.peer.receive({ description: offer });
  }

  /** Begins with the direct way again. */
  #goDirect() {
    if (this.#legs.direct) this.#retire(this.#legs.direct);
    this.#legs.direct = this.#makeDirect(true);
  }

  /** Puts a new leg in this place. @param {"direct" | "relay"} name */
  #begin(name) {
    if (name === "direct") return this.#goDirect();
    if (this.#legs.relay) this.#retire(this.#legs.relay);
    this.#startRelay();
  }

  /** The relay has a place for us, and knows the other side. */
  #rejoinRelay() {
    this.#startRelay();
    if (this.#legs.relay) this.#legs.relay.joined = true;
    this.#terms.ready();
  }

  /** @param {string} [reason] */
  #startRelay(reason) {
    this.#terms.start(reason);
    this.#leavingSince = 0;
    const legs = this.#legs;
    if (legs.relay?.peer.state === "failed") this.#retire(legs.relay);
    legs.relay ??= legs.make("relay", { offer: true, polite: false, hold: true });
    legs.relay.peer.release();
    this.#schedule();
  }

  /** The direct path works again, says the other side or the server. */
  #stopRelay() {
    const { direct, relay } = this.#legs;
    if (!relay) return;
    if (this.#terms.only) return this.#relayLost(); // whoever wants another way, and whatever for
    this.#leavingSince ||= this.#now();
    if (direct && direct.peer.state !== "failed") this.#decide();
    else if (this.#role === "caller") this.#goDirect();
  }

  #relayLost() {
    this.#terms.lost();
    this.#leavingSince = 0;
    const { direct, relay } = this.#legs;
    if (relay) this.#retire(relay);
    this.#allowTurn();
    if (direct) return;
    this.#terms.askAgain();
    // Where the relay is the operator's or the user's wish, nothing else takes its place.
    if (this.#terms.first) this.#become(this.#firstMediaAt ? "reconnecting" : "failed");
    else if (this.#role === "caller") this.#goDirect();
  }

  /** The relay is not to be had, so even an operator who prefers it has TURN. */
  #allowTurn() {
    if (this.#terms.turn) return;
    this.#terms.turn = true;
    if (this.#legs.direct && this.#state !== "connected") void this.#recovery.repair(this.#legs.direct, { force: true });
  }

  /** Shows and plays this leg. @param {Leg} leg */
  #use(leg) {
    if (this.#shown.use(leg)) this.#deadSince = 0;
  }

  #schedule() {
    if (this.#ticking || this.#closed) return;
    this.#ticking = true;
    this.#legs.later(this.#firstMediaAt ? TIMES.tick : TIMES.hurry, async () => {
      const now = this.#now();
      await this.#legs.measure(now);
      this.#ticking = false;
      if (this.#closed) return;
      this.#decide();
      if (this.#current && this.info && this.#firstMediaAt) {
        this.emit("look", { leg: this.#current, reading: this.#current.flow.last, path: this.info.path });
        this.#reporter.tell(this.info, this.#current.flow, Math.round(this.#firstMediaAt - this.#begun), now);
      }
      this.#schedule();
    });
  }

  /** Looks at everything and does what is due. */
  #decide() {
    if (this.#closed || !this.#begun) return;
    const now = this.#now();
    this.#shown.name();
    this.#shown.look(this.#theirs, now);
    this.#choose(now);
    this.#watch(now);
    if (this.#current && this.#room(this.#current) && !this.#alone(this.#current)) this.#succession.succeed(this.#current, this.#role);
    if (now >= this.#terms.dueAt) this.#terms.ask(this.#firstMediaAt ? "ice-failed" : "ice-timeout");
    if (this.#terms.overdue) this.#allowTurn();
    this.#probe.due(now);
    if (!this.#leavingSince) this.#probe.end(now, this.#role);
  }

  /** Moves to another leg when one is due. @param {number} now */
  #choose(now) {
    const { direct, relay } = this.#legs;
    if (!this.#current) {
      const next = [direct, relay].find((leg) => leg && (leg.tracks.audio || leg.tracks.video));
      if (next) this.#use(next);
    }
    const ready = direct?.peer.state === "connected" && this.#carries(direct, now) ? direct : null;
    if (!relay) return ready && this.#use(ready);
    const carries = this.#carries(relay, now);
    const move = choose({ ready, direct, relay, carries, current: this.#current === relay, leavingSince: this.#leavingSince, terms: this.#terms }, now);
    if (move === "back") this.#send({ type: "relayStop" });
    if (move === "relay") this.#toRelay(relay);
    else if (move) this.#leaveRelay();
    else if (ready && this.#current !== relay) this.#use(ready); // a relay that waits keeps nobody from a way that is there
  }

  /** @param {Leg} relay */
  #toRelay(relay) {
    const { direct } = this.#legs;
    const worked = direct?.flow.firstAt || (this.info && this.info.path !== "relay"); // it, or what it was to replace
    this.#use(relay);
    if (direct) this.#legs.retire(direct, { seen: true });
    // A way that had worked until now may well come back soon.
    if (this.#role === "caller") this.#probe.later(worked ? TIMES.probeAfterChange : TIMES.probeEvery);
  }

  #leaveRelay() {
    const { direct, relay } = this.#legs;
    this.#terms.reset();
    this.#leavingSince = 0;
    this.#probe.forget();
    if (direct) this.#use(direct);
    if (relay) this.#legs.retire(relay, { seen: true });
  }

  /** Is what should carry alive? @param {number} now */
  #watch(now) {
    const { direct, relay } = this.#legs;
    const leg = this.#current ?? direct ?? relay;
    if (!leg) {
      if (this.#terms.mayAsk) this.#terms.dueAt = Math.min(this.#terms.dueAt, now + TIMES.relayAfterRepair);
      if (!this.#terms.first && this.#role === "caller") this.#goDirect();
      return;
    }
    if (this.#lookout.due(leg, now)) void this.#lookout.moved().then((moved) => (moved ? this.#renew() : undefined));
    const late = !this.#firstMediaAt && now - this.#begun > TIMES.giveUp;
    switch (this.#recovery.judge(leg, { theirs: this.#theirs, ours: this.#ours, plain: this.#alone(leg) }, now)) {
      case "carries":
        this.#deadSince = 0;
        if (leg === direct) this.#terms.dueAt = Infinity;
        this.#probe.carried(leg, this.#role);
        this.#firstMediaAt ||= leg.flow.frameAt || leg.flow.firstAt || now;
        return this.#become("connected");
      case "waits":
        return late ? this.#become("failed") : undefined;
    }
    this.#deadSince ||= now;
    const dead = now - this.#deadSince;
    this.#become(this.#firstMediaAt ? "reconnecting" : late ? "failed" : "connecting");
    if (this.#room(leg)) this.#succession.revive(leg, { current: this.#current, role: this.#role, begun: this.#firstMediaAt > 0, plain: this.#alone(leg) });
    const patience = leg.peer.state === "failed" ? 0 : TIMES.relayAfterRepair;
    const free = leg.name === "direct" || this.#terms.dueAt === Infinity;
    if (dead >= patience && free && this.#terms.mayAsk) this.#terms.ask("ice-failed");
    // On a relay that is dead the direct way may be there again.
    if (leg.name === "relay" && !direct && !this.#terms.first && dead > TIMES.relayDead) this.#probe.look();
  }

  /** Whether this leg's counterpart knows of no other in its place; the relay does. @param {Leg} leg */
  #alone(leg) {
    return this.#plain && leg.name === "direct";
  }

  /** Whether there is a counterpart for a new leg in this one's place: without a room at the relay there is none. @param {Leg} leg */
  #room(leg) {
    return leg.name === "direct" || this.#terms.started; // relay.js knows when to ask for one
  }

  /** @param {PathState} state */
  #become(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
    const { direct, relay } = this.#legs;
    const seen = direct ?? relay;
    if (state === "failed" && seen) this.emit("failed", seen.peer.diagnose(this.#terms.fared(relay?.peer.state)));
  }
}
