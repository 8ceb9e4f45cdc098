//go:build linux

package clients

// The world of these tests, and programs in it.

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"duet/internal/e2e"
)

// patience is how long anything may take on a busy machine before it counts as never.
const patience = 45 * time.Second

func TestMain(m *testing.M) { e2e.Main(m) }

// run starts a command that ends with the test, and gives what it says.
func run(t testing.TB, name string, cmd *exec.Cmd) *e2e.Log {
	t.Helper()
	var said e2e.Log
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said.String())
		}
	})
	return &said
}

// built is a program of this module.
func built(t testing.TB, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", file, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return file
}

// withModules is a copy of a folder's scripts beside the packages that the tests have from npm.
func withModules(t testing.TB, folder string) string {
	t.Helper()
	modules, err := filepath.Abs("../../.ci/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}
