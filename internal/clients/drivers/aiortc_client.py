"""aiortc, WebRTC in Python."""
import asyncio

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp

import session

# aiortc before 1.5 gives two header extensions one id, and browsers refuse such offers.
HEADER_EXTENSIONS["audio"][1].id = 3


class Connection:
    def __init__(self, s, to, servers):
        self.s, self.tasks = s, []
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(**x) for x in servers]))
        if "both" in s.media:
            for track in (AudioStreamTrack(), VideoStreamTrack()):
                self.pc.addTrack(self.muting(track))
        self.pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.count(track))))
        self.pc.on("datachannel", self.talk)

    def muting(self, track):
        recv = track.recv

        async def unless_muted():
            frame = await recv()
            while self.s.muted[track.kind]:
                frame = await recv()
            return frame

        track.recv = unless_muted
        return track

    async def count(self, track):
        try:
            while True:
                await track.recv()
                self.s.came[track.kind] += 1
        except MediaStreamError:
            pass  # the track has ended

    def talk(self, channel):
        def heard(_):
            self.s.came["data"] += 1

        async def hello():
            while channel.readyState != "closed":
                if channel.readyState == "open":
                    channel.send("hello")
                await asyncio.sleep(0.2)

        channel.on("message", heard)
        self.tasks.append(asyncio.ensure_future(hello()))

    async def local(self, description):
        await self.pc.setLocalDescription(description)
        return self.pc.localDescription.sdp

    async def offer(self):
        if self.s.media == "receive":
            for kind in ("audio", "video"):
                self.pc.addTransceiver(kind, direction="recvonly")
        if "data" in self.s.media:
            self.talk(self.pc.createDataChannel("test"))
        return await self.local(await self.pc.createOffer())

    async def answer(self, sdp):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        return await self.local(await self.pc.createAnswer())

    async def answered(self, sdp):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def candidate(self, init):
        candidate = candidate_from_sdp(init["candidate"].split(":", 1)[1])
        candidate.sdpMid, candidate.sdpMLineIndex = init.get("sdpMid"), init.get("sdpMLineIndex")
        await self.pc.addIceCandidate(candidate)

    def state(self):
        return self.pc.connectionState

    async def close(self):
        await self.pc.close()
        for task in self.tasks:
            task.cancel()


asyncio.run(session.main(Connection))
