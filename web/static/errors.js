// errors.js: everything that can go wrong, in one family: a class, and a table of its codes in words for developers.

/** Each code and what it means. The server's are those of its protocol; what a user reads is the caller's to say. */
export const CODES = Object.freeze({
  // joining
  unreachable: "the server does not answer",
  unauthorized: "the operator wants a valid token, and this is none",
  "bad-username": "this name is not allowed",
  "username-taken": "somebody of this name is here",
  "already-joined": "joined already",
  "session-expired": "the server has the session no more",
  "session-ended": "the server has ended the session",
  "taken-over": "the session goes on in another page",
  "rate-limited": "too many requests: wait a little",
  // calling
  "not-joined": "not joined: nobody can be called",
  "in-a-call": "there is a call already",
  unable: "this browser cannot make calls: it has no WebRTC",
  "already-in-call": "the server says that there is a call already",
  "self-call": "one cannot call oneself",
  "unknown-target": "nobody of this name is here",
  // the end of a call
  "hangup-self": "ended here",
  hangup: "the other side has hung up",
  cancelled: "the caller gave up",
  declined: "the other side declined",
  timeout: "nobody answered",
  busy: "the other side is in a call",
  unavailable: "the other side is gone or cannot take calls",
  // the end of a call, by a fault
  disconnected: "the other side's connection was lost for good",
  "server-shutdown": "the server has ended",
  lost: "our connection was lost for good",
  "no-such-call": "the server does not know this call",
  "not-your-call": "this call is somebody else's",
  "not-accepted": "the call has not been accepted",
  // a client that the server does not understand
  "bad-json": "the server cannot read a message",
  "too-large": "a message is longer than the server allows",
  "relay-only": "the server relays every call, and keeps addresses from the other side",
  "bad-message": "the server does not understand a message",
  "unknown-type": "the server does not know a message",
  internal: "the server has a fault",
  // media
  "screen-refused": "the screen was not shown: refused, or not to be had",
  "no-devices": "what is sent is a stream of the caller's",
  "relay-unavailable": "the server cannot relay this call",
});

/** @typedef {keyof typeof CODES} Code */

/**
 * What rejects or is thrown. `code` is one of CODES; a server that is newer than the library may have others.
 */
export class DuetError extends Error {
  /** @type {Code | (string & {})} */
  code;

  /** @param {Code | (string & {})} code @param {string} [message] */
  constructor(code, message) {
    super(message || /** @type {Record<string, string>} */ (CODES)[code] || code);
    this.name = "DuetError";
    this.code = code;
  }
}
