package arch

// The hops in ARCHITECTURE.md, section 7, lead somewhere.

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHops: each names a file that is there, and first of all what is declared in it: a type, a function, a method, a
// variable or a field.
func TestHops(t *testing.T) {
	_, section, ok := strings.Cut(string(read(t, "ARCHITECTURE.md")), "\n## 7. ")
	section, _, _ = strings.Cut(section, "\n## ")
	hop, name := regexp.MustCompile("(?m)^[0-9]+\\. `([^`]+)`: (.*)$"), regexp.MustCompile("^(?:, )?`([^`]+)`")
	hops := hop.FindAllStringSubmatch(section, -1)
	if !ok || len(hops) == 0 {
		t.Fatal("no hops found")
	}
	for _, h := range hops {
		file, rest := h[1], h[2]
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Errorf("a hop leads to %s, which is not there", file)
			continue
		}
		names := 0
		for m := name.FindStringSubmatch(rest); m != nil; m = name.FindStringSubmatch(rest) {
			rest = rest[len(m[0]):]
			names++
			if !declares(t, file, m[1]) {
				t.Errorf("a hop looks for %s in %s, which does not declare it", m[1], file)
			}
		}
		if names == 0 {
			t.Errorf("the hop to %s names nothing", file)
		}
	}
}

// declares says whether a file declares a name; of other languages than Go, whether the word is in it.
func declares(t *testing.T, file, name string) bool {
	t.Helper()
	if !strings.HasSuffix(file, ".go") {
		return regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(read(t, file))
	}
	found := false
	for _, f := range goFiles(t) {
		if f.path != file {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				found = found || n.Name.Name == name
			case *ast.TypeSpec:
				found = found || n.Name.Name == name
			case *ast.ValueSpec:
				found = found || slices.ContainsFunc(n.Names, func(id *ast.Ident) bool { return id.Name == name })
			case *ast.Field:
				found = found || slices.ContainsFunc(n.Names, func(id *ast.Ident) bool { return id.Name == name })
			}
			return true
		})
	}
	return found
}
