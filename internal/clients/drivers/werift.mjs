// werift, WebRTC in TypeScript.
import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpPacket } from "werift";
import { main, pace, rtp } from "./node.mjs";

main(({ servers, relayOnly, media, muted, came, candidate }) => {
  const pc = new RTCPeerConnection({
    iceServers: servers.map((s) => ({ ...s, urls: s.urls[0] })),
    iceTransportPolicy: relayOnly ? "relay" : "all",
    codecs: {
      audio: [new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48000, channels: 2 })],
      video: [new RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90000, rtcpFeedback: [{ type: "nack", parameter: "pli" }] })],
    },
  });
  const tracks = {};
  for (const kind of media === "data" ? [] : ["audio", "video"]) {
    tracks[kind] = new MediaStreamTrack({ kind });
    if (media === "receive") pc.addTransceiver(kind, { direction: "recvonly" });
    else pc.addTransceiver(tracks[kind], { direction: "sendrecv" });
  }
  const stop = pace(muted, (kind, n) => tracks[kind]?.writeRtp(RtpPacket.deSerialize(rtp(kind, n, 96, 1))));
  let timer;
  const talk = (channel) => {
    timer = setInterval(() => channel.readyState === "open" && channel.send("hello"), 200);
    channel.onMessage.subscribe(() => came.data++);
  };
  pc.onDataChannel.subscribe(talk);
  pc.onicecandidate = ({ candidate: c }) => c && candidate(c.toJSON());
  pc.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((p) => (track.kind === "audio" || p.header.marker) && came[track.kind]++));
  return {
    async offer() {
      if (media.includes("data")) talk(pc.createDataChannel("test"));
      await pc.setLocalDescription(await pc.createOffer());
      return pc.localDescription.sdp;
    },
    async answer(sdp) {
      await pc.setRemoteDescription({ type: "offer", sdp });
      await pc.setLocalDescription(await pc.createAnswer());
      return pc.localDescription.sdp;
    },
    answered: (sdp) => pc.setRemoteDescription({ type: "answer", sdp }),
    candidate: (c) => pc.addIceCandidate(c),
    state: () => pc.connectionState,
    close() {
      stop();
      clearInterval(timer);
      return pc.close();
    },
  };
});
