// hurdle.js: why a WebSocket does not come up. Browsers do not say what it met; a plain request to the same address, with
// the page's origin, meets the same.

/** Longer is no answer, in milliseconds. */
const PATIENCE = 4_000;

/**
 * refused: the server does not know the page's origin; no-websocket: it answers, so that something on the way keeps
 * WebSockets back.
 * @param {string} url of the WebSocket
 * @returns {Promise<"refused" | "no-websocket" | "unreachable">}
 */
export async function hurdle(url) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), PATIENCE);
  try {
    // With POST a browser tells the origin.
    const { status } = await fetch(url.replace(/^ws/, "http"), { method: "POST", signal: abort.signal });
    return status === 403 ? "refused" : status === 426 ? "no-websocket" : "unreachable";
  } catch {
    return "unreachable";
  } finally {
    clearTimeout(timer);
  }
}
