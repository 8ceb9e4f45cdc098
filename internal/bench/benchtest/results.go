// Package benchtest is what the tests of the benchmarks share. It owns nothing: no goroutine, no lock.
package benchtest

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var figure = regexp.MustCompile(`(\w+)=(-?[0-9.]+)`)

// Results reads the line for scripts with which a benchmark's output ends.
func Results(t *testing.T, out string) map[string]float64 {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, "result ") {
		t.Fatalf("the last line is no result: %q", last)
	}
	all := map[string]float64{}
	for _, m := range figure.FindAllStringSubmatch(last, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		all[m[1]] = v
	}
	return all
}
