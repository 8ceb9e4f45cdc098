// frame.js: the page in a frame of another page, which leads it by messages; loaded only there. Who may do that, the operator
// says (http.frame_ancestors), and the browser keeps others out.
//
// There are five: duet-join {name, token?}, duet-call {target}, duet-hang-up and duet-state come from the page around; duet-state
// {username, online, call} answers the last, and goes there at each change from the first message on; duet-error {code} says
// what did not work. `call` is null, or {phase, state, peer, reason}.

/** @import { Duet } from "./duet.js" */

/**
 * @param {{duet: Duet, join: (name: string, token: string) => Promise<unknown>, around?: Window, window?: Window}} page what keeps
 *   one from joining comes by the event `closed`; around, window: for tests
 */
export function lead({ duet, join, around = parent, window: here = window }) {
  let origin = "";
  let last = "";

  /** @param {object} message */
  const say = (message) => origin && around.postMessage(message, origin);
  /** @param {import("./duet.js").Call | null} call */
  const state = (call) => ({
    type: "duet-state", username: duet.self.username, online: duet.state === "online",
    call: call && { phase: call.phase, state: call.state, peer: call.peer, reason: call.reason },
  });
  const tell = (call = duet.call) => {
    const message = state(call);
    if (JSON.stringify(message) === last) return;
    last = JSON.stringify(message);
    say(message);
  };

  /** @param {any} data */
  const obey = async (data) => {
    try {
      switch (data.type) {
        case "duet-join":
          await join(String(data.name ?? ""), String(data.token ?? ""));
          break;
        case "duet-call":
          duet.dial(String(data.target ?? ""));
          break;
        case "duet-hang-up":
          duet.call?.hangUp();
          break;
        case "duet-state":
          last = "";
          break;
        default:
          return;
      }
      tell();
    } catch (error) {
      say({ type: "duet-error", code: /** @type {{code?: string}} */ (error).code ?? "internal" });
    }
  };

  here.addEventListener("message", (event) => {
    if (event.source !== around || typeof event.data?.type !== "string") return;
    origin = event.origin;
    void obey(event.data);
  });
  duet.on("state", () => tell());
  duet.on("closed", (code) => say({ type: "duet-error", code }));
  duet.on("call", (call) => {
    for (const type of /** @type {const} */ (["phase", "state"])) call.on(type, () => tell(call));
    tell(call);
  });
}
