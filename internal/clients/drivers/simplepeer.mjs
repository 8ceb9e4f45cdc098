// simple-peer on @roamhq/wrtc: it makes its own offers and answers, and tells of them as signals.
import wrtc from "@roamhq/wrtc";
import SimplePeer from "simple-peer";
import { main } from "./node.mjs";
import { tracks } from "./sources.mjs";

let made;
main(({ servers, relayOnly, media, muted, came, candidate }) => {
  let peer, timer, described;
  const make = (initiator) => {
    made ??= tracks();
    const stream = media === "receive" || media === "data" ? undefined : new wrtc.MediaStream(made);
    peer = new SimplePeer({
      initiator, wrtc, stream, config: { iceServers: servers, iceTransportPolicy: relayOnly ? "relay" : "all" },
      offerOptions: media === "receive" ? { offerToReceiveAudio: true, offerToReceiveVideo: true } : {},
    });
    peer.on("signal", (s) => (s.type === "candidate" ? candidate(s.candidate) : s.sdp && described?.(s.sdp)));
    peer.on("data", () => came.data++);
    peer.on("error", () => {});
    const before = { ...came };
    timer = setInterval(async () => {
      for (const track of made) track.enabled = !muted[track.kind];
      if (peer.connected && peer._channel?.readyState === "open") peer.send("hello");
      for (const s of (await peer._pc.getStats()).values()) {
        if (s.type === "inbound-rtp") came[s.kind] = before[s.kind] + (s.kind === "audio" ? s.packetsReceived : s.framesDecoded ?? 0);
      }
    }, 200);
  };
  const next = (how) =>
    new Promise((resolve) => {
      described = resolve;
      how();
    });
  return {
    offer: () => next(() => make(true)),
    answer(sdp) {
      if (!peer) make(false);
      return next(() => peer.signal({ type: "offer", sdp }));
    },
    answered: (sdp) => peer.signal({ type: "answer", sdp }),
    candidate: (c) => peer.signal({ type: "candidate", candidate: c }),
    state: () => peer?._pc?.connectionState ?? "new",
    close() {
      clearInterval(timer);
      peer?.destroy();
    },
  };
});
