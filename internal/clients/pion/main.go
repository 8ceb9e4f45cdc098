// Command pion is the client with pion/webrtc of the laboratory of stock clients; package clients says what its lines are.
//
// One goroutine has the call; others read the socket and the lines, write, and play, and hand it what they have. The counts
// are atomic. There is no lock.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
)

func main() {
	url, name := os.Args[1], os.Args[2]
	var o options
	if err := json.Unmarshal([]byte(os.Args[3]), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	s := &session{options: o, out: make(chan fields, 1000), pcs: map[string]*connection{}, early: map[string][]webrtc.ICECandidateInit{}}
	s.status.Call, s.status.Peer = "none", media{true, true}
	do := make(chan func())
	join := fields{"type": "join", "username": name}
	if o.Relay {
		join["features"] = []string{"call-state"}
	}
	go socket(url, join, s, do)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			command, arg, _ := strings.Cut(lines.Text(), " ")
			do <- func() { s.command(command, arg) }
		}
		os.Exit(0)
	}()
	for every := time.Tick(100 * time.Millisecond); ; {
		select {
		case work := <-do:
			work()
		case <-every:
			s.say()
		}
	}
}

// socket keeps a connection to the server. One that is lost is lost with its call; the next one joins anew.
func socket(url string, join fields, s *session, do chan<- func()) {
	for ; ; time.Sleep(500 * time.Millisecond) {
		ws, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil {
			continue
		}
		done, written := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(written)
			for m := join; ; {
				ws.WriteJSON(m)
				select {
				case m = <-s.out:
				case <-done:
					return
				}
			}
		}()
		for {
			var m message
			if err := ws.ReadJSON(&m); err != nil {
				break
			}
			do <- func() {
				if err := s.on(m); err != nil {
					s.status.Error = m.Type + ": " + err.Error()
				}
			}
		}
		close(done)
		<-written
		ws.Close()
		do <- func() {
			s.status.Joined = false
			s.over("lost")
		}
	}
}

type fields = map[string]any

type options struct {
	Path, Media string
	Relay       bool
}

type media struct {
	Audio bool `json:"audio"`
	Video bool `json:"video"`
}

// message has the fields of all messages that are read.
type message struct {
	Type, SenderID, Reason, Request, Code, Message string
	Accepted, Audio, Video                         bool
	ICEServers                                     []webrtc.ICEServer
	Offer, Answer                                  webrtc.SessionDescription
	Candidate                                      *webrtc.ICECandidateInit
}
