// Clients whose library is the W3C's interface: browsers, and libwebrtc in Node. One RTCPeerConnection, nothing else.

/** w3c makes connect for drive; tracks gives the two tracks to send. */
export const w3c = (RTCPeerConnection, tracks) => ({ servers, relayOnly, media, muted, came, candidate }) => {
  const pc = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: relayOnly ? "relay" : "all" });
  const sent = media === "both" || media === "both data" ? tracks() : [];
  for (const track of sent) pc.addTrack(track);
  const before = { ...came };
  const timer = setInterval(async () => {
    for (const track of sent) track.enabled = !muted[track.kind];
    for (const channel of channels) if (channel.readyState === "open") channel.send("hello");
    for (const s of (await pc.getStats()).values()) {
      if (s.type === "inbound-rtp") came[s.kind] = before[s.kind] + (s.kind === "audio" ? s.packetsReceived : s.framesDecoded ?? 0);
    }
  }, 200);
  const channels = [];
  const talk = (channel) => {
    channels.push(channel);
    channel.onmessage = () => came.data++;
  };
  pc.ondatachannel = (e) => talk(e.channel);
  pc.onicecandidate = ({ candidate: c }) => c && candidate(c.toJSON ? c.toJSON() : c);
  const local = async (d) => {
    await pc.setLocalDescription(d);
    return pc.localDescription.sdp;
  };
  return {
    async offer() {
      if (media === "receive") for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" });
      if (media.includes("data")) talk(pc.createDataChannel("test"));
      return local(await pc.createOffer());
    },
    async answer(sdp) {
      await pc.setRemoteDescription({ type: "offer", sdp });
      return local(await pc.createAnswer());
    },
    answered: (sdp) => pc.setRemoteDescription({ type: "answer", sdp }),
    candidate: (c) => pc.addIceCandidate(c),
    state: () => pc.connectionState,
    close() {
      clearInterval(timer);
      pc.close();
    },
  };
};
