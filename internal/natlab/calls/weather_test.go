//go:build linux

package calls

import (
	"slices"
	"testing"
	"time"
)

// TestWeather: over the relay a call in bad weather is what it would be directly. What make test can afford is one short
// round of the two that ask for most, and a coarse look at it.
func TestWeather(t *testing.T) {
	rounds := 3
	w := NewWorld(t, WorldOptions{})
	var compared []Compared
	for _, c := range weathers {
		if !all() {
			if !slices.Contains([]string{"5 % lost each way", "a downlink of 300 kbit/s"}, c.Name) {
				continue
			}
			rounds, c.Watch, c.Part = 1, 20*time.Second, 0.3
		}
		t.Run(c.Name, func(t *testing.T) {
			r := c.Run(w, rounds)
			compared = append(compared, r)
			if r.Fault != "" {
				t.Error(r.Fault)
			}
		})
	}
	table := Weathers(compared)
	t.Log("\n" + table)
	if err := writeResults("The relay beside the direct way", table); err != nil {
		t.Error(err)
	}
}
