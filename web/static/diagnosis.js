// diagnosis.js: why a call does not connect, as far as this end can see it. The server, which hears both ends, may know
// better; until it says so, this is what the user is told.

/**
 * What was seen of one attempt.
 * @typedef {object} Diagnosis
 * @property {string[]} candidates kinds of our own candidates: host, srflx, prflx, relay
 * @property {string[]} protocols of our own candidates: udp, tcp
 * @property {string[]} families of our own addresses: ip4, ip6, hidden (names instead of addresses)
 * @property {string[]} theirFamilies of the other side's
 * @property {boolean} answered the other side has said anything at all
 * @property {{url: string, code: number}[]} blocked servers that did not serve us; 701: no answer, else a STUN error code
 * @property {"" | "refused" | "silent" | "connected"} relay how the leg to the server's relay fared
 */

/**
 * @typedef {"no-udp" | "turn-unreachable" | "credentials-refused" | "relay-firewalled" | "wrong-public-address"
 *   | "ip-mismatch" | "browser-blocked" | "peer-gone" | "unknown"} Verdict
 */

/** Most of what is kept of the servers that failed us. */
const KEPT = 16;

/** Collects what one connection shows. */
export class Findings {
  #candidates = new Set();
  #protocols = new Set();
  #families = new Set();
  #theirs = new Set();
  #answered = false;
  /** @type {{url: string, code: number}[]} */
  #blocked = [];

  /** One of our own candidates. @param {string} line */
  own(line) {
    const parsed = parse(line);
    if (!parsed) return;
    this.#candidates.add(parsed.kind);
    this.#protocols.add(parsed.protocol);
    this.#families.add(parsed.family);
  }

  /** A candidate or a whole description of the other side. @param {string} text */
  other(text) {
    this.#answered = true;
    for (const [line] of text.matchAll(/candidate:[^\r\n]+/g)) {
      const parsed = parse(line);
      if (parsed) this.#theirs.add(parsed.family);
    }
  }

  /** A server did not serve us. @param {{url: string, code: number}} what */
  blocked({ url, code }) {
    const known = this.#blocked.some((one) => one.url === url && one.code === code);
    if (!known && this.#blocked.length < KEPT) this.#blocked.push({ url, code });
  }

  /** @param {Diagnosis["relay"]} relay @returns {Diagnosis} */
  tell(relay) {
    return {
      candidates: [...this.#candidates], protocols: [...this.#protocols], families: [...this.#families],
      theirFamilies: [...this.#theirs], answered: this.#answered, blocked: [...this.#blocked], relay,
    };
  }
}

/**
 * @param {Diagnosis} seen
 * @param {string[]} urls of the servers that we were given
 * @returns {Verdict}
 */
export function judge(seen, urls) {
  const turn = urls.filter((url) => /^turns?:/.test(url));
  const stunned = urls.length > 0 && !seen.candidates.includes("srflx") && !seen.candidates.includes("relay");
  if (!seen.candidates.length) return "browser-blocked";
  if (seen.blocked.some(({ code }) => code === 401 || code === 403 || code === 437 || code === 441)) return "credentials-refused";
  if (!seen.answered) return "peer-gone";
  if (mismatch(seen.families, seen.theirFamilies) && !seen.candidates.includes("relay")) return "ip-mismatch";
  // Nothing came back from any server, by whatever protocol, or by none but TCP.
  if (turn.length && stunned) return "turn-unreachable";
  const deaf = seen.blocked.some(({ url, code }) => code === 701 && !/^turns:|transport=tcp/.test(url));
  if (deaf && !seen.candidates.includes("srflx")) return "no-udp";
  if (seen.relay === "silent") return "relay-firewalled";
  return "unknown";
}

/** @param {string[]} ours @param {string[]} theirs */
function mismatch(ours, theirs) {
  if (!ours.length || !theirs.length || ours.includes("hidden") || theirs.includes("hidden")) return false;
  return !ours.some((family) => theirs.includes(family));
}

/** @param {string} line */
function parse(line) {
  const [, protocol, address, kind] = /candidate:\S+ \d+ (\S+) \d+ (\S+) \d+ typ (\S+)/.exec(line) ?? [];
  if (!address) return null;
  const family = address.endsWith(".local") ? "hidden" : address.includes(":") ? "ip6" : "ip4";
  return { protocol: protocol.toLowerCase(), family, kind };
}
