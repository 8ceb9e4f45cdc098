// paths.js: which path a call uses, and how it moves from one to the next.
//
// A call has up to two legs: one towards the other person (ICE finds the direct way or TURN) and one towards the
// server's relay. One of them is current: its tracks are seen and heard. Every move is make before break: the next leg
// is built beside the current one, becomes current when it carries media, and only then is the other closed. Paths is
// the one owner of media recovery: dead paths, ICE's complaints and network changes all end in recovery.repair.

import { Emitter } from "./emitter.js";
import { Legs } from "./legs.js";
import { RELAY } from "./protocol.js";
import { Recovery } from "./recovery.js";
import { RelayTerms } from "./relay.js";
import { Reporter } from "./report.js";
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
 * Events: `tracks`: what is to be seen and heard now; `path`; `state`; `failed`: no way was found, and what was seen.
 * @extends {Emitter<{tracks: Tracks, path: PathInfo, state: PathState, failed: import("./diagnosis.js").Diagnosis}>}
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
  #reporter;
  /** @type {MediaState} */
  #theirs = { audio: true, video: true, screen: false };

  /** @type {Leg | null} */
  #current = null;
  /** @type {PathState} */
  #state = "idle";
  /** @type {PathInfo | null} */
  #info = null;

  #begun = 0; // when the call was accepted
  #firstMediaAt = 0;
  #deadSince = 0;
  #leavingSince = 0; // relayStop was heard
  #probed = false; // a better way was looked for
  #probeAt = Infinity; // when to try the direct way again
  #ticking = false;
  #closed = false;

  /**
   * @param {{role: import("./protocol.js").Role, iceServers: RTCIceServer[], relay: "off" | "fallback" | "prefer" | "always",
   *   relayAfterMs?: number, force?: PathName | null, transport?: string | null, tracks: Tracks,
   *   send: (message: ClientMessage, options?: {lossy?: boolean}) => void, renew: () => Promise<void>,
   *   RTCPeerConnection?: typeof RTCPeerConnection, now?: () => number}} options
   *   renew: makes sure of the signaling connection; force, transport: see iceConfig
   */
  constructor({ role, iceServers, relay, relayAfterMs = 8_000, force = null, transport = null, tracks, send, renew,
    RTCPeerConnection: ctor = globalThis.RTCPeerConnection, now = () => performance.now() }) {
    super();
    this.#role = role;
    this.#terms = new RelayTerms({ mode: relay, force, send, now });
    this.#relayAfterMs = relayAfterMs;
    this.#force = force;
    this.#send = send;
    this.#now = now;
    this.#recovery = new Recovery({ renew, now });
    this.#reporter = new Reporter(send);
    const known = () => this.#current?.known(this.#pictures, now()) ?? 0;
    this.#legs = new Legs({ iceServers, tracks, force, transport, turn: () => this.#terms.turn, known, send, RTCPeerConnection: ctor, now });
    this.#legs.on("track", (leg) => this.#arrived(leg));
    this.#legs.on("state", () => this.#decide());
    this.#legs.on("collision", (leg) => leg === this.#legs.direct && this.#anew("direct"));
  }

  get state() {
    return this.#state;
  }

  get info() {
    return this.#info;
  }

  /** The current leg takes a way to which ICE may know a better one: TURN, or TCP to the relay. */
  get #detour() {
    const leg = this.#current;
    if (leg?.name === "relay") return leg.flow.last.protocol !== "udp" && leg.flow.last.way !== null;
    return leg?.path === "turn" && this.#force !== "turn";
  }

  get #pictures() {
    return this.#theirs.video || this.#theirs.screen;
  }

  get #expecting() {
    return this.#theirs.audio || this.#pictures;
  }

  /** While it rings: gathers what can be gathered, and tells nobody. */
  prepare() {
    const legs = this.#legs;
    if (this.#terms.first) legs.relay ??= legs.make("relay", { offer: true, polite: false, hold: true });
    else legs.direct ??= this.#makeDirect(this.#role === "caller");
  }

  /** The call was accepted. @param {import("./protocol.js").Role} role as the server says */
  begin(role) {
    if (this.#begun || this.#closed) return;
    if (role !== this.#role) {
      this.#role = role; // both had called
      if (this.#legs.direct) this.#legs.retire(this.#legs.direct, { seen: false });
    }
    this.#begun = this.#now();
    this.#become("connecting");
    this.prepare();
    if (this.#terms.first) {
      if (this.#force === "relay") this.#terms.ask("user");
      else this.#legs.later(TIMES.relayStart, () => this.#legs.relay?.peer.fresh && !this.#current && this.#goDirect());
    } else {
      this.#legs.direct?.peer.release();
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
    const was = this.#expecting;
    this.#theirs = { ...media };
    // Silence until now was rightful; it counts from here.
    if (!was && this.#expecting) for (const { flow } of this.#legs) if (flow.packetAt) flow.packetAt = this.#now();
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
        return void this.#from(message.sender)?.peer.receive({ description: message.answer });
      case "iceCandidate":
        return void this.#from(message.sender)?.peer.receive({ candidate: message.candidate });
      case "relayStart":
        return this.#startRelay(message.reason);
      case "relayReady":
        return this.#terms.ready();
      case "relayStop":
        return this.#stopRelay();
      case "relayFailed":
        return this.#relayLost(message.code);
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
    if (this.#current?.name === "relay") this.#probe();
  }

  /** Restarts ICE on everything, on demand. */
  restart() {
    for (const leg of this.#legs) void this.#recovery.repair(leg, { force: true });
  }

  /** The browser says that the network is another. */
  networkChanged() {
    if (!this.#begun) return;
    this.restart();
    this.#probeAt = Math.min(this.#probeAt, this.#now() + TIMES.probeAfterChange);
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
    if (direct && (direct.peer.offering || !direct.carries(this.#pictures, this.#now()))) direct.peer.restart();
  }

  close() {
    this.#closed = true;
    this.#legs.close();
    this.#current = null;
  }

  /** @param {string} sender */
  #from(sender) {
    return sender === RELAY ? this.#legs.relay : this.#legs.direct;
  }

  /** @param {boolean} offer we make the first offer */
  #makeDirect(offer) {
    return this.#legs.make("direct", { offer, polite: this.#role === "callee", hold: !this.#begun });
  }

  /** @param {Leg} leg */
  #retire(leg) {
    this.#legs.retire(leg, {
      seen: this.#current === leg,
      inUse: () => this.#current === leg, // a replacement that has not come yet is no reason to go dark
      gone: () => (this.#current = this.#current === leg ? null : this.#current),
    });
  }

  /** @param {Leg} leg */
  #arrived(leg) {
    if (this.#current === leg) this.emit("tracks", { ...leg.tracks });
    else if (!this.#current) this.#use(leg);
  }

  /** @param {RTCSessionDescriptionInit} offer */
  #offered(offer) {
    if (this.#force === "relay" || this.#legs.isLeft(offer)) return; // they will follow to the relay, or the new connection
    const leg = this.#legs.direct;
    const anew = !leg || leg.peer.isStranger(offer) || (leg.ours && leg.peer.fresh && this.#role === "callee");
    if (anew) {
      if (leg) this.#retire(leg);
      this.#legs.direct = this.#makeDirect(false);
    }
    this.#legs.direct?.peer.release();
    void this.#legs.direct?.peer.receive({ description: offer });
  }

  /** Begins with the direct way again. */
  #goDirect() {
    if (this.#legs.direct) this.#retire(this.#legs.direct);
    this.#legs.direct = this.#makeDirect(true);
  }

  /** Looks for a better way: beside the relay by a new connection, from TURN or TCP by a restart of this one. */
  #probe() {
    this.#probeAt = Infinity;
    this.#probed = true;
    if (this.#current && this.#detour) void this.#recovery.repair(this.#current, { force: true });
    const { direct, relay } = this.#legs;
    if (!relay || this.#terms.first || (direct && direct.peer.state !== "failed")) return;
    this.#goDirect();
  }

  /** Puts a new connection in the place of one that restarts do not help. @param {"direct" | "relay"} name */
  #anew(name) {
    const old = this.#legs[name];
    if (name === "direct") this.#goDirect();
    else {
      if (old) this.#retire(old);
      this.#startRelay();
    }
    const leg = this.#legs[name];
    if (!leg) return;
    leg.repairs = (old?.repairs ?? 0) + (old === this.#current ? 0 : 1);
    leg.repairedAt = leg.bornAt;
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
    this.#leavingSince ||= this.#now();
    if (direct && direct.peer.state !== "failed") this.#decide();
    else if (this.#role === "caller") this.#goDirect();
  }

  /** @param {string} code */
  #relayLost(code) {
    this.#terms.lost(code);
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
    if (this.#current === leg) return;
    this.#current = leg;
    this.#deadSince = 0;
    this.emit("tracks", { ...leg.tracks });
    this.#name();
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
      if (this.#current && this.#info && this.#firstMediaAt) {
        this.#reporter.tell(this.#info, this.#current.flow, Math.round(this.#firstMediaAt - this.#begun), now);
      }
      this.#schedule();
    });
  }

  /** Looks at everything and does what is due. */
  #decide() {
    if (this.#closed || !this.#begun) return;
    const now = this.#now();
    this.#name();
    this.#choose(now);
    this.#watch(now);
    this.#succeed(now);
    if (now >= this.#terms.dueAt) this.#terms.ask(this.#firstMediaAt ? "ice-failed" : "ice-timeout");
    if (this.#terms.overdue) this.#allowTurn();
    if (now >= this.#probeAt) this.#probe();
    this.#endProbe(now);
  }

  /** Moves to another leg when one is due. @param {number} now */
  #choose(now) {
    const { direct, relay } = this.#legs;
    if (!this.#current) {
      const next = [direct, relay].find((leg) => leg && (leg.tracks.audio || leg.tracks.video));
      if (next) this.#use(next);
    }
    const ready = direct?.peer.state === "connected" && direct.carries(this.#pictures, now) ? direct : null;
    const steady = ready ? now - ready.flow.steadySince : 0;
    if (!relay) {
      if (ready) this.#use(ready);
    } else if (this.#leavingSince) {
      const late = direct && now - this.#leavingSince > TIMES.ready && !relay.flow.steadySince;
      if (ready || late) this.#leaveRelay();
    } else if (this.#current === relay) {
      if (ready?.ours && steady > TIMES.stable) this.#goBack();
    } else if (this.#terms.readyAt) {
      // A direct path that came back meanwhile makes the relay unnecessary, if it lasts.
      const stay = ready && !this.#terms.wanted && !this.#terms.first;
      if (stay && this.#terms.asked && steady > TIMES.healed) this.#goBack();
      else if (stay && (this.#terms.asked || now - this.#terms.readyAt < TIMES.hold)) return;
      else if (relay.carries(this.#pictures, now) || now - this.#terms.readyAt > TIMES.ready) this.#toRelay(relay);
    }
  }

  /** @param {Leg} relay */
  #toRelay(relay) {
    const { direct } = this.#legs;
    this.#use(relay);
    if (direct) this.#legs.retire(direct, { seen: true });
    // A way that had worked until now may well come back soon.
    if (this.#role === "caller") this.#probeLater(direct?.flow.firstAt ? TIMES.probeAfterChange : TIMES.probeEvery);
  }

  /** The direct way carries: tell, and leave the relay. */
  #goBack() {
    this.#send({ type: "relayStop" });
    this.#leaveRelay();
  }

  #leaveRelay() {
    const { direct, relay } = this.#legs;
    this.#terms.reset();
    this.#leavingSince = 0;
    this.#probeAt = Infinity;
    if (direct) this.#use(direct);
    if (relay) this.#legs.retire(relay, { seen: true });
  }

  /** @param {number} [ms] */
  #probeLater(ms = TIMES.probeEvery) {
    if (this.#detour || (!this.#terms.wanted && !this.#terms.first)) this.#probeAt = Math.min(this.#probeAt, this.#now() + ms);
  }

  /** A direct attempt beside the relay does not last for ever. @param {number} now */
  #endProbe(now) {
    const { direct } = this.#legs;
    if (!direct || this.#current?.name !== "relay" || this.#leavingSince) return;
    const age = now - direct.bornAt;
    if (age < TIMES.probeLife && direct.peer.state !== "failed") return;
    this.#legs.retire(direct, { seen: false });
    if (this.#role === "caller") this.#probeLater();
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
    const late = !this.#firstMediaAt && now - this.#begun > TIMES.giveUp;
    switch (this.#recovery.judge(leg, { expecting: this.#expecting, pictures: this.#pictures }, now)) {
      case "carries":
        this.#deadSince = 0;
        if (leg === direct) this.#terms.dueAt = Infinity;
        // ICE goes with the first pair that works and then stops gathering: the best may just have come too late.
        if (this.#detour && (leg === relay || this.#role === "caller")) this.#probeLater(this.#probed ? TIMES.probeEvery : TIMES.probeAfterChange);
        this.#firstMediaAt ||= leg.flow.frameAt || leg.flow.firstAt;
        return this.#become("connected");
      case "waits":
        return late ? this.#become("failed") : undefined;
    }
    this.#deadSince ||= now;
    const dead = now - this.#deadSince;
    this.#become(this.#firstMediaAt ? "reconnecting" : late ? "failed" : "connecting");
    this.#revive(leg, now);
    const patience = leg.peer.state === "failed" ? 0 : TIMES.relayAfterRepair;
    const free = leg.name === "direct" || this.#terms.dueAt === Infinity;
    if (dead >= patience && free && this.#terms.mayAsk) this.#terms.ask("ice-failed");
    // On a relay that is dead the direct way may be there again.
    if (leg.name === "relay" && !direct && !this.#terms.first && dead > TIMES.relayDead) this.#probe();
  }

  /** What is done for a dead leg: a restart, then a new connection in its place, then that one again. @param {Leg} leg @param {number} now */
  #revive(leg, now) {
    const successor = this.#legs[leg.name];
    if (leg.name === "relay" && !this.#terms.started) return; // there is no room; relay.js knows when to ask for one
    if (!successor) return this.#anew(leg.name);
    if (successor !== leg) return; // #succeed looks after it
    void this.#recovery.repair(leg);
    const since = now - leg.restartedAt;
    const wait = this.#role === "caller" ? TIMES.anew : TIMES.anewLater;
    if (this.#firstMediaAt && since > wait && since < this.#recovery.patience(leg)) this.#anew(leg.name);
  }

  /** A successor that does not come up is itself succeeded. @param {number} now */
  #succeed(now) {
    const leg = this.#current;
    const successor = leg && this.#legs[leg.name];
    if (leg?.name === "relay" && !this.#terms.started) return;
    if (!successor || successor === leg || successor.peer.state === "connected") return;
    const wait = this.#recovery.patience(successor) * (this.#role === "caller" ? 1 : 1.5);
    if (now - successor.bornAt > wait) this.#anew(leg.name);
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

  /** Says by which path media travels, when that has changed. */
  #name() {
    const path = this.#current?.path;
    if (!this.#current || !path) return;
    const { candidateType, protocol } = this.#current.flow.last;
    const was = this.#info;
    if (was && was.path === path && was.candidateType === candidateType && was.protocol === protocol) return;
    this.#info = { path, candidateType, protocol };
    this.emit("path", this.#info);
  }
}
