//go:build linux

package calls

import "testing"

// TestTransitions: a call goes on whatever happens to the networks under it, and nobody has to click.
func TestTransitions(t *testing.T) {
	var moves []Moved
	for _, tr := range transitions {
		if tr.Long && !all() {
			continue
		}
		t.Run(tr.Name, func(t *testing.T) {
			w := NewWorld(t, tr.World)
			m := tr.Run(w)
			moves = append(moves, m)
			if m.Fault != "" {
				t.Error(m.Fault)
				w.Server.tell(t.Name())
			}
			t.Logf("from %s to %s: no new picture for %v / %v", m.Was, m.Is, m.Gap[0], m.Gap[1])
		})
	}
	table := Moves(moves)
	t.Log("\n" + table)
	if err := writeResults("Transitions", table); err != nil {
		t.Error(err)
	}
}
