"""Two users of python-socketio call each other. python3 call.py URL TRANSPORTS"""
import os
import queue
import sys

import socketio

url, transports = sys.argv[1], sys.argv[2].split(",")
EVENTS = ["userList", "incomingCall", "callAnswered", "offer", "answer", "iceCandidate", "mediaStateChange", "callEnded", "error"]


class User:
    def __init__(self, name):
        self.name, self.got = name, queue.Queue()
        self.client = socketio.Client()
        for event in EVENTS:
            self.client.on(event, lambda data, *_, event=event: self.got.put((event, data)))
        self.client.connect(url, transports=transports)
        self.client.emit("join", {"username": name})

    def next(self, event):
        while True:
            got, data = self.got.get(timeout=30)
            if got == event:
                return data
            assert got != "error", (self.name, data)


NAMES = [f"{name} {os.getpid()}" for name in ("Ann", "Bob")]  # others may have been here a moment ago
a, b = map(User, NAMES)
while not any(u["username"] == b.name for u in a.next("userList")["users"]):
    pass
assert a.client.call("call", {"target": b.name}, timeout=30) is None  # acknowledged, with nothing
assert b.next("incomingCall")["caller"] == a.name
b.client.emit("callResponse", {"accepted": True})
assert a.next("callAnswered")["accepted"]
for x, y in ((a, b), (b, a)):
    x.client.emit("iceCandidate", {"candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.1 5000 typ host"}})
    assert y.next("iceCandidate")["sender"] == x.name
    x.client.emit("mediaStateChange", {"mediaType": "video", "enabled": False})
    assert y.next("mediaStateChange")["enabled"] is False
a.client.emit("offer", {"target": b.name, "offer": {"type": "offer", "sdp": b"v=0"}})  # with an attachment, which is dropped
assert a.got.get(timeout=30)[1]["code"] == "bad-message"
a.client.emit("endCall", {})
assert b.next("callEnded")["reason"] == "hangup"
for x in (a, b):
    x.client.disconnect()
