package arch

// Every package has its place in ARCHITECTURE.md, section 1.

import (
	"path"
	"strings"
	"testing"
)

// TestEveryPackageHasARow: one of its own, or its name in that of the folder above.
func TestEveryPackageHasARow(t *testing.T) {
	rows := map[string]string{} // what is there, by place
	_, section, _ := strings.Cut(string(read(t, "ARCHITECTURE.md")), "## 1. ")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if cells := strings.SplitN(line, "|", 4); len(cells) == 4 {
			rows[strings.Trim(cells[1], " `")] = cells[2]
		}
	}
	seen := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test || seen[f.dir] {
			continue
		}
		seen[f.dir] = true
		if _, own := rows[f.dir]; !own && !strings.Contains(rows[path.Dir(f.dir)], "`"+path.Base(f.dir)+"`") {
			t.Errorf("%s has no row in ARCHITECTURE.md, section 1", f.dir)
		}
	}
	for place := range rows {
		if strings.Contains(place, "/") && !seen[place] {
			t.Errorf("ARCHITECTURE.md, section 1, has a row for %s, where there is no package", place)
		}
	}
}
