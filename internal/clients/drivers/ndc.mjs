// node-datachannel, which is libdatachannel and libjuice.
import ndc from "node-datachannel";
import { main, pace, rtp } from "./node.mjs";

const payloadType = (sdp, codec) => Number(new RegExp(`a=rtpmap:(\\d+) ${codec}/`, "i").exec(sdp)?.[1]);

main(({ servers, relayOnly, media, muted, came, candidate }) => {
  const iceServers = servers.map(({ urls: [url], username, credential }) => {
    const [, hostname, port] = /^turns?:(.*):(\d+)/.exec(url);
    return { hostname, port: Number(port), username, password: credential, relayType: url.startsWith("turns") ? "TurnTls" : /tcp/.test(url) ? "TurnTcp" : "TurnUdp" };
  });
  const pc = new ndc.PeerConnection("test", { iceServers, iceTransportPolicy: relayOnly ? "relay" : "all", disableAutoNegotiation: true });
  const tracks = {}, types = { audio: 111, video: 96 };
  const take = (track) => {
    const kind = track.type();
    tracks[kind] = track;
    // Reports come on the track, too: their second byte is 192 to 223.
    track.onMessage((b) => (b[1] < 192 || b[1] > 223) && (kind === "audio" || b[1] & 0x80) && came[kind]++);
  };
  const stop = pace(muted, (kind, n) => tracks[kind]?.isOpen() && tracks[kind].sendMessageBinary(rtp(kind, n, types[kind], kind === "audio" ? 11 : 22)));
  let timer;
  const talk = (channel) => {
    channel.onMessage(() => came.data++);
    timer = setInterval(() => channel.isOpen() && channel.sendMessage("hello"), 200);
  };
  pc.onDataChannel(talk);
  pc.onTrack(take);
  const described = (type) =>
    new Promise((resolve) => {
      pc.onLocalDescription((sdp) => resolve(sdp));
      pc.setLocalDescription(type);
    });
  pc.onLocalCandidate((c, mid) => candidate({ candidate: c.replace(/^a=/, ""), sdpMid: mid }));
  return {
    offer() {
      const direction = media === "receive" ? "RecvOnly" : "SendRecv";
      if (media !== "data") {
        const audio = new ndc.Audio("audio", direction), video = new ndc.Video("video", direction);
        audio.addOpusCodec(types.audio);
        video.addVP8Codec(types.video);
        if (media !== "receive") {
          audio.addSSRC(11, "test", "stream", "sound");
          video.addSSRC(22, "test", "stream", "pictures");
        }
        take(pc.addTrack(audio));
        take(pc.addTrack(video));
      }
      if (media.includes("data")) talk(pc.createDataChannel("test"));
      return described("offer");
    },
    answer(sdp) {
      types.audio = payloadType(sdp, "opus");
      types.video = payloadType(sdp, "VP8");
      pc.setRemoteDescription(sdp, "offer");
      if (media === "receive") Object.values(tracks).forEach((t) => t.setDirection?.("RecvOnly"));
      return described("answer");
    },
    answered: (sdp) => pc.setRemoteDescription(sdp, "answer"),
    candidate: (c) => pc.addRemoteCandidate(c.candidate, c.sdpMid ?? "0"),
    state: () => pc.state(),
    close() {
      stop();
      clearInterval(timer);
      pc.close();
    },
  };
});
