package arch

// How files and packages are written: ARCHITECTURE.md, section 5.

import (
	"bytes"
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// longest is the number of lines at which a file surely does more than one thing.
const longest = 400

// longestScript is the same for the page's files.
const longestScript = 500

// A table of cases may be longer than that and still be one thing.
const longestTest = 600

func TestFilesAreShortAndSayWhatTheyAre(t *testing.T) {
	for _, f := range goFiles(t) {
		limit := longest
		if f.test {
			limit = longestTest
		}
		if n := bytes.Count(f.src, []byte("\n")); n > limit {
			t.Errorf("%s has %d lines, more than %d", f.path, n, limit)
		}
		if !opensWithComment(f) && !bearsAName(f) {
			t.Errorf("%s does not open with a comment that says what it is", f.path)
		}
	}
	for _, p := range paths(t, ".js", ".mjs", ".css") {
		src := read(t, p)
		if n := bytes.Count(src, []byte("\n")); n > longestScript {
			t.Errorf("%s has %d lines, more than %d", p, n, longestScript)
		}
		if s := strings.TrimSpace(string(src)); !strings.HasPrefix(s, "//") && !strings.HasPrefix(s, "/*") {
			t.Errorf("%s does not open with a comment that says what it is", p)
		}
	}
}

// bearsAName: a test file may be about the file whose name it bears, and then needs no comment.
func bearsAName(f goFile) bool {
	name, isTest := strings.CutSuffix(f.path, "_test.go")
	if !isTest {
		return false
	}
	for _, end := range []string{"_linux", "_race"} {
		name = strings.TrimSuffix(name, end)
	}
	matches, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(name)+"*.go"))
	return err == nil && slices.ContainsFunc(matches, func(m string) bool {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(m), ".go"), filepath.Base(name))
		return ok && (rest == "" || strings.HasPrefix(rest, "_")) && !strings.HasSuffix(rest, "_test")
	})
}

// opensWithComment: a comment of words (no directive) before the file's first declaration, imports included.
func opensWithComment(f goFile) bool {
	for _, group := range f.ast.Comments {
		if len(f.ast.Decls) > 0 && group.Pos() > f.ast.Decls[0].Pos() {
			return false
		}
		if strings.TrimSpace(group.Text()) != "" {
			return true
		}
	}
	return false
}

func TestPackagesAreDocumented(t *testing.T) {
	type pack struct {
		docs  []string
		types []string // types with state of their own: those with a Run method or a mutex
	}
	packs := map[string]*pack{}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		p := packs[f.dir]
		if p == nil {
			p = &pack{}
			packs[f.dir] = p
		}
		if f.ast.Doc != nil {
			p.docs = append(p.docs, f.ast.Doc.Text())
		}
		p.types = append(p.types, owners(f)...)
	}
	for dir, p := range packs {
		if len(p.docs) != 1 {
			t.Errorf("%s has %d package comments, want one", dir, len(p.docs))
			continue
		}
		doc := strings.ToLower(p.docs[0])
		for _, word := range []string{"goroutine", "lock"} {
			if !strings.Contains(doc, word) {
				t.Errorf("the package comment of %s does not say which %ss there are", dir, word)
			}
		}
		for _, name := range p.types {
			if !strings.Contains(p.docs[0], name) {
				t.Errorf("the package comment of %s does not name its type %s", dir, name)
			}
		}
	}
}

// owners are the exported types of a file that guard state or work in the background.
func owners(f goFile) []string {
	var names []string
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				ts, ok := spec.(*ast.TypeSpec)
				if !ok || !ts.Name.IsExported() {
					continue
				}
				if st, ok := ts.Type.(*ast.StructType); ok && slices.ContainsFunc(st.Fields.List, func(field *ast.Field) bool {
					return isMutex(field.Type)
				}) {
					names = append(names, ts.Name.Name)
				}
			}
		case *ast.FuncDecl:
			if d.Recv == nil || d.Name.Name != "Run" {
				continue
			}
			recv := d.Recv.List[0].Type
			if star, ok := recv.(*ast.StarExpr); ok {
				recv = star.X
			}
			if id, ok := recv.(*ast.Ident); ok && id.IsExported() && !slices.Contains(names, id.Name) {
				names = append(names, id.Name)
			}
		}
	}
	return names
}

func selector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == pkg
}

// TestNoHiddenState: no init, no package variables but errors and tables, no global logger, no flags outside cmd, no
// context kept in a struct. Two servers fit into one process.
func TestNoHiddenState(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, imp := range f.imports() {
			if top(f.dir) != "cmd" && (imp == "flag" || imp == "log") {
				t.Errorf("%s imports %s: flags and global loggers belong to cmd", f.path, imp)
			}
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: an init function", f.at(d))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					packageVars(t, f, d)
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				s, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || top(f.dir) == "cmd" {
					break
				}
				for _, name := range []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"} {
					if selector(s, "slog", name) {
						t.Errorf("%s: slog.%s uses the global logger", f.at(n), name)
					}
				}
			case *ast.StructType:
				for _, field := range n.Fields.List {
					if selector(field.Type, "context", "Context") {
						t.Errorf("%s: a context kept in a struct", f.at(field))
					}
				}
			}
			return true
		})
	}
}

// packageVars accepts errors, tables (composite literals and what is compiled from constants), interface checks and
// embedded files, none of which a running program changes.
func packageVars(t *testing.T, f goFile, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		vs := spec.(*ast.ValueSpec)
		if vs.Names[0].Name == "_" || d.Doc != nil && hasDirective(d.Doc, "go:embed") || vs.Doc != nil && hasDirective(vs.Doc, "go:embed") {
			continue
		}
		if len(vs.Values) == 0 {
			// The linker sets cmd's version.
			if top(f.dir) != "cmd" {
				t.Errorf("%s: package variable %s starts empty, so something changes it", f.at(vs), vs.Names[0].Name)
			}
			continue
		}
		for _, v := range vs.Values {
			if !fixedValue(f, v) {
				t.Errorf("%s: package variable %s is neither an error nor a table", f.at(vs), vs.Names[0].Name)
			}
		}
	}
}

func hasDirective(g *ast.CommentGroup, name string) bool {
	return slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//"+name) })
}

func fixedValue(f goFile, e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.BasicLit:
		return top(f.dir) == "cmd"
	case *ast.SelectorExpr:
		return true // another package's table or value
	case *ast.UnaryExpr:
		return e.Op == token.AND && fixedValue(f, e.X)
	case *ast.CallExpr:
		name := ""
		switch fun := e.Fun.(type) {
		case *ast.SelectorExpr:
			if selector(fun, "errors", "New") || selector(fun, "fmt", "Errorf") || selector(fun, "strings", "NewReplacer") || selector(fun, "crc32", "MakeTable") {
				return true
			}
			// Addresses are values, whatever makes them.
			if slices.Contains([]string{"IPv4", "To4", "AddrFrom4", "AddrFrom16", "PrefixFrom"}, fun.Sel.Name) {
				return true
			}
			name = fun.Sel.Name
		case *ast.Ident:
			name = fun.Name
		case *ast.FuncLit:
			return true // a table computed once
		case *ast.ArrayType:
			return true // a conversion
		}
		return strings.HasPrefix(name, "Must") || strings.HasPrefix(name, "must")
	}
	return false
}

// TestSecretsAreNoArguments: a command line is shown to everybody on the machine, so flags name the file of a secret.
func TestSecretsAreNoArguments(t *testing.T) {
	secret := regexp.MustCompile(`secret|pass|token|key|credential`)
	for _, f := range goFiles(t) {
		if f.test || top(f.dir) != "cmd" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if id, ok := s.X.(*ast.Ident); !ok || id.Name != "flags" {
				return true
			}
			for _, arg := range call.Args[:min(2, len(call.Args))] {
				lit, ok := arg.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				if name := strings.Trim(lit.Value, `"`); secret.MatchString(name) && !strings.HasSuffix(name, "-file") {
					t.Errorf("%s: flag -%s takes a secret; let it name a file", f.at(n), name)
				}
				break // the name comes first
			}
			return true
		})
	}
}

// TestNoSleeps: a sleep in a test stands for a condition that could be waited for, unless time itself is faked or the
// sleep is the pause of a loop that asks for the condition.
func TestNoSleeps(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ForStmt, *ast.RangeStmt:
				return false
			case *ast.CallExpr:
				if selector(n.Fun, "time", "Sleep") {
					t.Errorf("%s: time.Sleep in a test", f.at(n))
				}
			}
			return true
		})
	}
}

// TestFuzzFunctionsAreWatched: Go's fuzzer passes over an endless loop when its time is over first.
func TestFuzzFunctionsAreWatched(t *testing.T) {
	for _, f := range goFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !selector(call.Fun, "f", "Fuzz") {
				return true
			}
			fn, ok := call.Args[0].(*ast.FuncLit)
			if !ok || !opensWith(fn, "spin", "Watch") {
				t.Errorf("%s: the fuzz function does not begin with spin.Watch(t)", f.at(n))
			}
			return true
		})
	}
}

func opensWith(fn *ast.FuncLit, pkg, name string) bool {
	if len(fn.Body.List) == 0 {
		return false
	}
	first, ok := fn.Body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := first.X.(*ast.CallExpr)
	return ok && selector(call.Fun, pkg, name)
}
