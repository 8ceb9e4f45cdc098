//go:build linux

// The laboratory's own life: it leaves nothing behind, whatever happens to its process.

package natlab

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const crashEnv = "NATLAB_TEST_CRASH"

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crash()
	}
	// The tests wait for packets most of the time. A -parallel on the command line still wins.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// noTest is a T for the process that does not live to the end of its test.
type noTest struct{}

func (noTest) Helper()                           {}
func (noTest) Cleanup(func())                    {}
func (noTest) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (noTest) Skipf(format string, args ...any)  { panic(fmt.Sprintf(format, args...)) }
func (noTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// crash builds a Lab with a program in it, says so, and waits to be killed.
func crash() {
	l := New(noTest{})
	h := l.Network(Home).Host("a", WithDelay())
	sleep := h.Command(context.Background(), "setsid", "sleep", "1000") // a session of its own outlives its parent
	sleep.SysProcAttr = nil
	if err := sleep.Start(); err != nil {
		panic(err)
	}
	for len(members(l.names)) == 0 {
		<-time.After(time.Millisecond)
	}
	fmt.Println(l.id)
	select {}
}

func TestKilledLabIsClearedAway(t *testing.T) {
	alive := New(t) // a Lab of a living process must survive the sweep
	alive.Network(Open)

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := bufio.NewReader(out).ReadString('\n')
	id = strings.TrimSpace(id)
	if err != nil || id == "" {
		t.Fatalf("the child says %q, %v; want its laboratory's id", id, err)
	}
	_ = child.Process.Signal(syscall.SIGKILL)
	_ = child.Wait()
	left := traces(t, id)
	if len(left) < 5 {
		t.Fatalf("the killed laboratory left only %q: nothing to clear away", left)
	}
	var spaces []namespace
	for _, path := range left {
		if filepath.Dir(path) == netnsDir {
			spaces = append(spaces, namespace(filepath.Base(path)))
		}
	}
	pids := members(spaces)
	if len(pids) == 0 {
		t.Fatal("the killed laboratory left no process: nothing to end")
	}

	New(t).Close()
	if left := traces(t, id); len(left) > 0 {
		t.Errorf("still there: %q, want nothing", left)
	}
	for _, pid := range pids {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(state), ") Z ") {
			t.Errorf("process %d still lives: %s", pid, state)
		}
	}
	if left := traces(t, alive.id); len(left) < 3 {
		t.Errorf("of the living laboratory only %q is left", left)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	lab := New(t)
	h := lab.Network(GuestHairpin).Host("a", WithDelay())
	lab.Reflector()
	lab.Network(ProxyOnly).Proxy()
	lab.Name("call.example", netip.MustParseAddr("45.80.1.1"))
	sleep := h.Command(t.Context(), "sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	lab.Close()
	_ = sleep.Wait() // it was killed
	if left := traces(t, lab.id); len(left) > 0 {
		t.Errorf("still there: %q, want nothing", left)
	}
}

// traces are the paths that carry a laboratory's id.
func traces(t *testing.T, id string) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{netnsDir + "/*", netnsEtcDir + "/*", lockDir + "/*", os.TempDir() + "/" + prefix + "*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if strings.Contains(filepath.Base(p), id) {
				all = append(all, p)
			}
		}
	}
	return all
}
