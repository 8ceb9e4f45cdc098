// fresh.js: a look at this machine's addresses as they are now.
//
// Chromium tells the connections of a document of another network only when that has been quiet for a while (0.5 s to 2 s,
// by system); until then restarts and new connections use addresses that are gone. The first connection of a new document
// asks anew, so each look has a frame of its own, in which the next leg can be made, too.

/** In milliseconds: how long the first address may take, others after it, and questions to a connection that is closed. */
const TIMES = Object.freeze({ first: 300, others: 15, answers: 3_000 });

/** @typedef {{RTCPeerConnection: typeof RTCPeerConnection, addresses: Promise<Set<string>>, end: () => void}} Fresh */

/** Null where it is not known to help. @returns {Fresh | null} */
export function fresh() {
  if (typeof document === "undefined" || !document.body || !("chrome" in globalThis)) return null;
  const frame = document.createElement("iframe");
  frame.hidden = true;
  document.body.append(frame);
  // What is asked of a connection whose frame is gone has no answer, not even an error.
  const end = () => void setTimeout(() => frame.remove(), TIMES.answers);
  const ctor = /** @type {any} */ (frame.contentWindow)?.RTCPeerConnection;
  if (!ctor) {
    frame.remove();
    return null;
  }
  return { RTCPeerConnection: ctor, addresses: list(ctor), end };
}

/** @param {typeof RTCPeerConnection} ctor @returns {Promise<Set<string>>} */
async function list(ctor) {
  /** @type {Set<string>} */
  const found = new Set();
  const pc = new ctor();
  await new Promise((resolve) => {
    let timer = setTimeout(resolve, TIMES.first);
    pc.onicecandidate = ({ candidate }) => {
      if (!candidate) return resolve(null);
      for (const address of hosts(candidate.candidate)) found.add(address);
      if (!found.size) return;
      clearTimeout(timer);
      timer = setTimeout(resolve, TIMES.others);
    };
    pc.createDataChannel("");
    pc.setLocalDescription().catch(resolve);
  });
  pc.close();
  return found;
}

/** The addresses of host candidates; none where the browser gives names instead. @param {string} text candidates or descriptions */
export function hosts(text) {
  const all = text.matchAll(/candidate:\S+ \d+ udp \d+ (\S+) \d+ typ host/gi);
  return [...all].map(([, address]) => address).filter((address) => !address.endsWith(".local"));
}
