"""GStreamer's webrtcbin, with libnice."""
import asyncio
import re
import urllib.parse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402

import session  # noqa: E402

Gst.init(None)
SOURCES = {
    "audio": "audiotestsrc is-live=true freq=400 volume=0.1 ! audioconvert ! audioresample ! valve name=valve-audio ! opusenc ! rtpopuspay pt={} ! "
    "application/x-rtp,media=audio,encoding-name=OPUS,payload={},clock-rate=48000 ! bin.",
    "video": "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 ! videoconvert ! valve name=valve-video ! "
    "vp8enc deadline=1 keyframe-max-dist=20 ! rtpvp8pay pt={} ! application/x-rtp,media=video,encoding-name=VP8,payload={},clock-rate=90000 ! bin.",
}


class Connection:
    def __init__(self, s, to, servers):
        self.s, self.to, self.servers, self.pipe = s, to, servers, None
        self.loop = asyncio.get_event_loop()

    def build(self, types):
        """Makes the pipeline, with the payload types of whoever offers."""
        text = "webrtcbin name=bin bundle-policy=max-bundle latency=50 "
        if "both" in self.s.media:
            text += " ".join(SOURCES[kind].format(pt, pt) for kind, pt in types.items())
        self.pipe = Gst.parse_launch(text)
        self.bin = self.pipe.get_by_name("bin")
        for server in self.servers:
            scheme, rest = server["urls"][0].split(":", 1)
            place, _, query = rest.partition("?")
            user, secret = (urllib.parse.quote(server[k], safe="") for k in ("username", "credential"))
            self.bin.emit("add-turn-server", f"{scheme}://{user}:{secret}@{place}?{query}")
        if self.servers:
            self.bin.set_property("ice-transport-policy", GstWebRTC.WebRTCICETransportPolicy.RELAY)
        self.bin.connect("on-ice-candidate", self.found)
        self.bin.connect("pad-added", self.added)
        self.bin.connect("on-data-channel", lambda _, channel: self.talk(channel))
        self.pipe.set_state(Gst.State.PLAYING)
        if self.s.media == "receive":
            for kind, pt in types.items():
                name, rate = {"audio": ("OPUS", 48000), "video": ("VP8", 90000)}[kind]
                caps = Gst.Caps.from_string(f"application/x-rtp,media={kind},encoding-name={name},payload={pt},clock-rate={rate}")
                self.bin.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)

    def found(self, _, index, candidate):
        init = {"candidate": candidate, "sdpMLineIndex": index}
        asyncio.run_coroutine_threadsafe(self.s.send_candidate(self.to, init), self.loop)

    def added(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps().get_structure(0)
        kind = caps.get_string("media")
        chain = "queue ! rtpopusdepay ! opusdec" if kind == "audio" else "queue ! rtpvp8depay ! vp8dec"
        sink = Gst.parse_bin_from_description(chain + " ! fakesink name=sink sync=false", True)
        sink.get_by_name("sink").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.count, kind)
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def count(self, pad, info, kind):
        self.s.came[kind] += 1
        return Gst.PadProbeReturn.OK

    def talk(self, channel):
        def heard(*_):
            self.s.came["data"] += 1

        def hello():
            if self.pipe is not None:
                if channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
                    channel.emit("send-string", "hello")
                self.loop.call_later(0.2, hello)

        channel.connect("on-message-string", heard)
        self.loop.call_soon_threadsafe(hello)

    async def ask(self, signal, *args):
        """Emits a signal that answers by a promise, and waits for the answer."""
        done = self.loop.create_future()
        promise = Gst.Promise.new_with_change_func(lambda p: self.loop.call_soon_threadsafe(done.set_result, p))
        self.bin.emit(signal, *args, promise)
        reply = (await done).get_reply()
        if reply is not None and reply.has_field("error"):
            raise RuntimeError(f"{signal}: {reply.get_value('error').message}")
        return reply

    async def local(self, kind):
        reply = await self.ask(f"create-{kind}", None)
        description = reply.get_value(kind)
        await self.ask("set-local-description", description)
        return description.sdp.as_text()

    async def remote(self, kind, sdp):
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        which = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}[kind]
        await self.ask("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(which, message))

    async def offer(self):
        self.build({} if self.s.media == "data" else {"audio": 111, "video": 96})
        if "data" in self.s.media:
            self.talk(self.bin.emit("create-data-channel", "test", None))
        for _ in range(50):  # until the caps of both sources are known
            pads = [p.get_current_caps() for p in self.bin.sinkpads]
            if all(pads) and (len(pads) == 2 or "both" not in self.s.media):
                break
            await asyncio.sleep(0.1)
        return await self.local("offer")

    async def answer(self, sdp):
        if self.pipe is None:
            found = {"audio": re.search(r"a=rtpmap:(\d+) opus/", sdp, re.I), "video": re.search(r"a=rtpmap:(\d+) VP8/", sdp, re.I)}
            self.build({kind: match[1] for kind, match in found.items() if match})
        await self.remote("offer", sdp)
        return await self.local("answer")

    async def answered(self, sdp):
        await self.remote("answer", sdp)

    async def candidate(self, init):
        self.bin.emit("add-ice-candidate", init.get("sdpMLineIndex") or 0, init["candidate"])

    def state(self):
        if self.pipe is None:
            return "new"
        for kind in ("audio", "video"):
            valve = self.pipe.get_by_name(f"valve-{kind}")
            if valve is not None:
                valve.set_property("drop", self.s.muted[kind])
        return self.bin.get_property("connection-state").value_nick

    async def close(self):
        pipe, self.pipe = self.pipe, None
        if pipe is not None:
            await self.loop.run_in_executor(None, pipe.set_state, Gst.State.NULL)


asyncio.run(session.main(Connection))
