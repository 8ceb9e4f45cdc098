// stats.js: what getStats says about one connection, in the few numbers that decisions need. Nothing here acts.

/** @typedef {import("./protocol.js").PathName} PathName */

/**
 * @typedef {object} Reading
 * @property {"direct" | "turn" | null} way through a TURN server at either end, or not; null: no pair selected yet
 * @property {string} candidateType of our end
 * @property {string} protocol between us and the next hop: udp, tcp or tls
 * @property {number} packets received, audio and video
 * @property {number} audioPackets received
 * @property {number} lost packets
 * @property {number} bytes received
 * @property {number} bytesSent
 * @property {number} frames decoded
 * @property {number} checks answers to our ICE checks, and checks received
 * @property {boolean} checksTold whether the browser tells of each check: Firefox tells of few
 * @property {number} arrived bytes that came on the pair, also such as tell only what became of ours
 * @property {{audio: number, video: number}} sent packets
 * @property {number} estimate kbit/s that we may send, as the browser thinks; 0: it does not say
 * @property {number} rttMs
 * @property {number} jitterMs
 */

/** @returns {Reading} */
export function emptyReading() {
  return {
    way: null, candidateType: "", protocol: "", packets: 0, audioPackets: 0, lost: 0, bytes: 0, bytesSent: 0, frames: 0,
    checks: 0, checksTold: true, arrived: 0, sent: { audio: 0, video: 0 }, estimate: 0, rttMs: 0, jitterMs: 0,
  };
}

/**
 * @param {{forEach(fn: (stat: any) => void): void, get(id: string): any}} report an RTCStatsReport
 * @param {Set<string>} relayed the counterpart's TURN addresses, "ip port": at our end such a candidate may show as
 *   peer-reflexive, because the packet came before the signal
 * @returns {Reading}
 */
export function read(report, relayed) {
  const reading = emptyReading();
  /** @type {any} */
  let pair = null;
  report.forEach((stat) => {
    switch (stat.type) {
      case "transport":
        pair ??= report.get(stat.selectedCandidatePairId) ?? null;
        break;
      case "candidate-pair":
        if (stat.selected) pair = stat; // Firefox
        break;
      case "inbound-rtp":
        reading.packets += stat.packetsReceived ?? 0;
        reading.lost += stat.packetsLost ?? 0;
        reading.bytes += stat.bytesReceived ?? 0;
        if (stat.kind === "audio") reading.audioPackets += stat.packetsReceived ?? 0;
        if (stat.kind === "video") reading.frames += stat.framesDecoded ?? 0;
        reading.jitterMs = Math.max(reading.jitterMs, (stat.jitter ?? 0) * 1_000);
        break;
      case "outbound-rtp":
        reading.bytesSent += stat.bytesSent ?? 0;
        reading.sent[stat.kind === "video" ? "video" : "audio"] += stat.packetsSent ?? 0;
        break;
    }
  });
  if (!pair) return reading;
  const local = report.get(pair.localCandidateId);
  const remote = report.get(pair.remoteCandidateId);
  reading.checks = (pair.responsesReceived ?? 0) + (pair.requestsReceived ?? 0);
  reading.checksTold = pair.requestsReceived !== undefined;
  reading.arrived = pair.bytesReceived ?? 0;
  reading.estimate = (pair.availableOutgoingBitrate ?? 0) / 1_000;
  reading.rttMs = (pair.currentRoundTripTime ?? 0) * 1_000;
  if (!local) return reading;
  reading.candidateType = local.candidateType ?? "";
  reading.protocol = local.relayProtocol || local.protocol || "";
  const there = remote && (remote.candidateType === "relay" || relayed.has(`${remote.address ?? remote.ip} ${remote.port}`));
  reading.way = local.candidateType === "relay" || there ? "turn" : "direct";
  return reading;
}

/** Flow watches one connection's readings: does media come, and since when does it not? Times in milliseconds. */
export class Flow {
  /** @type {Reading} */
  last = emptyReading();
  /** When media first came; 0: never. */
  firstAt = 0;
  /** When the first frame was decoded; 0: never. */
  frameAt = 0;
  /** When media last came, and when a frame was last decoded. */
  packetAt = 0;
  shownAt = 0;
  /** When anything last came: media, what tells how ours fares, an ICE check. */
  heardAt = 0;
  /** When media was last sent. */
  sentAt = { audio: 0, video: 0 };
  /** Media has been coming without a pause since then; 0: it does not come now. */
  steadySince = 0;

  /** Looks since anything was heard: a page that was not let run should not take its own sleep for silence. */
  looks = 0;

  #window = { at: 0, bytes: 0, lost: 0, packets: 0 };

  /**
   * @param {Reading} reading
   * @param {number} now
   */
  update(reading, now) {
    const { last } = this;
    this.looks++;
    if (reading.packets > last.packets) {
      this.firstAt ||= now;
      this.steadySince ||= now;
      this.packetAt = now;
    } else if (now - this.packetAt > 1_000) this.steadySince = 0;
    if (reading.frames > last.frames) {
      this.frameAt ||= now;
      this.shownAt = now;
    }
    if (reading.packets > last.packets || reading.arrived > last.arrived || reading.checks > last.checks) {
      this.heardAt = now;
      this.looks = 0;
    }
    for (const kind of /** @type {const} */ (["audio", "video"])) if (reading.sent[kind] > last.sent[kind]) this.sentAt[kind] = now;
    this.last = reading;
  }

  /** Whether media was the last that was heard. */
  get endedWithMedia() {
    return this.packetAt > 0 && this.packetAt === this.heardAt;
  }

  /** How long nothing at all has come. @param {number} now */
  silentFor(now) {
    return this.heardAt && this.looks > 2 ? now - this.heardAt : 0;
  }

  /** Loss and bitrate since the last call of this. @param {number} now */
  summary(now) {
    const { last } = this;
    const was = this.#window;
    this.#window = { at: now, bytes: last.bytes, lost: last.lost, packets: last.packets };
    const lost = Math.max(0, last.lost - was.lost);
    const all = lost + Math.max(0, last.packets - was.packets);
    return {
      rttMs: Math.round(last.rttMs),
      jitterMs: Math.round(last.jitterMs),
      lossPct: all ? Math.round((1_000 * lost) / all) / 10 : 0,
      bitrateKbps: was.at && now > was.at ? Math.max(0, Math.round((8 * (last.bytes - was.bytes)) / (now - was.at))) : 0,
    };
  }
}
