// node-datachannel, which is libdatachannel and libjuice.
import ndc from "node-datachannel";
import { main, pace, rtp } from "./node.mjs";

// offered is the first section of a kind in an offer: its mid, and the payload type of a codec.
function offered(sdp, kind, codec) {
  const section = sdp.split(/^m=/m).find((s) => s.startsWith(kind));
  const payloadType = new RegExp(`a=rtpmap:(\\d+) ${codec}/`, "i").exec(section)?.[1];
  return payloadType && { mid: /a=mid:(\S+)/.exec(section)[1], payloadType: Number(payloadType) };
}

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
  const direction = media === "receive" ? "RecvOnly" : "SendRecv";
  // A track has to name its SSRC, so that others know it without a mid in each packet.
  const add = (kind, mid) => {
    const line = kind === "audio" ? new ndc.Audio(mid, direction) : new ndc.Video(mid, direction);
    if (kind === "audio") line.addOpusCodec(types.audio);
    else line.addVP8Codec(types.video);
    if (media !== "receive") line.addSSRC(kind === "audio" ? 11 : 22, "test", "stream", kind);
    take(pc.addTrack(line));
  };
  const described = (type) =>
    new Promise((resolve) => {
      pc.onLocalDescription((sdp) => resolve(sdp));
      pc.setLocalDescription(type);
    });
  pc.onLocalCandidate((c, mid) => candidate({ candidate: c.replace(/^a=/, ""), sdpMid: mid }));
  return {
    offer() {
      if (media !== "data") for (const kind of ["audio", "video"]) add(kind, kind);
      if (media.includes("data")) talk(pc.createDataChannel("test"));
      return described("offer");
    },
    answer(sdp) {
      for (const [kind, codec] of [["audio", "opus"], ["video", "VP8"]]) {
        const line = offered(sdp, kind, codec);
        if (!line || tracks[kind]) continue;
        types[kind] = line.payloadType;
        add(kind, line.mid);
      }
      pc.setRemoteDescription(sdp, "offer");
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
