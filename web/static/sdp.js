// sdp.js: what is read from descriptions, and the little that is changed in them. Each line is looked at by itself: a
// counterpart may send anything of 64 KiB.

/** In kbit/s: what Chromium begins to send with by itself, and the most that we ask for; it finds out what is above. */
const [USUAL, MOST] = [300, 2_000];

/**
 * The o= line's session id, and id and version together.
 * @param {string | undefined} sdp
 */
export function origin(sdp) {
  const [, id = "", version = ""] = /^o=\S+ (\S+) (\S+)/m.exec(sdp ?? "") ?? [];
  return { id, full: `${id}.${version}` };
}

/**
 * Has the browser begin to send video at a rate that is known to get through. Chromium would begin a move to another path
 * with so little that it is a quarter of the picture, and take twenty seconds to show the whole again; others do not listen.
 * @param {RTCSessionDescriptionInit} description what the counterpart said
 * @param {number} kbps 0: not known
 */
export function begin({ type, sdp = "" }, kbps) {
  const payload = /^m=video \S+ \S+ (\d+)/m.exec(sdp)?.[1]; // of the codec that both like best
  if (!payload || kbps <= USUAL) return { type, sdp };
  const start = `x-google-start-bitrate=${Math.floor(Math.min(kbps, MOST))}`;
  const fmtp = new RegExp(`^a=fmtp:${payload} [^\r\n]*`, "m");
  if (fmtp.test(sdp)) return { type, sdp: sdp.replace(fmtp, `$&;${start}`) };
  return { type, sdp: sdp.replace(new RegExp(`^a=rtpmap:${payload} [^\r\n]*`, "m"), `$&\r\na=fmtp:${payload} ${start}`) };
}

/** The first fingerprint of a certificate. @param {string | undefined} sdp */
export function fingerprint(sdp) {
  return /^a=fingerprint:(\S+ \S+)/m.exec(sdp ?? "")?.[1].toLowerCase() ?? "";
}

/** Whether Firefox wrote it. @param {string | undefined} sdp */
export function isFirefox(sdp) {
  return /^o=mozilla/m.test(sdp ?? "");
}

/** The lines of each section of a description; the first is the session's. @param {string} sdp @returns {string[][]} */
export function sections(sdp) {
  /** @type {string[][]} */
  const all = [[""]];
  for (const line of sdp.split(/\r?\n/)) {
    if (line.startsWith("m=")) all.push([line]);
    else all[all.length - 1].push(line);
  }
  return all;
}

/** The first ICE user name fragment. @param {string | undefined} sdp */
export function ufrag(sdp) {
  return /^a=ice-ufrag:(\S+)/m.exec(sdp ?? "")?.[1] ?? "";
}

/**
 * Puts H.264 first among the video codecs, in the form that machines encode and decode in hardware. Whoever sends goes by
 * the order in what the other side said, so it is done to what is said and to what is heard. Nothing is left out.
 * @param {string} sdp
 */
export function h264First(sdp) {
  return sections(sdp).map((lines) => {
    const [first = ""] = lines;
    if (!first.startsWith("m=video ")) return lines.join("\r\n");
    /** @param {RegExp} pattern */
    const named = (pattern) => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
    const h264 = new Set(named(/^a=rtpmap:(\d+) H264\/90000$/i));
    // Constrained baseline, in which packets are not cut: what all hardware has.
    const best = named(/^a=fmtp:(\d+) (?=.*packetization-mode=1)(?=.*profile-level-id=42e0).*$/i).filter((payload) => h264.has(payload));
    const [kind, port, protocol, ...payloads] = first.split(" ");
    const rank = (/** @type {string} */ payload) => (best.includes(payload) ? 0 : 1);
    lines[0] = [kind, port, protocol, ...payloads.sort((a, b) => rank(a) - rank(b))].join(" ");
    return lines.join("\r\n");
  }).join("\r\n").replace(/^\r\n/, "");
}

/** Whether this browser has H.264 in hardware and VP8 only in software: those of Apple's machines. @param {string} userAgent */
export function prefersH264(userAgent) {
  return /\b(iPhone|iPad|iPod)\b/.test(userAgent) || (/\bMacintosh\b.*\bSafari\//.test(userAgent) && !/\bChrom(e|ium)\//.test(userAgent));
}
