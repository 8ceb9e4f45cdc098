// standin.js: what WebKitGTK has no part of: RTCPeerConnection. It negotiates as web/test/fakes.js does and is connected when both
// sides have spoken; what "comes" is drawn here. Goes ahead of the page's own scripts.

import { fakeWebRTC } from "/fakes.js";

const { FakePeerConnection } = fakeWebRTC();
const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
const context = canvas.getContext("2d");
let hue = 0;
setInterval(() => {
  context.fillStyle = `hsl(${(hue += 5)} 60% 50%)`;
  context.fillRect(0, 0, 640, 360);
}, 100);

/** @param {"audio" | "video"} kind */
function drawn(kind) {
  if (kind === "video") return canvas.captureStream(10).getVideoTracks()[0];
  return new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
}

window.RTCPeerConnection = class extends FakePeerConnection {
  constructor(config) {
    super(config);
    let listener = null;
    Object.defineProperty(this, "ontrack", {
      get: () => listener && (({ track }) => listener({ track: drawn(track.kind) })),
      set: (next) => void (listener = next),
    });
    const timer = setInterval(() => {
      if (this.closed) return clearInterval(timer);
      if (this.signalingState !== "stable" || !this.remoteDescription) return;
      if (this.connectionState === "new") this.become("connected");
      this.flow();
    }, 200);
  }
};
