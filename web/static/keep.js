// keep.js: what a page leaves for the one after it: a reload of the same tab, or a new tab after a crash. A lock tells
// whether the tab that wrote it still lives; the browser takes it away from one that does not.

/**
 * @typedef {{session: string, heard: number, username: string, source: import("./media.js").Source, audio: boolean, video: boolean}} Left
 *   session: "" when the user had left the server with the page, so that joining anew is all there is
 */

/** Older than this, in milliseconds, it is not gone on with: the user means to begin, and so does the server. */
const FRESH = 120_000;

/** The page before this one may take a moment to end. */
const PATIENCE = 500;

const PREFIX = "duet.left.";

export class Keep {
  #session;
  #local;
  #locks;
  #now;
  #id = "";
  #held = false;

  /** @param {{session?: Storage, local?: Storage, locks?: LockManager, now?: () => number}} [browser] */
  constructor({ session = storage("sessionStorage"), local = storage("localStorage"), locks = globalThis.navigator?.locks, now = Date.now } = {}) {
    this.#session = session;
    this.#local = local;
    this.#locks = locks;
    this.#now = now;
  }

  /**
   * What there is to go on with, if anything; own: this tab left it.
   * @returns {Promise<(Left & {own: boolean}) | null>}
   */
  async find() {
    const own = this.#session?.getItem(PREFIX) ?? "";
    if (own && (await this.#claim(own, PATIENCE))) {
      const left = this.#read(this.#locks ? this.#local : this.#session, PREFIX + own);
      return left && { ...left, own: true };
    }
    if (this.#locks && this.#local) {
      for (const key of Array.from({ length: this.#local.length }, (_, i) => this.#local?.key(i) ?? "")) {
        if (!key.startsWith(PREFIX)) continue;
        const left = this.#read(this.#local, key);
        if (!left) this.#local.removeItem(key);
        else if (left.session && (await this.#claim(key.slice(PREFIX.length), 0))) return { ...left, own: false };
      }
    }
    await this.#claim(String(Math.random()).slice(2), 0);
    return null;
  }

  /** @param {Left | null} left */
  save(left) {
    try {
      if (!left) {
        this.#session?.removeItem(PREFIX);
        this.#local?.removeItem(PREFIX + this.#id);
      } else if (this.#id) {
        this.#session?.setItem(PREFIX, this.#id);
        (this.#locks ? this.#local : this.#session)?.setItem(PREFIX + this.#id, JSON.stringify({ ...left, at: this.#now() }));
      }
    } catch {
      // Full, or forbidden: a reload begins anew, as ever.
    }
  }

  /** Makes this tab the owner of what was left under this id, unless another lives. @param {string} id @param {number} patience */
  async #claim(id, patience) {
    if (this.#held) return false;
    if (this.#locks) {
      const locks = this.#locks;
      const got = await new Promise((resolve) => {
        const abort = new AbortController();
        if (patience) setTimeout(() => abort.abort(), patience);
        const how = patience ? { signal: abort.signal } : { ifAvailable: true };
        locks.request(PREFIX + id, how, (lock) => {
          resolve(lock !== null);
          return lock ? new Promise(() => {}) : undefined; // until the page ends
        }).catch(() => resolve(false));
      });
      if (!got) return false;
    }
    this.#held = true;
    this.#id = id;
    return true;
  }

  /** @param {Storage | undefined} from @param {string} key @returns {Left | null} */
  #read(from, key) {
    try {
      const left = JSON.parse(from?.getItem(key) ?? "null");
      return left && this.#now() - left.at < FRESH && typeof left.username === "string" ? left : null;
    } catch {
      return null;
    }
  }
}

/** @param {"sessionStorage" | "localStorage"} name @returns {Storage | undefined} */
function storage(name) {
  try {
    return globalThis[name];
  } catch {
    return undefined; // forbidden; the page works without
  }
}
