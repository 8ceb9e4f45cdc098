package arch

// Reads the tree: every Go file parsed once, with what the rules ask about.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is the module's folder as seen from this package, where go test runs.
const root = "../.."

// goFile is one Go file of the tree.
type goFile struct {
	path string // from the root, with slashes
	dir  string // "" is the root
	test bool
	ast  *ast.File
	fset *token.FileSet
	src  []byte
}

// at says where in the tree a node stands.
func (f goFile) at(n ast.Node) string {
	p := f.fset.Position(n.Pos())
	return f.path + ":" + strconv.Itoa(p.Line)
}

// imports are the file's import paths.
func (f goFile) imports() []string {
	var all []string
	for _, spec := range f.ast.Imports {
		all = append(all, strings.Trim(spec.Path.Value, "`\""))
	}
	return all
}

// top is the first folder of a path below the root.
func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// paths lists the tree's files whose names end in one of the endings, leaving out what git ignores and hidden folders.
func paths(t *testing.T, endings ...string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		for _, e := range endings {
			if strings.HasSuffix(name, e) {
				rel, err := filepath.Rel(root, p)
				if err != nil {
					return err
				}
				all = append(all, filepath.ToSlash(rel))
				break
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, p string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parsed is the tree, read once for all tests; the test that comes first pays.
var parsed struct {
	once  sync.Once
	files []goFile
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	parsed.once.Do(func() {
		for _, p := range paths(t, ".go") {
			src := read(t, p)
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			dir := path.Dir(p)
			if dir == "." {
				dir = ""
			}
			parsed.files = append(parsed.files, goFile{p, dir, strings.HasSuffix(p, "_test.go"), f, fset, src})
		}
	})
	if len(parsed.files) == 0 {
		t.Fatal("no Go file found: the rules would hold for nothing")
	}
	return parsed.files
}
