package signaling

// This file sets calls up between users who are free, each as two browsers do, and times every message that the server
// forwards.

import (
	"context"
	"fmt"
	"strings"
	"time"

	"duet/internal/bench"
)

// call is one call of two users.
type call struct {
	caller, callee *user
	began          time.Time
	// What each side has sent and the other not yet got, in order: the server keeps it.
	toCallee, toCaller []sentMessage
	missing            int // offer, answer and candidates that have not arrived
	ended              bool
}

type sentMessage struct {
	typ string // as it arrives
	at  int64
}

// calling is the state of the phase.
type calling struct {
	offer, answer string
	candidates    []string
	live          int
	hold          []held // calls that are set up, in the order in which they end
	done          int
	wanted        int // calls that found nobody free
	forward       bench.Histogram
	setup         bench.Histogram
	forwarded     uint64
	cursor        int
}

type held struct {
	c     *call
	until time.Time
}

// prepare makes the texts: an SDP as long as wanted, and candidates as browsers write them.
func (k *calling) prepare(o Options) {
	sdp := strings.Builder{}
	sdp.WriteString("v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n")
	for i := 0; sdp.Len() < o.SDP-2; i++ {
		line := fmt.Sprintf("a=rtpmap:%d opus/48000/2\r\n", 96+i%30)
		sdp.WriteString(line[max(0, len(line)-(o.SDP-sdp.Len())):])
	}
	k.offer = fmt.Sprintf(`"offer":{"type":"offer","sdp":%q}`, sdp.String())
	k.answer = fmt.Sprintf(`"answer":{"type":"answer","sdp":%q}`, sdp.String())
	for i := range o.Candidates {
		k.candidates = append(k.candidates, fmt.Sprintf(`"candidate":{"candidate":"candidate:%d 1 udp %d 192.0.2.%d %d typ host generation 0 ufrag EsAw network-id 1","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}`,
			842163049+i, 2122260223-i, 1+i%250, 49152+i))
	}
}

// post sends to the other party and notes when.
func (w *world) post(u *user, typ, arrives, body string) {
	m := sentMessage{arrives, time.Now().UnixNano()}
	if c := u.call; u == c.caller {
		c.toCallee = append(c.toCallee, m)
		body = fmt.Sprintf(`"target":%q,%s`, c.callee.id, body)
	} else {
		c.toCaller = append(c.toCaller, m)
		body = fmt.Sprintf(`"target":%q,%s`, c.caller.id, body)
	}
	w.send(u, typ, strings.TrimSuffix(body, ","))
}

// begin rings somebody who is free. Free users are taken round robin, so that all have calls.
func (w *world) begin() {
	k := &w.calling
	free := func() *user {
		for range w.users {
			k.cursor = (k.cursor + 1) % len(w.users)
			if u := w.users[k.cursor]; u.stage == here && u.call == nil {
				return u
			}
		}
		return nil
	}
	a := free()
	if a == nil {
		k.wanted++
		return
	}
	c := &call{caller: a, began: time.Now(), missing: 2 * (1 + w.o.Candidates)}
	a.call = c
	b := free()
	if b == nil {
		a.call = nil
		k.wanted++
		return
	}
	c.callee, b.call = b, c
	k.live++
	w.post(a, "call", "incomingCall", `"media":{"audio":true,"video":true}`)
}

// callMessage takes a message about a call.
func (w *world) callMessage(u *user, ev event, at int64) {
	c, k := u.call, &w.calling
	switch ev.Type {
	case "incomingCall", "callAnswered", "offer", "answer", "iceCandidate", "callEnded":
	default:
		return // ringing, callStarted and whatever else is news to be ignored
	}
	if c == nil {
		w.fail(fmt.Errorf("user %d got %s without a call", u.index, ev.Type))
		return
	}
	queue := &c.toCaller
	if u == c.callee {
		queue = &c.toCallee
	}
	if len(*queue) == 0 || (*queue)[0].typ != ev.Type {
		w.fail(fmt.Errorf("user %d got %s (%s), which was not its turn", u.index, ev.Type, ev.Reason))
		return
	}
	k.forward.Add(time.Duration(at - (*queue)[0].at))
	k.forwarded++
	*queue = (*queue)[1:]
	switch ev.Type {
	case "incomingCall":
		w.post(u, "callResponse", "callAnswered", `"accepted":true`)
	case "callAnswered":
		if !ev.Accepted {
			w.fail(fmt.Errorf("user %d refused a call with %q", c.callee.index, ev.Reason))
			return
		}
		w.post(u, "offer", "offer", k.offer)
		w.trickle(u)
	case "offer":
		c.missing--
		w.post(u, "answer", "answer", k.answer)
		w.trickle(u)
	case "answer", "iceCandidate":
		c.missing--
	case "callEnded":
		c.caller.call, c.callee.call = nil, nil
		k.live--
		return
	}
	if c.missing == 0 && !c.ended {
		c.ended = true
		k.setup.Add(time.Since(c.began))
		k.done++
		k.hold = append(k.hold, held{c, time.Now().Add(w.o.Hold)})
	}
}

func (w *world) trickle(u *user) {
	for _, text := range w.calling.candidates {
		w.post(u, "iceCandidate", "iceCandidate", text)
	}
}

// calls is the phase of call set-ups.
func (w *world) calls(ctx context.Context, p *printer) error {
	if w.o.CallTime == 0 {
		return nil
	}
	k := &w.calling
	k.prepare(w.o)
	start := time.Now()
	watch := bench.StartWatch(w.process)
	placed := 0
	total := int(w.o.CallRate * w.o.CallTime.Seconds())
	var usage bench.Usage
	err := w.loop(ctx, w.o.CallTime+w.o.Hold+30*time.Second, "calls", func(now time.Time) bool {
		for ; placed < total && now.Sub(start) >= time.Duration(float64(placed)/w.o.CallRate*1e9); placed++ {
			w.begin()
		}
		for len(k.hold) > 0 && !now.Before(k.hold[0].until) {
			w.post(k.hold[0].c.caller, "endCall", "callEnded", "")
			k.hold = k.hold[1:]
		}
		return placed == total && k.live == 0
	})
	usage = watch.Stop()
	if err != nil {
		return err
	}
	us := func(h *bench.Histogram, q float64) float64 { return float64(h.Quantile(q)) / 1000 }
	f := &k.forward
	p.row("calls", "%d set up at %.0f a second (%d B of SDP each way, %d candidates each way); set-up p50 %.1f ms, p99 %.1f",
		k.done, float64(k.done)/usage.Wall.Seconds(), w.o.SDP, w.o.Candidates, us(&k.setup, .5)/1000, us(&k.setup, .99)/1000)
	p.row("latency", "of %d forwarded messages: p50 %.0f µs, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f (handed to the kernel until taken in by it)",
		k.forwarded, us(f, .5), us(f, .9), us(f, .99), us(f, .999), float64(f.Max())/1000)
	p.key("setups", k.done)
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", .5}, {"p99", .99}, {"p999", .999}} {
		p.key(q.name, fmt.Sprintf("%.1f", us(f, q.q)))
	}
	if p.pid {
		all := usage.Server.Seconds() / float64(max(k.done, 1)) * 1000
		net := (usage.Server.Seconds() - w.idleCPU*usage.Wall.Seconds()) / float64(max(k.done, 1)) * 1000
		p.row("cpu", "server %.3f s for each 1,000 set-ups, %.3f without what idling costs (%.2f cores); generator %.2f cores",
			all, net, usage.Server.Seconds()/usage.Wall.Seconds(), usage.Self.Seconds()/usage.Wall.Seconds())
		p.key("setupcpu", fmt.Sprintf("%.4f", all))
	}
	if k.wanted > 0 {
		p.row("warning", "%d calls found no two free users: more users or fewer calls", k.wanted)
	}
	p.usage(usage)
	return nil
}
