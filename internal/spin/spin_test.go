package spin

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestWatch runs itself as a process that spins.
func TestWatch(t *testing.T) {
	const child = "DUET_TEST_SPIN"
	if os.Getenv(child) != "" {
		Watch(t)
		for endless := true; endless; {
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.Dir = t.TempDir() // for a core file, where the system makes them
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "spin: TestWatch has not ended after 2s") || !strings.Contains(string(out), "spin_test.go") {
		t.Errorf("a test that spins ended with %v and said\n%s", err, out)
	}
}
