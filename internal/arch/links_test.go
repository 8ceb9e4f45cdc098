package arch

// Links between documents.

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocumentsPointSomewhere: what a document links to or shows, when it is in the tree, is there.
func TestDocumentsPointSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	for _, p := range paths(t, ".md") {
		for _, m := range link.FindAllSubmatch(read(t, p), -1) {
			target := filepath.Join(root, filepath.Dir(p), string(m[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s points to %s, which is not there", p, m[1])
			}
		}
	}
}
