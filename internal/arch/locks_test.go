package arch

// Which lock has which level: ARCHITECTURE.md, section 3.

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// isMutex: a mutex of sync's, or one of internal/lock's.
func isMutex(e ast.Expr) bool {
	return selector(e, "sync", "Mutex") || selector(e, "sync", "RWMutex") || lockLevel(e) != ""
}

// lockLevel is the level of a lock.Mutex or lock.RWMutex, "" for any other type.
func lockLevel(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	x, ok := e.(*ast.IndexExpr)
	if !ok || !selector(x.X, "lock", "Mutex") && !selector(x.X, "lock", "RWMutex") {
		return ""
	}
	if s, ok := x.Index.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

// TestLocksHaveLevels: sync's mutexes know none.
func TestLocksHaveLevels(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.dir == "internal/lock" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok && (selector(e, "sync", "Mutex") || selector(e, "sync", "RWMutex")) {
				t.Errorf("%s: use lock.Mutex of internal/lock, with a level", f.at(n))
			}
			return true
		})
	}
}

// TestLockLevels: the table has the levels of internal/lock in their order, and each mutex above a leaf in its row and in
// no other.
func TestLockLevels(t *testing.T) {
	var levels []string         // from the top, as they are declared
	rows := map[string]string{} // the table's
	var order []string
	for line := range strings.Lines(string(read(t, "ARCHITECTURE.md"))) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		name := strings.Trim(cells[1], " `")
		rows[name] = cells[3]
		order = append(order, name)
	}
	for _, f := range goFiles(t) {
		if f.path != "internal/lock/level.go" {
			continue
		}
		for _, d := range f.ast.Decls {
			if gen, ok := d.(*ast.GenDecl); ok {
				if ts, ok := gen.Specs[0].(*ast.TypeSpec); ok && ts.Name.Name != "Level" {
					levels = append(levels, ts.Name.Name)
				}
			}
		}
	}
	at := slices.Index(order, levels[0])
	if at < 0 || at+len(levels) > len(order) || !slices.Equal(order[at:at+len(levels)], levels) {
		t.Errorf("section 3 has not the levels %v in this order", levels)
	}
	named := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test || f.dir == "internal/lock" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			ts, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := ts.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range st.Fields.List {
				level := lockLevel(field.Type)
				if level == "" || level == "Leaf" {
					continue
				}
				for _, name := range field.Names {
					full := path.Base(f.dir) + "." + ts.Name.Name + "." + name.Name
					named[level+full] = true
					if !strings.Contains(rows[level], "`"+full+"`") {
						t.Errorf("%s: %s is not in the row of %s in ARCHITECTURE.md, section 3", f.at(field), full, level)
					}
				}
			}
			return true
		})
	}
	for _, level := range levels {
		for _, full := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(rows[level], -1) {
			if !named[level+full[1]] {
				t.Errorf("ARCHITECTURE.md, section 3: %s is not of level %s", full[1], level)
			}
		}
	}
}
