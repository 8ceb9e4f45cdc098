//go:build linux

package clients

// The table in docs/clients.md: read, held true, written.

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
)

const document = "../../docs/clients.md"

// Between these lines of the document the test writes.
const begins, endsHere = "<!-- from here on written by internal/clients -->\n", "<!-- to here -->\n"

// cell is what came of a client in a situation: "ok", "no", or "–" for what its library cannot do, and what to say of it.
type cell struct{ sign, why string }

// table has cells by path, situation and client.
type table struct {
	cells map[[3]string]cell // as the document has them
	found map[[3]string]cell // by this run
	all   []column
}

// readTable reads the cells; what a note says of a cell is read with it.
func readTable(t *testing.T, all []column) *table {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	tab := &table{map[[3]string]cell{}, map[[3]string]cell{}, all}
	var path string
	var names []string
	_, rest, found := strings.Cut(string(text), begins)
	body, _, closed := strings.Cut(rest, endsHere)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", document)
	}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "### "):
			path, names = line[4:], nil
		case strings.HasPrefix(line, "| ---"):
		case strings.HasPrefix(line, "| "):
			words := strings.Split(strings.Trim(line, "| "), " | ")
			if names == nil {
				names = words
				break
			}
			for i, name := range names[1:] {
				if i+1 < len(words) && words[i+1] != "·" {
					tab.cells[[3]string{path, words[0], name}] = cell{sign: strings.Trim(words[i+1], "* ")}
				}
			}
		case strings.HasPrefix(line, "- "): // "- client, situation: what there is to say"
			what, why, _ := strings.Cut(line[2:], ": ")
			name, row, _ := strings.Cut(what, ", ")
			key := [3]string{path, row, name}
			if c, ok := tab.cells[key]; ok {
				c.why = why
				tab.cells[key] = c
			}
		}
	}
	return tab
}

// set notes a cell. What the document calls good must be so, unless the document is being written.
func (tab *table) set(t *testing.T, path, row, name string, c cell) {
	t.Helper()
	key := [3]string{path, row, name}
	if was := tab.cells[key]; was.sign == "ok" && c.sign == "no" && os.Getenv("DUET_TEST_WRITE") == "" {
		t.Errorf("%s, %s, %s: docs/clients.md says ok, and now %s", path, row, name, c.why)
	}
	tab.found[key] = c
	if os.Getenv("DUET_TEST_WRITE") != "" {
		tab.write(t) // at once: a run may be broken off
	}
}

// has tells whether anything is known of a path.
func (tab *table) has(path string) bool {
	for key := range tab.cells {
		if key[0] == path {
			return true
		}
	}
	return false
}

// write puts what was found into the document, beside what another run has written meanwhile.
func (tab *table) write(t *testing.T) {
	t.Helper()
	tab.cells = readTable(t, tab.all).cells
	maps.Copy(tab.cells, tab.found)
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begins)
	_, after, _ := strings.Cut(rest, endsHere)
	var b strings.Builder
	all := tab.all
	type part struct {
		name string
		rows []string
	}
	var parts []part
	for _, p := range paths() {
		one := part{name: p.name}
		for _, row := range p.rows {
			one.rows = append(one.rows, row.name)
		}
		parts = append(parts, one)
	}
	for _, p := range pairings {
		one := part{name: p.name}
		for _, c := range all {
			if c.browser == nil {
				one.rows = append(one.rows, c.name+" calls")
			}
		}
		parts = append(parts, one)
	}
	for _, p := range parts {
		if !tab.has(p.name) {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n| situation |", p.name)
		for _, c := range all {
			b.WriteString(" " + c.name + " |")
		}
		b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(all)) + "\n")
		var notes strings.Builder
		for _, row := range p.rows {
			b.WriteString("| " + row + " |")
			for _, c := range all {
				got, ok := tab.cells[[3]string{p.name, row, c.name}]
				switch {
				case !ok:
					b.WriteString(" · |") // not tried
				case got.sign == "no":
					b.WriteString(" **no** |")
				default:
					b.WriteString(" " + got.sign + " |")
				}
				if got.why != "" {
					fmt.Fprintf(&notes, "- %s, %s: %s\n", c.name, row, got.why)
				}
			}
			b.WriteString("\n")
		}
		if notes.Len() > 0 {
			b.WriteString("\n" + notes.String())
		}
	}
	if err := os.WriteFile(document, []byte(before+begins+b.String()+"\n"+endsHere+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
