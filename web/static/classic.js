// classic.js: the library for pages without modules: a script tag with this file's address makes `duetClient`, a promise of
// all that duet.js exports.

Object.assign(globalThis, { duetClient: import("./duet.js") });
