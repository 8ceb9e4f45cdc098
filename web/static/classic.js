// classic.js: the library for pages without modules: a script tag with this file's address makes `duetClient`, a promise of
// all that duet.js exports.

Object.assign(globalThis, {
  // A script of another origin has no address of its own to begin from.
  duetClient: import(new URL("duet.js", /** @type {HTMLScriptElement} */ (document.currentScript).src).href),
});
