// token.js: the operator's token, where the caller has a function for it: asked when joining, and again well before it expires.

/** @typedef {() => string | Promise<string>} TokenFunction */

/** In milliseconds. */
const TIMES = Object.freeze({ least: 5_000, again: 15_000, most: 2 ** 31 - 1 });

export class Token {
  #ask;
  #renewed;
  /** @type {any} */
  #timer = 0;
  #closed = false;

  /** @param {TokenFunction} ask @param {(token: string) => void} renewed */
  constructor(ask, renewed) {
    this.#ask = ask;
    this.#renewed = renewed;
  }

  /** The first one; rejects as the caller's function does. */
  async first() {
    const token = await this.#ask();
    this.#later(token);
    return token;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** @param {string} token */
  #later(token) {
    const life = lifetime(token);
    if (life && !this.#closed) this.#timer = setTimeout(() => this.#renew(), Math.min(Math.max(0.8 * life, TIMES.least), TIMES.most));
  }

  async #renew() {
    try {
      const token = await this.#ask();
      if (this.#closed) return;
      this.#renewed(token);
      this.#later(token);
    } catch {
      if (!this.#closed) this.#timer = setTimeout(() => this.#renew(), TIMES.again);
    }
  }
}

/**
 * How long a token (RFC 7519) is still good for, in milliseconds; 0: it does not say. Where this clock is wrong, as long as it
 * was made for.
 * @param {string} token
 */
export function lifetime(token) {
  try {
    const { exp = 0, iat = 0 } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    const left = 1_000 * exp - Date.now();
    const made = iat ? 1_000 * (exp - iat) : left;
    return exp ? Math.max(left > 0 ? Math.min(left, made) : made, 1) : 0;
  } catch {
    return 0;
  }
}
