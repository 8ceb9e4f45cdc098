// keys.js: M switches the microphone and V the picture, wherever one is on the page but where one types.

/** @type {Record<string, "audio" | "video">} */
const KEYS = { m: "audio", v: "video" };

/** What a key means. @param {KeyboardEvent} event @returns {"audio" | "video" | null} */
export function meant(event) {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null;
  const target = event.target instanceof Element ? event.target : null;
  // In a list a letter looks for a row that begins with it; a dialog has its own rules.
  if (target?.closest("input, textarea, select, [contenteditable], dialog")) return null;
  return KEYS[event.key?.toLowerCase()] ?? null;
}
