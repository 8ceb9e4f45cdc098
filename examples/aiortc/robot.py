#!/usr/bin/python3
"""A robot in Python: it calls somebody, or answers whoever calls, with silence and a green picture. README.md has more."""
import asyncio
import json
import re
import sys

import websockets
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp

# aiortc before 1.5 gives two header extensions one id, and browsers refuse such offers.
HEADER_EXTENSIONS["audio"][1].id = 3

KEY = re.compile("a=fingerprint:(.*)")  # by which a connection is known
# The connections that are of no more use after a message.
ENDS = {"relayReady": [""], "relayStop": ["relay"], "relayFailed": ["relay"], "callEnded": ["", "relay"]}


def candidate_of(init):
    candidate = candidate_from_sdp(init["candidate"].split(":", 1)[1])
    candidate.sdpMid, candidate.sdpMLineIndex = init.get("sdpMid"), init.get("sdpMLineIndex")
    return candidate


class Robot:
    def __init__(self, ws, relays, whom):
        self.ws, self.relays, self.whom = ws, relays, whom
        self.pcs = {"": None, "relay": None}  # to the other party, and to the server
        self.early = {"": [], "relay": []}  # candidates whose description has not come
        self.came = {"audio": 0, "video": 0}  # decoded frames
        self.ice, self.theirs, self.tasks = [], None, []  # theirs: the key of the other party's connection

    async def send(self, **message):
        await self.ws.send(json.dumps(message))

    def connect(self, to):
        pc = self.pcs[to] = RTCPeerConnection(RTCConfiguration([] if to else [RTCIceServer(**s) for s in self.ice]))
        pc.addTrack(AudioStreamTrack())
        pc.addTrack(VideoStreamTrack())
        pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.count(track))))
        return pc

    async def count(self, track):
        try:
            while True:
                await track.recv()
                self.came[track.kind] += 1
        except MediaStreamError:
            pass  # the track has ended

    async def offer(self, to):
        pc = self.connect(to)
        await pc.setLocalDescription(await pc.createOffer())  # with all candidates: aiortc does not trickle
        await self.send(type="offer", target=to, offer=vars(pc.localDescription))

    async def answer(self, offer):
        self.theirs = KEY.search(offer["sdp"])[1]
        pc = self.pcs[""] or self.connect("")
        await pc.setRemoteDescription(RTCSessionDescription(**offer))
        await pc.setLocalDescription(await pc.createAnswer())
        await self.send(type="answer", answer=vars(pc.localDescription))

    async def drop(self, *which):
        for to in which:
            pc, self.pcs[to] = self.pcs[to], None
            if pc is not None:
                await pc.close()

    async def on(self, m):
        kind, source = m["type"], "relay" if m.get("senderId") == "relay" else ""
        if kind == "welcome":
            self.ice = m["iceServers"]
            if self.whom:
                await self.send(type="call", target=self.whom)
        elif kind == "incomingCall":
            await self.send(type="callResponse", accepted=True)
        elif kind == "callAnswered" and m["accepted"]:
            await (self.send(type="relayRequest", reason="user") if self.relays else self.offer(""))
        elif kind == "offer":  # the first, or a later one: for the same connection, unless its key is another
            if self.theirs != KEY.search(m["offer"]["sdp"])[1]:
                await self.drop("")
            await self.answer(m["offer"])
        elif kind == "answer" and self.pcs[source]:
            self.theirs = self.theirs if source else KEY.search(m["answer"]["sdp"])[1]
            await self.pcs[source].setRemoteDescription(RTCSessionDescription(**m["answer"]))
        elif kind == "iceCandidate" and (m["candidate"] or {}).get("candidate"):
            self.early[source].append(candidate_of(m["candidate"]))
        elif kind == "relayStart" and self.relays:
            await self.drop("relay")
            await self.offer("relay")
        elif kind == "callEnded":
            self.early = {"": [], "relay": []}
        await self.drop(*ENDS.get(kind, ()))
        pc = self.pcs[source]
        while pc and pc.remoteDescription and self.early[source]:
            await pc.addIceCandidate(self.early[source].pop(0))
        if "reason" in m or kind == "error":
            print(kind, m.get("reason", ""), m.get("message", ""), flush=True)

    async def report(self):
        while True:
            await asyncio.sleep(1)
            print("frames of sound and pictures:", self.came["audio"], self.came["video"], flush=True)


async def main(url, name, *rest):
    relays = rest[:1] == ("-relay",)
    async with websockets.connect(url) as ws:
        robot = Robot(ws, relays, "".join(rest[relays:]))
        robot.tasks.append(asyncio.ensure_future(robot.report()))
        await robot.send(type="join", username=name, features=["call-state"] if relays else [])  # who takes part in relaying
        async for message in ws:
            await robot.on(json.loads(message))


asyncio.run(main(*sys.argv[1:]))
