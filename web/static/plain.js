// plain.js: a server that knows only the twelve messages.

/**
 * What a server without `welcome` leaves unsaid.
 * @param {string} username
 * @param {import("./protocol.js").User[]} users
 * @returns {import("./protocol.js").Welcome}
 */
export function plainWelcome(username, users) {
  const self = users.find((user) => user.username === username);
  return {
    type: "welcome", id: self?.id ?? "", username, session: "", iceServers: [], relay: "off", resumeGraceMs: 0,
    resumed: false, restored: false, ack: 0, call: null, features: [],
  };
}
