// hints.js: what a browser lets a page know of its surroundings: that the network is another, and that the page runs again
// after it was hidden, frozen, kept in the back or put to sleep. No browser tells of all of these, so each is listened to.

/** A timer that is so late was not late by itself: the machine slept. In milliseconds. */
const ASLEEP = 5_000;
const LOOK = 2_000;

/**
 * @param {{window?: EventTarget, document?: EventTarget & {visibilityState: string}, connection?: EventTarget}} sources
 * @param {{changed: (how: string) => void, returned: () => void}} told
 * @returns {() => void} ends it
 */
export function watchBrowser({ window: w, document: d, connection: c }, { changed, returned }) {
  /** @type {(() => void)[]} */
  const undo = [];
  /** @type {(target: EventTarget | undefined, type: string, fn: () => void) => void} */
  const listen = (target, type, fn) => {
    target?.addEventListener(type, fn);
    undo.push(() => target?.removeEventListener(type, fn));
  };
  listen(w, "online", () => changed("online"));
  listen(c, "change", () => changed("change"));
  listen(d, "visibilitychange", () => d?.visibilityState === "visible" && returned());
  listen(d, "resume", returned);
  listen(w, "focus", returned);
  listen(w, "pageshow", returned);
  let looked = Date.now(); // goes on while a machine sleeps, in every browser
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - looked > LOOK + ASLEEP) returned();
    looked = now;
  }, LOOK);
  undo.push(() => clearInterval(timer));
  return () => {
    for (const fn of undo.splice(0)) fn();
  };
}
