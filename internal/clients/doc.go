//go:build linux

// Package clients is the laboratory of stock clients: programs with somebody else's WebRTC library call the page, themselves
// and one another, through the real server. What comes of each is in docs/clients.md, which the tests write and hold.
//
// # Types
//
// A lab is a server, the page in a browser, and a client, each of the two ends behind a home of its own, whose UDP can be
// cut and whose address can change. A row of the table is a path and a situation, its columns are the clients.
//
// # A new client
//
// A client is one file in the folder drivers (or a folder, in Go), and a line in the table of clients. It is started with the
// server's URL, its name, and what it shall do, {"path": "direct" | "udp" | "tcp" | "tls", "media": "both" | "receive" |
// "data" | "both data", "relay": bool}: with a path that is not direct it uses that TURN alone. It joins, and answers whoever
// calls. A line that it reads is "call NAME", "end", "mute KIND" or "unmute KIND"; every 100 ms it writes its status as
// JSON: joined, call (none, accepted), ended (the last reason), error, peer (what the other side says it sends), state
// (of the connection), and how much has come: packets of audio, pictures as video, messages as data.
//
// # Goroutines and locks
//
// A test uses its clients from its own goroutine. What they print is collected by goroutines that end with the process they
// listen to, into an [e2e.Log], which has a lock. All runs in a world of its own (see [e2e.Main]), which the kernel clears
// away.
package clients
