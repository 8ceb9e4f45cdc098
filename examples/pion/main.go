// Command pion is a robot in Go: it calls somebody, or answers whoever calls, with a tone and a still picture:
//
//	go run ./examples/pion ws://localhost:8080/ws Robot [-relay] [whom to call]
//
// One goroutine has all of a call (call.go), one writes what is sent, one plays, one counts. pion's callbacks only count
// and send. There is no lock.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// 20 ms of 400 Hz in Opus, and a blue key frame of VP8.
const (
	tone    = "+LvtelxK5ak5/xnrfWNEKciqNPwIwDhthNHtAvdcInzbA1HrPcXzuQ=="
	picture = "0AIAnQEqQAAwAAOHCIWFiJmEiBOCAnTyZro0eb8Wd8D+899n/srH/+lY//0rH7wXVVPX36A="
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: pion URL NAME [-relay] [WHOM]")
		os.Exit(2)
	}
	args := os.Args[3:]
	r := &robot{
		out:   make(chan fields, 100),
		pcs:   make(map[string]*webrtc.PeerConnection),
		early: make(map[string][]webrtc.ICECandidateInit),
		sound: track(webrtc.MimeTypeOpus), film: track(webrtc.MimeTypeVP8),
	}
	if len(args) > 0 && args[0] == "-relay" {
		r.relays, args = true, args[1:]
	}
	ws, _, err := websocket.DefaultDialer.Dial(os.Args[1], nil)
	must(ws, err)
	go func() {
		for m := range r.out {
			must(m, ws.WriteJSON(m))
		}
	}()
	join := fields{"type": "join", "username": os.Args[2]}
	if r.relays {
		join["features"] = []string{"call-state"} // it takes part in relaying
	}
	r.out <- join
	if len(args) > 0 {
		r.out <- fields{"type": "call", "target": args[0]}
	}
	go play(r.sound, tone, 20*time.Millisecond)
	go play(r.film, picture, 100*time.Millisecond)
	go func() {
		for range time.Tick(time.Second) {
			fmt.Println("packets of sound and pictures:", r.came[webrtc.RTPCodecTypeAudio].Load(), r.came[webrtc.RTPCodecTypeVideo].Load())
		}
	}()
	for {
		var m message
		must(m, ws.ReadJSON(&m))
		if m.Reason != "" || m.Type == "error" {
			fmt.Println(m.Type, m.Reason, m.Message)
		}
		r.handle(m)
	}
}

func keyOf(d webrtc.SessionDescription) string {
	_, rest, _ := strings.Cut(d.SDP, "a=fingerprint:")
	key, _, _ := strings.Cut(rest, "\r\n")
	return key
}

// message has the fields that a robot reads.
type message struct {
	Type, SenderID, Reason, Message string
	Accepted                        bool
	ICEServers                      []webrtc.ICEServer
	Offer, Answer                   webrtc.SessionDescription
	Candidate                       *webrtc.ICECandidateInit
}

func track(codec string) *webrtc.TrackLocalStaticSample {
	return must(webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: codec}, codec, "robot"))
}

// play sends one thing again and again.
func play(t *webrtc.TrackLocalStaticSample, what string, every time.Duration) {
	data := must(base64.StdEncoding.DecodeString(what))
	for range time.Tick(every) {
		t.WriteSample(media.Sample{Data: data, Duration: every})
	}
}

// must ends the robot at the first thing that goes wrong.
func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}
