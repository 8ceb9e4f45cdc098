// diagnosis.js: what this end can see of a call that does not connect. The server, which hears both ends, judges.

/**
 * What was seen of one attempt.
 * @typedef {object} Diagnosis
 * @property {string[]} candidates kinds of our own candidates: host, srflx, prflx, relay
 * @property {string[]} protocols of our own candidates: udp, tcp
 * @property {string[]} families of our own addresses: ip4, ip6, hidden (names instead of addresses)
 * @property {string[]} theirFamilies of the other side's
 * @property {boolean} answered the other side has said anything at all
 * @property {{url: string, code: number}[]} blocked servers that did not serve us; 701: no answer, else a STUN error code, or
 *   65535, which Firefox gives for every 5xx of TURN
 * @property {"" | "refused" | "silent" | "connected"} relay how the leg to the server's relay fared
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
  /** What kinds of servers have served us. */
  #served = new Set();

  /** One of our own candidates, and the server that gave it, where the browser says. @param {string} line @param {string | null} [url] */
  own(line, url) {
    const [parsed] = candidates(line);
    if (!parsed) return;
    if (parsed.kind === "srflx") this.#served.add("stun");
    if (parsed.kind === "relay") for (const kind of url ? [serverKind(url)] : ["udp", "tcp", "tls"]) this.#served.add(kind);
    this.#candidates.add(parsed.kind);
    this.#protocols.add(parsed.protocol);
    this.#families.add(parsed.family);
  }

  /** A candidate or a whole description of the other side. @param {string} text */
  other(text) {
    this.#answered = true;
    for (const { family } of candidates(text)) this.#theirs.add(family);
  }

  /** A server did not serve us. @param {{url: string, code: number}} what */
  blocked({ url, code: told }) {
    const code = Number.isInteger(told) && told >= 0 ? Math.min(told, 65_535) : 65_535;
    const known = this.#blocked.some((one) => one.url === url && one.code === code);
    if (!known && this.#blocked.length < KEPT) this.#blocked.push({ url, code });
  }

  /**
   * @param {Diagnosis["relay"]} relay
   * @param {string[]} [waiting] servers that may not have answered yet. Browsers take 11 s (Firefox) to 40 s (Chromium) to say that they don't.
   * @returns {Diagnosis}
   */
  tell(relay, waiting = []) {
    const told = new Set(this.#blocked.map(({ url }) => serverKind(url)));
    for (const url of waiting) {
      const kind = serverKind(url);
      if (!this.#served.has(kind) && !told.has(kind)) this.blocked({ url, code: 701 });
    }
    return {
      candidates: [...this.#candidates], protocols: [...this.#protocols], families: [...this.#families],
      theirFamilies: [...this.#theirs], answered: this.#answered, blocked: [...this.#blocked], relay,
    };
  }
}

/** stun, or the transport to a TURN server: udp, tcp, tls. @param {string} url */
export function serverKind(url) {
  if (url.startsWith("turns:")) return "tls";
  if (!url.startsWith("turn:")) return "stun";
  return /[?&]transport=tcp\b/.test(url) ? "tcp" : "udp";
}

/** A line longer than this is no candidate that anybody needs. */
const LONGEST = 1_024;

/**
 * The candidates in a description, or the one of a line. What the counterpart says may be anything of 64 KiB: each line
 * is looked at once, and long ones not at all.
 * @param {string} text
 */
export function* candidates(text) {
  for (const line of text.split(/[\r\n]+/, 2_000)) {
    if (line.length > LONGEST) continue;
    const [start, , protocol, , address, port, typ, kind] = line.replace(/^a=/, "").split(" ");
    if (!start.startsWith("candidate:") || typ !== "typ" || !address || !kind) continue;
    const family = address.endsWith(".local") ? "hidden" : address.includes(":") ? "ip6" : "ip4";
    yield { protocol: protocol.toLowerCase(), address, port, family, kind };
  }
}
