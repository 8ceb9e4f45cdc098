//go:build linux

// Results as a document.

package calls

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Table is a list of results in Markdown, with a summary above it.
func Table(results []Result) string {
	var b strings.Builder
	good := 0
	setups := make(map[string][]time.Duration)
	for _, r := range results {
		if r.Fault == "" {
			good++
			kind := r.Path
			if _, how, ok := strings.Cut(r.How, "relay/"); ok && kind == turn {
				kind += " over " + strings.Fields(how)[0]
			}
			setups[kind] = append(setups[kind], r.setup())
		}
	}
	fmt.Fprintf(&b, "%d of %d calls connected as they should.\n\n", good, len(results))
	b.WriteString("| path | calls | accept to first picture at both, median | slowest |\n| --- | --- | --- | --- |\n")
	for _, kind := range sortedKeys(setups) {
		all := setups[kind]
		slices.Sort(all)
		fmt.Fprintf(&b, "| %s | %d | %d ms | %d ms |\n", kind, len(all), all[len(all)/2].Milliseconds(), all[len(all)-1].Milliseconds())
	}
	b.WriteString("\n| caller's network | callee's network | path | selected candidates, caller – callee | accept to first picture, caller / callee | frames seen | freezes | |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		verdict := "ok"
		if r.Fault != "" {
			verdict = "**" + oneLine(r.Fault) + "**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d / %d ms | %d / %d | %d / %d | %s |\n", r.From, r.To, r.Path, r.How,
			r.Setup[0].Milliseconds(), r.Setup[1].Milliseconds(), r.Frames[0], r.Frames[1], r.Freezes[0], r.Freezes[1], verdict)
	}
	return b.String()
}

// oneLine is the beginning of a fault, for a cell of a table.
func oneLine(fault string) string {
	line, _, _ := strings.Cut(fault, "\n")
	return strings.ReplaceAll(line, "|", "/")
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// results is the file that README shows. It is written by the whole grid only; NATLAB_RESULTS names another file, and has
// a shorter run write too.
func writeResults(section, text string) error {
	path := os.Getenv("NATLAB_RESULTS")
	if path == "" {
		if !all() {
			return nil
		}
		path = "../RESULTS.md"
	}
	const opening = "# What the laboratory measured\n\nTwo browsers, Chromium where no other is named, call each other through the real program, each behind the network named,\n" +
		"on one machine with two cores that did all the work. `make test-all` makes this anew; each\n" +
		"table tells when it was measured, and how busy the machine was.\n"
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		// Times are worth what the machine had left to give.
		text = fmt.Sprintf("%s; load average at the end %s.\n\n%s", time.Now().UTC().Format("2006-01-02"), strings.Join(strings.Fields(string(load))[:3], ", "), text)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		old = []byte(opening)
	}
	return os.WriteFile(path, []byte(replaceSection(string(old), section, text)), 0o644)
}

// replaceSection puts text below the heading, in place of what was there.
func replaceSection(doc, heading, text string) string {
	head := "\n## " + heading + "\n"
	body := head + "\n" + strings.TrimSpace(text) + "\n"
	start := strings.Index(doc, head)
	if start < 0 {
		return strings.TrimRight(doc, "\n") + "\n" + body
	}
	rest := doc[start+len(head):]
	if next := strings.Index(rest, "\n## "); next >= 0 {
		return doc[:start] + body + rest[next:]
	}
	return doc[:start] + body
}

// all says whether time does not matter.
func all() bool { return os.Getenv("DUET_TEST_ALL") != "" }

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
