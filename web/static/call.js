// call.js: one call of a user who is here: its phases, what each side sends, and the messages that belong to it.

import { Emitter } from "./emitter.js";
import { DuetError } from "./errors.js";
import { Paths } from "./paths.js";
import { Player } from "./play.js";
import { Quality } from "./quality.js";

/** @import { Duet } from "./duet.js" */
/** @import { Media } from "./own.js" */
/** @import { PathInfo, PathState } from "./paths.js" */
/** @import { Tracks } from "./peer.js" */
/** @import { Sample, Warning } from "./quality.js" */
/** @import { ClientMessage, MediaState, PathName, Role, ServerMessage, Welcome } from "./protocol.js" */

/**
 * How far a call has come. The caller's goes from `calling` (asked for) by `ringing` (the other side's page rings), the
 * callee's from `incoming` (ours rings), both to `accepted` (media is on its way) and `ended` (`reason` says why). Each may
 * end from every phase, `ringing` may be left out, and nothing comes after `ended`. Where both call at once, `calling` and
 * `ringing` go to `accepted` by themselves, and one caller becomes the callee.
 * @typedef {"calling" | "ringing" | "incoming" | "accepted" | "ended"} Phase
 */

/**
 * What to send, from the moment of dialling or accepting; what is left out stays as it was.
 * @typedef {{audio?: boolean, video?: boolean}} Wishes
 */

/**
 * What Duet alone does with a call.
 * @typedef {{receive: (message: ServerMessage) => void, crossed: (callId: string) => void, end: (reason: string) => void,
 *   setIceServers: (iceServers: RTCIceServer[]) => void, takeOver: (welcome: Welcome) => void, resumed: (welcome: Welcome) => void}} Inside
 */

/** Which path it may take, for support; the second half is there for tests. */
/** @typedef {{force?: PathName | null, transport?: string | null, RTCPeerConnection?: typeof RTCPeerConnection, now?: () => number}} CallOptions */

/** @typedef {(message: ClientMessage, how?: {lossy?: boolean}) => void} Say */

/**
 * A call, made by Duet: dial() returns one, and the event `call` brings those of others. Its fields are to be read.
 *
 * Events: `phase`; `path`: how media travels; `media`: what the other side sends; `tracks`: to be seen and heard;
 * `state`: how the media is doing; `notice`: something a user may want to know, by code; `sample`: how it
 * goes, each second; `warning`: it goes badly, or no more.
 * @extends {Emitter<{phase: Phase, path: PathInfo, media: MediaState, tracks: Tracks, state: PathState, notice: string, sample: Sample, warning: Warning}>}
 */
export class Call extends Emitter {
  /** @type {Phase} */
  phase;
  /** Why it ended: one of CODES. */
  reason = "";
  /** The word that the other side declined with, if it had one. */
  note = "";
  /** The server's name for it; "" until it rings. */
  callId = "";
  /** What the other side sends. @type {MediaState} */
  theirs = { audio: true, video: true, screen: false };
  /** What is to be seen and heard now. @type {Tracks} */
  tracks = { audio: null, video: null };
  /** When it was accepted, in milliseconds by the wall clock, which goes on while a phone sleeps. */
  acceptedAt = 0;
  /** The other side's picture stands still, on a connection that is up. */
  still = false;
  /** Somebody else here has a name that this one can be taken for. */
  lookalike = false;
  /** This page took the call over from one that is gone: the other side still has a connection to that one. */
  #again = false;
  #duet;
  #media;
  #say;
  #begin;
  #paths;
  #quality = new Quality();
  /** @type {(() => void)[]} */
  #undo = [];
  /** @type {MediaState} what the server knows of us */
  #told = { audio: true, video: true, screen: false };

  /**
   * @param {{duet: Duet, media: Media, role: Role, peer: string, peerId: string, callId?: string,
   *   welcome: Welcome, renew: () => Promise<void>, say: Say, begin: () => void, inside: (inside: Inside) => void, options: CallOptions}} init
   *   begin: media is about to be needed
   */
  constructor({ duet, media, role, peer, peerId, callId = "", welcome, renew, say, begin, inside, options }) {
    super();
    inside({
      receive: (message) => this.#receive(message), crossed: (id) => this.#crossed(id), end: (reason) => this.#end(reason),
      setIceServers: (servers) => this.#paths.setIceServers(servers), takeOver: (known) => this.#takeOver(known), resumed: (known) => this.#resumed(known),
    });
    this.#say = say;
    this.#begin = begin;
    this.#duet = duet;
    this.#media = media;
    /** Which side we are; who called first, where both did. */
    this.role = role;
    /** The other side's name. */
    this.peer = peer;
    /** And id. */
    this.peerId = peerId;
    this.callId = callId;
    this.phase = role === "caller" ? "calling" : "incoming";
    this.#paths = new Paths({
      role, iceServers: welcome.iceServers ?? [], relay: welcome.relay ?? "off", relayAfterMs: welcome.relayAfterMs,
      tracks: media.tracks, renew, ...options,
      send: (message, how) => this.#send(message, how),
    });
    this.#undo.push(
      media.on("track", ({ kind, track }) => this.#paths.setTrack(kind, track)),
      media.on("change", () => this.#tell()),
      media.on("change", () => this.#paths.setOurs(media.state)),
      this.#paths.on("tracks", (tracks) => this.emit("tracks", (this.tracks = tracks))),
      this.#paths.on("path", (path) => this.emit("path", path)),
      this.#paths.on("state", (state) => this.emit("state", state)),
      this.#paths.on("look", (seen) => this.#quality.look({ ...seen, theirs: this.theirs }, Date.now())),
      this.#quality.on("sample", (sample) => this.emit("sample", sample)),
      this.#paths.on("still", (still) => {
        this.still = still;
        this.emit("state", this.state);
      }),
      this.#paths.on("failed", (diagnosis) => this.#duet.has("verdict") && this.#send({ type: "diagnosis", ...diagnosis })),
    );
    this.#quality.on("warning", (warning) => this.emit("warning", warning));
    this.#paths.setOurs(media.state);
  }

  /** What goes badly now. */
  get warnings() {
    return [...this.#quality.active];
  }

  /** How media travels; null before it does. */
  get path() {
    return this.#paths.info;
  }

  /** How the media is doing. */
  get state() {
    return this.#paths.state;
  }

  /** Takes a call that comes in. @param {Wishes} [wishes] such as {video: false}, to answer with sound only */
  accept(wishes = {}) {
    if (this.phase !== "incoming") return;
    this.#wish(wishes);
    this.#begin();
    this.#say({ type: "callResponse", accepted: true, callId: this.callId });
    this.#accepted("callee");
  }

  /** Does not take it. @param {string} [note] a word for the caller, such as "in-10-minutes" */
  decline(note) {
    if (this.phase !== "incoming") return;
    this.#say({ type: "callResponse", accepted: false, callId: this.callId, ...(note && { note }) });
    this.#end("hangup-self");
  }

  /** Ends it, in whichever phase it is. */
  hangUp() {
    if (this.phase === "ended") return;
    this.#send({ type: "endCall" });
    this.#end("hangup-self");
  }

  /** Whether we are heard. @param {boolean} on */
  setAudio(on) {
    return this.#media.setAudio(on);
  }

  /** Whether we are seen. @param {boolean} on */
  setVideo(on) {
    return this.#media.setVideo(on);
  }

  /** Shows the screen in place of the camera, or no longer. Rejects with a DuetError, screen-refused. @param {boolean} on */
  async shareScreen(on) {
    await this.#media.setScreen(on);
    if (on && !this.#media.state.screen) throw new DuetError("screen-refused");
  }

  /**
   * Takes another device, without a new negotiation. Rejects with a DuetError, no-devices, where a stream of the caller's is sent.
   * @param {import("./own.js").DeviceName} name
   * @param {string} id a deviceId of enumerateDevices; "" leaves it to the browser
   */
  async switchDevice(name, id) {
    if (!this.#media.choose) throw new DuetError("no-devices");
    await this.#media.choose(name, id);
  }

  /** Plays the other side in an element, until the returned function is called or the call ends. @param {HTMLMediaElement} element */
  attach(element) {
    const player = new Player(element, () => this.emit("notice", "play-refused"));
    player.show(this.tracks);
    const undo = this.on("tracks", (tracks) => player.show(tracks));
    const ended = this.on("phase", (phase) => phase === "ended" && stop());
    const stop = () => {
      undo();
      ended();
      player.stop();
    };
    return stop;
  }

  /** Asks for the server's relay, or for the direct way back. @param {boolean} on */
  useRelay(on) {
    if (on) this.#paths.useRelay();
    else this.#paths.useDirect();
  }

  /** For programs that know more of the network than the browser does: looks for a way anew. */
  networkChanged() {
    this.#paths.networkChanged();
  }

  /** @param {Wishes} wishes */
  #wish({ audio, video }) {
    if (audio !== undefined) void this.#media.setAudio(audio);
    if (video !== undefined) void this.#media.setVideo(video);
  }

  /** Goes on with the call of a page that is gone. @param {Welcome} welcome */
  #takeOver(welcome) {
    this.#again = true;
    if (welcome.call?.phase === "ringing" && this.role === "caller") this.#become("ringing");
    this.#resumed({ ...welcome, resumed: true });
  }

  /** Back after a lost connection. @param {Welcome} welcome */
  #resumed(welcome) {
    const known = welcome.call;
    if (!welcome.resumed || (known && this.callId && known.callId !== this.callId)) return this.#end("lost");
    // Our `call` may be on its way still, or the end of the call among the replayed messages.
    if (!known) return void (welcome.restored && this.callId && this.#end("lost"));
    if (known.media?.self) this.#told = { ...known.media.self };
    if (known.media?.peer) this.#heard(known.media.peer);
    // What was said last may have died with the server: that they accepted, or that we did.
    const rings = known.phase === "ringing";
    if (rings && this.phase === "accepted" && this.role === "callee") {
      this.#say({ type: "callResponse", accepted: true, callId: this.callId });
    } else if (!rings && this.phase !== "accepted") this.#accepted(known.role, Boolean(known.relay));
    if (!welcome.restored) return this.#tell();
    this.#send({ type: "mediaStateChange", ...this.#media.state });
    this.#told = this.#media.state;
    this.#paths.restored();
  }

  /** Takes a message that belongs to this call. @param {ServerMessage} message */
  #receive(message) {
    switch (message.type) {
      case "ringing":
        this.callId = message.callId;
        if (this.phase === "calling") this.#become("ringing");
        return;
      case "callAnswered":
        if (message.callId) this.callId = message.callId;
        if (message.accepted) this.#accepted("caller");
        else {
          this.note = message.note ?? "";
          this.#end(message.reason ?? "declined");
        }
        return;
      case "callStarted":
        this.callId = message.callId;
        this.peerId = message.peerId;
        this.#heard(message.media.peer);
        this.#told = { ...message.media.self };
        this.#accepted(message.role);
        return;
      case "mediaStateChange":
        return this.#heard(message);
      case "callEnded":
        return this.#end(message.reason ?? "hangup");
      case "relayFailed":
        if (this.#paths.state !== "connected") this.emit("notice", "relay-unavailable");
        return this.#paths.receive(message);
      case "verdict":
        return this.emit("notice", `${message.code}_${message.where}`);
      default:
        return this.#paths.receive(message);
    }
  }

  /** Their call met ours half-way: it is theirs, and accepted. @param {string} callId */
  #crossed(callId) {
    this.callId = callId;
    this.#accepted("callee");
  }

  /** Over, without a word to the server. @param {string} reason */
  #end(reason) {
    if (this.phase === "ended") return;
    this.reason = reason;
    for (const undo of this.#undo.splice(0)) undo();
    this.#paths.close();
    this.#quality.close();
    this.#become("ended");
  }

  /** @param {Role} role @param {boolean} [relayed] by now */
  #accepted(role, relayed = false) {
    if (this.phase === "accepted" || this.phase === "ended") {
      this.#tell();
      return;
    }
    this.role = role;
    this.acceptedAt = Date.now();
    this.#become("accepted");
    this.#tell();
    this.#paths.begin(role, { again: this.#again, relayed });
  }

  /** @param {Partial<MediaState>} media */
  #heard({ audio = this.theirs.audio, video = this.theirs.video, screen = this.theirs.screen, audioCause, videoCause }) {
    this.theirs = { audio, video, screen, ...(!audio && audioCause && { audioCause }), ...(!video && videoCause && { videoCause }) };
    this.#paths.setTheirs(this.theirs);
    this.emit("media", this.theirs);
  }

  /** Tells the server what has changed at our end since it last heard. */
  #tell() {
    if (this.phase === "ended" || (this.phase === "calling" && !this.callId)) return;
    const { state } = this.#media;
    /** @type {Partial<MediaState>} */
    const change = {};
    for (const kind of /** @type {const} */ (["audio", "video", "screen"])) {
      const cause = kind === "screen" ? null : /** @type {const} */ (`${kind}Cause`);
      if (state[kind] === this.#told[kind] && (!cause || state[cause] === this.#told[cause])) continue;
      change[kind] = state[kind];
      if (cause && state[cause]) change[cause] = state[cause];
    }
    if (!Object.keys(change).length) return;
    this.#told = state;
    this.#send({ type: "mediaStateChange", ...change });
  }

  /** @param {ClientMessage} message @param {{lossy?: boolean}} [how] */
  #send(message, how) {
    const id = this.callId ? { callId: this.callId } : {};
    this.#say(/** @type {ClientMessage} */ ({ ...message, ...id }), how);
  }

  /** @param {Phase} phase */
  #become(phase) {
    this.phase = phase;
    this.emit("phase", phase);
  }
}
