package signaling

// This file has the phases about coming and going: the storm of joins, idleness, churn, roaming, and the end.

import (
	"context"
	"fmt"
	"slices"
	"time"

	"duet/internal/bench"
)

// settleTime is how long everybody may take to see what is true.
const settleTime = 2 * time.Minute

// storm lets everybody join, some at a time, and waits until all see all.
func (w *world) storm(ctx context.Context, p *printer) error {
	before := w.process.RSS()
	w.rssBefore = before
	watch := bench.StartWatch(w.process)
	start := time.Now()
	next := 0
	err := w.loop(ctx, 10*time.Minute, "joins", func(time.Time) bool {
		for w.pending < w.o.Joins && next < w.o.Users && w.err == nil {
			w.pending++
			if err := w.dial(w.users[next]); err != nil {
				w.fail(err)
			}
			next++
		}
		return next == w.o.Users && w.pending == 0
	})
	if err != nil {
		return err
	}
	joined := time.Since(start)
	p.row("joins", "%d users, %d at a time: %.2f s, %.0f a second; one took p50 %.1f ms, p99 %.1f", w.o.Users, w.o.Joins, joined.Seconds(),
		float64(w.o.Users)/joined.Seconds(), w.joined.Quantile(.5).Seconds()*1000, w.joined.Quantile(.99).Seconds()*1000)
	p.key("users", w.o.Users)
	p.key("storm", fmt.Sprintf("%.3f", joined.Seconds()))
	if err := w.settled(ctx, p, "settled", "everybody sees all %d users", w.o.Users); err != nil {
		return err
	}
	usage := watch.Stop()
	if p.pid {
		p.row("cpu", "server %.2f s for the storm, %.3f ms for each join; generator %.2f s", usage.Server.Seconds(),
			usage.Server.Seconds()*1000/float64(w.o.Users), usage.Self.Seconds())
		p.key("stormcpu", fmt.Sprintf("%.3f", usage.Server.Seconds()))
	}
	p.usage(usage)
	return nil
}

// settled waits until everybody sees who is here, and says how long that took.
func (w *world) settled(ctx context.Context, p *printer, key, format string, args ...any) error {
	if w.o.Presence == "none" {
		return nil
	}
	start := time.Now()
	w.judgeAll()
	err := w.loop(ctx, settleTime, "presence", func(time.Time) bool { return w.mistaken == 0 })
	if err != nil {
		return fmt.Errorf("%d of %d users do not see who is here: %w", w.mistaken, len(w.users), err)
	}
	w.judging = false
	took := time.Since(start)
	p.row("presence", "%.2f s after the last, %s (%.1f MB received)", took.Seconds(), fmt.Sprintf(format, args...), float64(w.listBytes)/1e6)
	p.key(key, fmt.Sprintf("%.3f", took.Seconds()))
	return nil
}

// idle waits, then reads the memory and what doing nothing costs.
func (w *world) idle(ctx context.Context, p *printer) error {
	if w.o.Settle == 0 {
		return nil
	}
	watch := bench.StartWatch(w.process)
	start := time.Now()
	if err := w.loop(ctx, w.o.Settle+time.Minute, "idle", func(now time.Time) bool { return now.Sub(start) >= w.o.Settle }); err != nil {
		return err
	}
	usage := watch.Stop()
	if !p.pid {
		return nil
	}
	w.idleCPU = usage.Server.Seconds() / usage.Wall.Seconds()
	rss := w.process.RSS()
	each := float64(rss-w.rssBefore) / float64(w.o.Users) / 1024
	p.row("memory", "%.2f KiB for each of %d idle users (%.1f MiB before, %.1f with them), after %s of idling at %.3f cores",
		each, w.o.Users, float64(w.rssBefore)/(1<<20), float64(rss)/(1<<20), w.o.Settle, w.idleCPU)
	p.key("kib", fmt.Sprintf("%.3f", each))
	p.key("idlecores", fmt.Sprintf("%.4f", w.idleCPU))
	return nil
}

// churn lets strangers come and others go in turns, and sees what each event costs. Who comes stays: a server that
// gathers news would not even mention a guest who leaves at once.
func (w *world) churn(ctx context.Context, p *printer) error {
	if w.o.ChurnTime == 0 {
		return nil
	}
	w.joined = bench.Histogram{}
	listsBefore, bytesBefore, allBefore := w.lists, w.listBytes, w.streams.Received
	watch := bench.StartWatch(w.process)
	start := time.Now()
	total := int(w.o.ChurnRate*w.o.ChurnTime.Seconds()) &^ 1
	events := 0
	leaving := slices.Clone(w.users)
	slices.Reverse(leaving)
	err := w.loop(ctx, w.o.ChurnTime+30*time.Second, "churn", func(now time.Time) bool {
		for events < total && now.Sub(start) >= time.Duration(float64(events)/w.o.ChurnRate*1e9) && w.err == nil {
			if events%2 == 1 {
				if leaving[0].stage != here {
					break // a guest whose join takes longer than the time between two events
				}
				w.close(leaving[0])
				leaving = leaving[1:]
			} else {
				u := w.add()
				w.pending++
				if err := w.dial(u); err != nil {
					w.fail(err)
				}
				leaving = append(leaving, u)
			}
			events++
		}
		return events == total && w.pending == 0
	})
	if err != nil {
		return err
	}
	usage := watch.Stop()
	perEvent := func(v float64) float64 { return v / float64(events) }
	p.row("churn", "%d joins and leaves at %.0f a second among %d users: each made %.2f MB of traffic in %.0f messages", events,
		float64(events)/usage.Wall.Seconds(), w.o.Users, perEvent(float64(w.streams.Received-allBefore))/1e6, perEvent(float64(w.lists-listsBefore)))
	p.key("eventmb", fmt.Sprintf("%.4f", perEvent(float64(w.listBytes-bytesBefore))/1e6))
	if p.pid {
		net := usage.Server.Seconds() - w.idleCPU*usage.Wall.Seconds()
		p.row("cpu", "server %.3f ms for each join or leave, %.3f without what idling costs (%.2f cores); generator %.2f cores",
			perEvent(usage.Server.Seconds())*1000, perEvent(net)*1000, usage.Server.Seconds()/usage.Wall.Seconds(), usage.Self.Seconds()/usage.Wall.Seconds())
		p.key("eventms", fmt.Sprintf("%.4f", perEvent(usage.Server.Seconds())*1000))
	}
	p.usage(usage)
	return w.settled(ctx, p, "churnsettled", "everybody sees who is left")
}

// close leaves for good.
func (w *world) close(u *user) {
	if w.o.Polling { // its poll waits, so nothing can be said on this connection
		u.stream.Close()
		u.stage = away
		return
	}
	if w.o.SocketIO {
		u.stream.Write(appendFrame(nil, opText, []byte("41")))
	}
	u.stream.Write(appendFrame(nil, opClose, []byte{1000 >> 8, 1000 & 0xff}))
	u.stage = away
	w.present.put(u.index, false)
}

// roam cuts connections and resumes them at once.
func (w *world) roam(ctx context.Context, p *printer) error {
	if w.o.RoamTime == 0 || !w.o.resumes() {
		return nil
	}
	watch := bench.StartWatch(w.process)
	start := time.Now()
	var users []*user
	for _, u := range w.users {
		if u.stage == here {
			users = append(users, u)
		}
	}
	total := min(int(w.o.RoamRate*w.o.RoamTime.Seconds()), len(users))
	moved := 0
	err := w.loop(ctx, w.o.RoamTime+30*time.Second, "roaming", func(now time.Time) bool {
		for ; moved < total && now.Sub(start) >= time.Duration(float64(moved)/w.o.RoamRate*1e9) && w.err == nil; moved++ {
			u := users[moved]
			u.drop()
			w.pending++
			if err := w.dial(u); err != nil {
				w.fail(err)
			}
		}
		return moved == total && w.pending == 0
	})
	if err != nil {
		return err
	}
	usage := watch.Stop()
	ms := func(q float64) float64 { return w.roamed.Quantile(q).Seconds() * 1000 }
	p.row("roams", "%d connections cut and resumed: new connection to welcome p50 %.2f ms, p99 %.2f", moved, ms(.5), ms(.99))
	p.key("roam", fmt.Sprintf("%.3f", ms(.5)))
	if p.pid && moved > 0 {
		net := usage.Server.Seconds() - w.idleCPU*usage.Wall.Seconds()
		p.row("cpu", "server %.3f ms for each, %.3f without what idling costs", usage.Server.Seconds()*1000/float64(moved), net*1000/float64(moved))
		p.key("roamms", fmt.Sprintf("%.4f", usage.Server.Seconds()*1000/float64(moved)))
	}
	return nil
}

// leave says goodbye for everybody: a server that keeps sessions should not keep these.
func (w *world) leave(ctx context.Context) {
	for _, u := range w.users {
		if u.stage == here {
			w.close(u)
		}
	}
	open := func() bool {
		for _, u := range w.users {
			if u.stream != nil && !u.stream.Closed() {
				return true
			}
		}
		return false
	}
	// What goes wrong now is no news about the measurement.
	_ = w.loop(ctx, 3*time.Second, "leaving", func(time.Time) bool { return !open() })
}
