"""What the clients in Python do alike: the twelve messages, the relay's, and the lines to and from the test (doc.go)."""
import asyncio
import json
import re
import sys

import websockets

WANTED = {"udp": r"turn:.*transport=udp", "tcp": r"turn:.*transport=tcp", "tls": r"turns:"}


def servers_for(servers, path):
    """What a path leaves of welcome's list: one URL of one kind."""
    for s in servers:
        urls = s["urls"] if isinstance(s["urls"], list) else [s["urls"]]
        for url in urls:
            if path in WANTED and re.match(WANTED[path], url):
                return [dict(s, urls=[url])]
    return []


def key_of(sdp):
    return re.search(r"a=fingerprint:(\S+ \S+)", sdp)[1]


class Session:
    """connect(session, to, servers) gives what has offer(), answer(sdp), answered(sdp), candidate(init), close(), all of them
    coroutines, and state(). The session has came and muted, by kind, and media; send_candidate(to, init) sends one."""

    def __init__(self, connect, url, name, options):
        self.connect, self.url, self.ws, self.name = connect, url, None, name
        self.path, self.media, self.relays = options["path"], options["media"], options.get("relay")
        self.status = {"joined": False, "call": "none", "ended": "", "error": "", "peer": {"audio": True, "video": True}}
        self.came = {"audio": 0, "video": 0, "data": 0}
        self.muted = {"audio": False, "video": False}
        self.pcs = {"": None, "relay": None}
        self.early = {"": [], "relay": []}  # candidates that came before the description that they belong to
        self.theirs = None  # the key of the other side's connection
        self.servers = []
        self.work = asyncio.Queue()  # one thing after another

    async def send(self, **m):
        await self.ws.send(json.dumps(m))

    async def send_candidate(self, to, init):
        await self.send(type="iceCandidate", target=to, candidate=init)

    def open(self, to):
        self.pcs[to] = self.connect(self, to, [] if to else servers_for(self.servers, self.path))
        return self.pcs[to]

    async def offer(self, to):
        await self.send(type="offer", target=to, offer={"type": "offer", "sdp": await self.open(to).offer()})

    async def drop(self, *which):
        for to in which:
            pc, self.pcs[to] = self.pcs[to], None
            if pc is not None:
                await pc.close()

    async def over(self, reason):
        self.status.update(call="none", ended=reason)
        await self.drop("", "relay")

    async def begin(self):
        await self.drop("", "relay")
        self.early = {"": [], "relay": []}
        self.status.update(call="accepted", ended="", peer={"audio": True, "video": True})

    async def described(self, to):
        self.pcs[to].described = True
        early, self.early[to] = self.early[to], []
        for init in early:
            await self.pcs[to].candidate(init)

    async def on(self, m):
        kind, source = m["type"], "relay" if m.get("senderId") == "relay" else ""
        pc = self.pcs[source]
        if kind == "welcome":
            self.servers = m["iceServers"]
            self.status["joined"] = True
        elif kind == "incomingCall":
            await self.begin()
            await self.send(type="callResponse", accepted=True)
        elif kind == "callAnswered" and not m["accepted"]:
            await self.over(m["reason"])
        elif kind == "callAnswered":
            await self.begin()
            if not self.relays:  # else relayStart comes
                await self.offer("")
        elif kind == "offer":
            if pc and self.theirs != key_of(m["offer"]["sdp"]):
                await self.drop("")  # it begins anew
            self.theirs = key_of(m["offer"]["sdp"])
            sdp = await (self.pcs[""] or self.open("")).answer(m["offer"]["sdp"])
            await self.send(type="answer", answer={"type": "answer", "sdp": sdp})
            await self.described("")
        elif kind == "answer" and pc:
            if m["senderId"] != "relay":
                self.theirs = key_of(m["answer"]["sdp"])
            await pc.answered(m["answer"]["sdp"])
            await self.described(source)
        elif kind == "iceCandidate" and m["candidate"] and m["candidate"].get("candidate"):
            if getattr(pc, "described", False):
                await pc.candidate(m["candidate"])
            else:
                self.early[source].append(m["candidate"])
        elif kind == "mediaStateChange":
            self.status["peer"] = {"audio": m["audio"], "video": m["video"]}
        elif kind == "callEnded":
            await self.over(m["reason"])
        elif kind == "relayStart" and self.relays:
            await self.drop("relay")
            await self.offer("relay")
        elif kind == "relayReady":
            await self.drop("")
        elif kind in ("relayStop", "relayFailed"):
            await self.drop("relay")
        elif kind == "error":
            self.status["error"] = f'{m.get("request")} {m["code"]} {m["message"]}'

    async def command(self, command, *args):
        if command == "call":
            await self.send(type="call", target=args[0])
        elif command == "end":
            await self.send(type="endCall")
            await self.over("own")
        else:
            self.muted[args[0]] = command == "mute"
            await self.send(type="mediaStateChange", mediaType=args[0], enabled=command != "mute")

    async def say(self):
        while True:
            pc = self.pcs[""] or self.pcs["relay"]
            print(json.dumps({**self.status, **self.came, "state": pc.state() if pc else "none"}), flush=True)
            await asyncio.sleep(0.1)

    async def do(self):
        while True:
            work = await self.work.get()
            try:
                await work()
            except Exception as e:  # told to the test, which judges
                self.status["error"] = repr(e)

    async def messages(self):
        while True:  # a lost connection is lost with its call; the next one joins anew
            try:
                async with websockets.connect(self.url, ping_timeout=None) as self.ws:
                    await self.send(type="join", username=self.name, features=["call-state"] if self.relays else [])
                    async for text in self.ws:
                        m = json.loads(text)
                        self.work.put_nowait(lambda m=m: self.on(m))
            except (OSError, websockets.WebSocketException):
                pass
            self.status["joined"] = False
            self.work.put_nowait(lambda: self.over("lost"))
            await asyncio.sleep(0.5)

    async def lines(self):
        reader = asyncio.StreamReader()
        await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            words = line.decode().split()
            self.work.put_nowait(lambda words=words: self.command(*words))

    async def run(self):
        tasks = [asyncio.ensure_future(t) for t in (self.say(), self.do(), self.messages(), self.lines())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def main(connect):
    url, name, options = sys.argv[1:]
    await Session(connect, url, name, json.loads(options)).run()
