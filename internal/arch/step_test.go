package arch

// What may be done with the hub's lock: ARCHITECTURE.md, section 3.

import (
	"go/ast"
	"testing"
)

// TestTheHubsLockIsTakenInOnePlace: Hub.do takes it, and a step under it writes no line of the log and asks nothing of the
// relay; both are left until it is released.
func TestTheHubsLockIsTakenInOnePlace(t *testing.T) {
	taken := 0
	for _, f := range goFiles(t) {
		if f.dir != "signaling" || f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || len(fn.Recv.List[0].Names) == 0 {
				continue
			}
			self, owner := fn.Recv.List[0].Names[0].Name, typeName(fn.Recv.List[0].Type)
			if owner != "Hub" && owner != "step" {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if _, later := n.(*ast.FuncLit); later && owner == "step" {
					return false // done by somebody else, without the lock
				}
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				switch {
				case s.Sel.Name == "Lock" && selector(s.X, self, "mu"):
					if taken++; fn.Name.Name != "locked" {
						t.Errorf("%s: the hub's lock is taken in %s; Hub.do is there for that", f.at(n), fn.Name.Name)
					}
				case owner != "step" || fn.Name.Name == "finish": // without the lock
				case selector(s.X, self, "log"):
					t.Errorf("%s: a line of the log while the lock is held; logLater is there for that", f.at(n))
				case selector(s.X, self, "relay"):
					t.Errorf("%s: the relay is asked while the lock is held; relayCalls is there for that", f.at(n))
				}
				return true
			})
		}
	}
	if taken != 1 {
		t.Errorf("the hub's lock is taken in %d places", taken)
	}
}

// typeName is the name of a type or of what a pointer points to.
func typeName(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
