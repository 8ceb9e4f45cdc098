package bench

import (
	"strings"
	"testing"
	"time"
)

func TestProcessReadsItself(t *testing.T) {
	if err := Self().Check(); err != nil {
		t.Fatal(err)
	}
	if rss := Self().RSS(); rss < 1<<20 || rss > 1<<34 {
		t.Errorf("resident memory of %d bytes", rss)
	}
	w := StartWatch(Self())
	n := 0
	for start := Self().CPU(); Self().CPU()-start < 20*time.Millisecond; n++ {
	}
	u := w.Stop()
	if u.Server < 20*time.Millisecond || u.Self < 20*time.Millisecond || u.Wall < u.Self/64 {
		t.Errorf("after 20 ms of work: %+v", u)
	}
	if err := (Process{1 << 30}).Check(); err == nil {
		t.Error("a process that cannot be there passes")
	}
	if p := (Process{}); p.Check() != nil || p.CPU() != 0 || p.RSS() != 0 {
		t.Error("no process is not zero")
	}
	if m := Machine(); !strings.Contains(m, "cores") {
		t.Error(m)
	}
}

func TestDoubts(t *testing.T) {
	if d := (Usage{Others: 0.2, Stolen: 0.002}).Doubts(); len(d) != 0 {
		t.Errorf("a calm machine is doubted: %q", d)
	}
	if d := (Usage{Others: 0.4, Stolen: 0.01}).Doubts(); len(d) != 2 || !strings.Contains(d[1], "1.0 %") {
		t.Errorf("a machine with other work whose host took 1 %% of a core: %q", d)
	}
}
