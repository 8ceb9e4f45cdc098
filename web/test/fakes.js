// fakes.js: stand-ins for what only a browser and a network have: a WebSocket whose other end the test plays, and an
// RTCPeerConnection that follows JSEP's state machine and moves no media. Time stands still until a test moves it.

const real = { setTimeout, clearTimeout, setInterval, clearInterval };
let clock = 1_000_000;
let timers = new Map();
let lastTimer = 0;

/** Starts fake time; the returned function ends it. */
export function fakeTime() {
  clock = 1_000_000;
  timers = new Map();
  const add = (every) => (fn, ms = 0) => {
    timers.set(++lastTimer, { at: clock + ms, fn, every: every ? ms : 0 });
    return lastTimer;
  };
  const remove = (id) => void timers.delete(id);
  Object.assign(globalThis, { setTimeout: add(false), clearTimeout: remove, setInterval: add(true), clearInterval: remove });
  return () => Object.assign(globalThis, real);
}

export const now = () => clock;

function tick(ms) {
  const end = clock + ms;
  for (;;) {
    const due = [...timers].filter(([, timer]) => timer.at <= end).sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
    if (!due) break;
    const [id, timer] = due;
    clock = Math.max(clock, timer.at);
    if (timer.every) timer.at += timer.every;
    else timers.delete(id);
    timer.fn();
  }
  clock = end;
}

/** Lets every promise that can go on do so. */
export const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Moves fake time on, in steps, with everything that follows from each. */
export async function advance(ms, step = 50) {
  await settle();
  for (let done = 0; done < ms; done += step) {
    tick(Math.min(step, ms - done));
    await settle();
  }
}

/** A WebSocket class whose instances the test finds in `sockets`, newest last. */
export function fakeNetwork() {
  const sockets = [];
  class FakeWebSocket {
    onopen = null;
    onmessage = null;
    onclose = null;
    sent = [];
    closedWith = null; // by the client: its code, or "" without one
    constructor(url) {
      this.url = url;
      sockets.push(this);
    }
    send(text) {
      if (this.closedWith !== null) throw new Error("closed");
      this.sent.push(JSON.parse(text));
    }
    close(code = "") {
      this.closedWith ??= code;
    }
    // What follows is the test's end.
    accept() {
      this.onopen?.({});
    }
    say(message) {
      this.onmessage?.({ data: JSON.stringify(message) });
    }
    drop(code = 1006) {
      this.onclose?.({ code, reason: "" });
    }
    types() {
      return this.sent.map((message) => message.type);
    }
    last(type) {
      return this.sent.findLast((message) => message.type === type);
    }
  }
  return { FakeWebSocket, sockets, newest: () => sockets.at(-1) };
}

export const welcome = (more = {}) => ({
  type: "welcome", id: "u_AAAAAAAAAAAAAAAAAAAAAA", username: "alice", session: "token-1", iceServers: [], relay: "fallback", relayAfterMs: 8_000,
  resumeGraceMs: 30_000, resumed: false, restored: false, ack: 0, call: null, features: ["resume", "call-state", "presence-delta"], ...more,
});

let serial = 0;

/** A track, as far as anybody looks at it. */
export const track = (kind) => ({ kind, id: `${kind}-${++serial}`, enabled: true, stop() {} });

/** Node has none. */
globalThis.MediaStream ??= /** @type {any} */ (class {
  #tracks = new Set();
  constructor(tracks = []) {
    for (const one of tracks) this.addTrack(one);
  }
  getTracks() {
    return [...this.#tracks];
  }
  getAudioTracks() {
    return this.getTracks().filter(({ kind }) => kind === "audio");
  }
  getVideoTracks() {
    return this.getTracks().filter(({ kind }) => kind === "video");
  }
  addTrack(one) {
    this.#tracks.add(one);
  }
  removeTrack(one) {
    this.#tracks.delete(one);
  }
});

/** An RTCPeerConnection class whose instances the test finds in `peers`, newest last. */
export function fakeWebRTC() {
  const peers = [];

  class FakePeerConnection {
    signalingState = "stable";
    connectionState = "new";
    iceConnectionState = "new";
    localDescription = null;
    remoteDescription = null;
    onnegotiationneeded = null;
    onicecandidate = null;
    ontrack = null;
    onconnectionstatechange = null;
    oniceconnectionstatechange = null;
    onicecandidateerror = null;
    closed = false;
    candidates = []; // taken
    lines = []; // what addTransceiver was given
    restarts = 0;
    #id = ++serial;
    #version = 0;
    #ufrag = 0;
    #wanted = false; // negotiation is needed
    #asked = false;
    #restart = false;
    #transceivers = [];
    #stable = { local: null, remote: null };
    report = new Map();

    constructor(config) {
      this.config = config;
      peers.push(this);
    }

    addTransceiver(trackOrKind, { direction, streams }) {
      this.lines.push(trackOrKind);
      const kind = typeof trackOrKind === "string" ? trackOrKind : trackOrKind.kind;
      const transceiver = this.#transceiver(kind, direction, typeof trackOrKind === "string" ? null : trackOrKind);
      transceiver.sender.streams = streams;
      this.#need();
      return transceiver;
    }

    #transceiver(kind, direction, first) {
      const sender = {
        track: first,
        streams: [],
        setStreams(...streams) {
          this.streams = streams;
        },
        encodings: [{ active: true }],
        refusals: 0, // of setParameters, as if the parameters had changed meanwhile
        async replaceTrack(next) {
          this.track = next;
        },
        getParameters() {
          return structuredClone({ encodings: this.encodings });
        },
        async setParameters({ encodings }) {
          if (this.refusals-- > 0) throw new DOMException("the parameters have changed", "InvalidModificationError");
          this.encodings = encodings;
        },
      };
      const transceiver = { kind, direction, currentDirection: null, sender, receiver: { track: track(kind) } };
      this.#transceivers.push(transceiver);
      return transceiver;
    }

    getTransceivers() {
      return [...this.#transceivers];
    }

    restartIce() {
      this.restarts++;
      this.#restart = true;
      this.#need();
    }

    setConfiguration(config) {
      this.config = config;
    }

    #need() {
      this.#wanted = true;
      if (this.#asked) return;
      this.#asked = true;
      queueMicrotask(() => {
        this.#asked = false;
        if (this.closed || !this.#wanted || this.signalingState !== "stable") return;
        this.#wanted = false;
        this.onnegotiationneeded?.({});
      });
    }

    #describe(type) {
      if (type === "offer" && (this.#restart || !this.#ufrag)) this.#ufrag = ++serial;
      if (type === "answer" && (!this.#ufrag || this.#remoteIsNew)) this.#ufrag = ++serial;
      const lines = this.#transceivers.map((t) => `m=${t.kind} 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 X/90000\r\na=rtcp-fb:96 transport-cc\r\na=ice-ufrag:u${this.#ufrag}\r\na=${t.direction}\r\n`);
      const sdp = `v=0\r\no=- ${this.#id} ${++this.#version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n${lines.join("")}`;
      return { type, sdp };
    }

    #remoteIsNew = false;

    async setLocalDescription() {
      if (this.closed) throw new Error("closed");
      await null;
      if (this.signalingState === "have-remote-offer") {
        this.localDescription = this.#describe("answer");
        this.#restart = false;
        this.#enter("stable");
      } else if (this.signalingState === "stable") {
        this.localDescription = this.#describe("offer");
        this.#restart = false;
        this.signalingState = "have-local-offer";
      } else throw new Error(`setLocalDescription in ${this.signalingState}`);
    }

    async setRemoteDescription(description) {
      if (this.closed) throw new Error("closed");
      await null;
      if (description.type === "offer") {
        if (this.signalingState === "have-local-offer") {
          this.localDescription = this.#stable.local; // rollback
          this.#restart = true;
        }
        this.#remoteIsNew = ufragOf(this.remoteDescription) !== ufragOf(description);
        this.remoteDescription = description;
        for (const kind of [...description.sdp.matchAll(/^m=(\w+)/gm)].map((match) => match[1])) {
          let transceiver = this.#transceivers.find((t) => t.kind === kind);
          transceiver ??= this.#transceiver(kind, "recvonly", null);
          this.ontrack?.({ track: transceiver.receiver.track });
        }
        this.signalingState = "have-remote-offer";
        return;
      }
      if (this.signalingState !== "have-local-offer") throw new Error(`answer in ${this.signalingState}`);
      const first = !this.remoteDescription;
      this.remoteDescription = description;
      if (first) for (const t of this.#transceivers) this.ontrack?.({ track: t.receiver.track });
      this.#enter("stable");
    }

    #enter(state) {
      this.signalingState = state;
      for (const t of this.#transceivers) {
        const section = this.remoteDescription.sdp.split(/^(?=m=)/m).find((text) => text.startsWith(`m=${t.kind} `)) ?? "";
        const theirs = /^a=(sendrecv|sendonly|recvonly|inactive)/m.exec(section)?.[1] ?? "sendrecv";
        const sends = /send/.test(t.direction) && /recv/.test(theirs);
        const receives = /recv/.test(t.direction) && /send/.test(theirs);
        t.currentDirection = sends ? (receives ? "sendrecv" : "sendonly") : receives ? "recvonly" : "inactive";
      }
      this.#stable = { local: this.localDescription, remote: this.remoteDescription };
      if (this.#wanted) this.#need();
    }

    async addIceCandidate(candidate) {
      if (!this.remoteDescription) throw new Error("no remote description");
      if (candidate.usernameFragment && ufragOf(this.remoteDescription) !== candidate.usernameFragment) throw new Error("unknown ufrag");
      this.candidates.push(candidate.candidate);
    }

    /** What is sent goes on whatever the network does; what comes back is in `flow`. */
    async getStats() {
      const report = new Map(this.report);
      for (const { kind, sender, currentDirection } of this.#transceivers) {
        if (this.connectionState === "connected" && sender.track && /send/.test(currentDirection ?? "")) this.#out[kind] += 5;
        report.set(`O${kind}`, { type: "outbound-rtp", kind, packetsSent: this.#out[kind], bytesSent: 100 * this.#out[kind] });
      }
      return report;
    }

    #out = { audio: 0, video: 0 };

    close() {
      this.closed = true;
      this.connectionState = "closed";
    }

    // What follows is the test's end: what a network would do.
    gather(text = "candidate:1 1 udp 1 192.0.2.1 5000 typ host") {
      const init = { candidate: text, sdpMid: "0", sdpMLineIndex: 0, usernameFragment: `u${this.#ufrag}` };
      this.onicecandidate?.({ candidate: { ...init, type: / typ (\w+)/.exec(text)?.[1], toJSON: () => init } });
    }

    become(state, ice = state) {
      this.connectionState = state;
      this.iceConnectionState = ice;
      this.onconnectionstatechange?.({});
    }

    /** So many packets and frames more have come, by this kind of candidates, and word of what became of ours. */
    flow({ audio = 5, video = 5, frames = video ? 1 : 0, local = "host", remote = "host", checks = 1, estimate = 0, feedback = true, firefox = false } = {}) {
      const was = (id, key) => this.report.get(id)?.[key] ?? 0;
      this.report = new Map([
        ["T", { type: "transport", selectedCandidatePairId: "P" }],
        ["P", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", responsesReceived: was("P", "responsesReceived") + checks, ...(firefox ? {} : { requestsReceived: 0 }), bytesReceived: was("P", "bytesReceived") + (feedback || audio || video ? 100 : 0), currentRoundTripTime: 0.02, availableOutgoingBitrate: 1_000 * estimate }],
        ["L", { type: "local-candidate", candidateType: local, protocol: "udp", address: "192.0.2.1", port: 1 }],
        ["R", { type: "remote-candidate", candidateType: remote, protocol: "udp", address: "192.0.2.2", port: 2 }],
        ["A", { type: "inbound-rtp", kind: "audio", packetsReceived: was("A", "packetsReceived") + audio, packetsLost: 0, bytesReceived: 0 }],
        ["V", { type: "inbound-rtp", kind: "video", packetsReceived: was("V", "packetsReceived") + video, framesDecoded: was("V", "framesDecoded") + frames, bytesReceived: 0 }],
      ]);
    }
  }
  return { FakePeerConnection, peers, newest: () => peers.at(-1) };
}

function ufragOf(description) {
  return /^a=ice-ufrag:(\S+)/m.exec(description?.sdp ?? "")?.[1];
}
