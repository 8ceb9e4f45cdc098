// protocol.js: the messages of signaling/protocol/PROTOCOL.md as types, and their names as tables. There is no behaviour here;
// internal/arch holds the names below against the document and the server.

/**
 * @typedef {"audio" | "video" | "screen"} Kind
 * @typedef {{audio: boolean, video: boolean, screen: boolean, audioCause?: string, videoCause?: string}} MediaState  true: on;
 *   the causes say why what is wished for is off all the same
 * @typedef {"direct" | "turn" | "relay"} PathName
 * @typedef {"available" | "ringing" | "busy"} UserStatus
 * @typedef {{id: string, username: string, status: UserStatus, lookalike?: boolean}} User
 * @typedef {"caller" | "callee"} Role
 * @typedef {{self: MediaState, peer: MediaState}} BothMedia
 * @typedef {{callId: string, role: Role, phase: string, peer: string, peerId: string, media: BothMedia, relay?: unknown}} CallSnapshot
 */

/**
 * What a client sends.
 * @typedef {{type: "join", username: string, token?: string, features?: string[]}
 *   | {type: "resume", session: string, ack: number, token?: string}
 *   | {type: "leave"}
 *   | {type: "call", target: string, media?: {audio: boolean, video: boolean}}
 *   | {type: "callResponse", accepted: boolean, reason?: "unavailable", note?: string, callId?: string, target?: string}
 *   | {type: "ringing", callId?: string}
 *   | {type: "offer", offer: RTCSessionDescriptionInit, target?: string, callId?: string}
 *   | {type: "answer", answer: RTCSessionDescriptionInit, target?: string, callId?: string}
 *   | {type: "iceCandidate", candidate: RTCIceCandidateInit | null, target?: string, callId?: string}
 *   | {type: "mediaStateChange", audio?: boolean, video?: boolean, screen?: boolean, audioCause?: string, videoCause?: string, callId?: string}
 *   | {type: "endCall", callId?: string, target?: string}
 *   | {type: "iceServers"}
 *   | {type: "mediaConnected", callId?: string, path: PathName, candidateType: string, protocol: string, setupMs: number}
 *   | {type: "callStats", callId?: string, path: PathName, rttMs: number, lossPct: number, jitterMs: number, bitrateKbps: number}
 *   | {type: "relayRequest", callId?: string, reason: "ice-failed" | "ice-timeout" | "user"}
 *   | {type: "relayStop", callId?: string}
 *   | ({type: "diagnosis", callId?: string} & import("./diagnosis.js").Diagnosis)
 *   | {type: "ping", t: number, ack?: number}} ClientMessage
 */

/**
 * The first message after join or resume.
 * @typedef {{type: "welcome", id: string, username: string, session: string, iceServers: RTCIceServer[],
 *   iceExpiresAt?: number, iceExpiresInMs?: number, relay: "off" | "fallback" | "prefer" | "always", relayAfterMs?: number, resumeGraceMs: number,
 *   resumed: boolean, restored: boolean, ack: number, applied?: number, call: CallSnapshot | null, features: string[],
 *   server?: {name: string, version: string, protocol: number}}} Welcome
 */

/**
 * @typedef {"declined" | "busy" | "timeout" | "unavailable"} RefusalReason
 * @typedef {"hangup" | "cancelled" | "timeout" | "disconnected" | "server-shutdown"} EndReason
 */

/**
 * What a server sends; any of these may also carry seq and ack.
 * @typedef {Welcome
 *   | {type: "session", session: string}
 *   | {type: "userList", users: User[]}
 *   | {type: "presence", joined?: User[], left?: string[], status?: {id: string, status: UserStatus}[]}
 *   | {type: "incomingCall", caller: string, callerId: string, callId: string, media?: {audio: boolean, video: boolean}, lookalike?: boolean}
 *   | {type: "callAnswered", accepted: boolean, callee: string, calleeId: string, callId?: string, reason?: RefusalReason, note?: string}
 *   | {type: "ringing", callId: string, callee: string, calleeId: string}
 *   | {type: "callStarted", callId: string, role: Role, peer: string, peerId: string, media: BothMedia}
 *   | {type: "offer", offer: RTCSessionDescriptionInit, caller: string, callerId: string, callId: string}
 *   | {type: "answer", answer: RTCSessionDescriptionInit, sender: string, senderId: string, callId: string}
 *   | {type: "iceCandidate", candidate: RTCIceCandidateInit | null, sender: string, senderId: string, callId: string}
 *   | {type: "mediaStateChange", sender: string, senderId: string, callId: string, mediaType?: Kind, enabled?: boolean} & MediaState
 *   | {type: "callEnded", caller: string, callerId: string, callId: string, reason: EndReason}
 *   | {type: "iceServers", iceServers: RTCIceServer[], iceExpiresAt?: number, iceExpiresInMs?: number}
 *   | {type: "relayStart", callId: string, reason: string}
 *   | {type: "relayReady", callId: string}
 *   | {type: "relayStop", callId: string}
 *   | {type: "relayFailed", callId: string, code: string, message: string}
 *   | {type: "remark", callId: string, code: string, message: string}
 *   | {type: "verdict", callId: string, code: string, where: "self" | "peer" | "both"}
 *   | {type: "pong", t?: number}
 *   | {type: "goingAway", reconnectInMs: number}
 *   | {type: "error", code: string, message: string, request?: string, ref?: unknown, retryAfterMs?: number}} ServerMessage
 */

/** Everything that this client asks for. The server may grant less, and the client lives with it. */
export const FEATURES = Object.freeze(["resume", "call-state", "presence-delta", "verdict", "rings"]);

/** The form of a user's id; anything else is a username. */
export const USER_ID = /^u_[A-Za-z0-9]{22}$/;

/** The target and the sender of the second connection's negotiation: the server's media relay. */
export const RELAY = "relay";

/** Close codes with a meaning of their own. */
export const CLOSE = Object.freeze({ rateLimit: 1008, takenOver: 4001, noJoin: 4002, tooSlow: 4003, sessionEnded: 4004 });
