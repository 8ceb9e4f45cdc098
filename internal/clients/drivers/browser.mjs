// A stock browser: a page with one RTCPeerConnection and nothing of ours. It takes its lines from stock.line, its status is stock.status.
import { drive } from "./session.mjs";
import { w3c } from "./w3c.mjs";

window.stock = {
  status: "{}",
  async start(url, name, options) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
    stock.line = drive(w3c(RTCPeerConnection, () => stream.getTracks()), {
      url, name, options, WebSocket, say: (s) => (stock.status = s),
    });
  },
};
