package arch

// Who may know whom: ARCHITECTURE.md, section 2.

import (
	"go/ast"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our own folders each top-level folder may import besides internal/ and what lies in itself.
var mayImport = map[string][]string{
	"cmd":       {"configs", "signaling", "turn", "relay", "web"},
	"configs":   {"signaling", "turn", "relay"},
	"signaling": {},
	"turn":      {},
	"relay":     {},
	"web":       {},
	"internal":  {},
	"examples":  {"signaling", "web"},
}

// rooms are the folders within a top-level folder that may import no part of it but what stands here.
var rooms = map[string][]string{
	"signaling/protocol": {},
	"signaling/socketio": {},
	"signaling/call":     {"signaling/protocol"},
	"signaling/join":     {"signaling/protocol"},
	"signaling/presence": {"signaling/protocol"},
	"signaling/wsconn":   {"signaling/protocol"},
	"relay/plane":        {},
}

// keepers says which folders alone may know a library. Tests may use more, and so may the folders in exempt, which are
// nothing but tests.
var keepers = map[string][]string{
	"github.com/gorilla/websocket":         {"signaling/wsconn", "examples/pion"},
	"github.com/pion/turn/v3":              {"turn"},
	"github.com/pion/webrtc/v4":            {"relay", "examples/pion"},
	"github.com/pion/stun/v4":              {"internal/netaddr"},
	"github.com/pion/stun/v2":              {}, // pion/turn's, which a fuzz target reads with
	"github.com/pion/interceptor":          {"relay"},
	"go.yaml.in/yaml/v3":                   {"configs"},
	"github.com/chromedp/chromedp":         {},
	"github.com/chromedp/cdproto":          {},
	"go.uber.org/goleak":                   {},
	"github.com/caddyserver/certmagic":     {"cmd"},
	"github.com/pires/go-proxyproto":       {"cmd", "turn"},
	"github.com/golang-jwt/jwt/v5":         {"signaling/join"},
	"github.com/go-jose/go-jose/v4":        {"signaling/join"},
	"github.com/rivo/uniseg":               {"signaling/protocol"},
	"github.com/go-json-experiment/json":   {"signaling/protocol"},
	"golang.org/x/text":                    {"signaling/protocol", "internal/lookalike"},
	"github.com/prometheus/client_golang/": {"cmd", "signaling", "turn", "relay", "internal/metrics"},
}

var exempt = []string{"internal/e2e", "internal/clients", "internal/natlab", "internal/bench", "internal/hostile", "internal/arch"}

func within(dir string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return dir == f || strings.HasPrefix(dir, f+"/") })
}

// TestPionStaysInItsFiles: the rest of turn can be read without knowing the library.
func TestPionStaysInItsFiles(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.dir != "turn" || strings.HasPrefix(path.Base(f.path), "pion_") {
			continue
		}
		for _, imp := range f.imports() {
			if strings.HasPrefix(imp, "github.com/pion/") {
				t.Errorf("%s imports %s, which is for pion_*.go", f.path, imp)
			}
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	for _, f := range goFiles(t) {
		from := top(f.dir)
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s: no rule for folder %q; ARCHITECTURE.md names every room", f.path, from)
			continue
		}
		for _, imp := range f.imports() {
			own, ours := strings.CutPrefix(imp, "duet/")
			if !ours {
				continue
			}
			to := top(own)
			may, room := rooms[f.dir]
			if !room && from == "signaling" && f.dir != from {
				t.Errorf("%s: no rule for the room %s", f.path, f.dir)
			}
			if room && to == from && own != f.dir && !slices.Contains(may, own) {
				t.Errorf("%s imports %s: of %s it may import %v", f.path, imp, from, may)
			}
			switch {
			case within(f.dir, exempt): // they look at the whole
			case to == from || to == "internal":
			case slices.Contains(allowed, to):
				if from == "configs" && !f.test {
					onlyConfigTypes(t, f, path.Base(own))
				}
			default:
				t.Errorf("%s imports %s: %s may import %v", f.path, imp, from, allowed)
			}
		}
	}
}

func TestLibrariesHaveOneKeeper(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || within(f.dir, exempt) {
			continue
		}
		for _, imp := range f.imports() {
			for lib, homes := range keepers {
				if (imp == lib || strings.HasPrefix(imp, strings.TrimSuffix(lib, "/")+"/")) && !within(f.dir, homes) {
					t.Errorf("%s imports %s, which only %v may know", f.path, imp, homes)
				}
			}
		}
	}
}

// TestNothingButOurModule: a fork or a local copy behind a replace would not be what go.mod says it is.
func TestNothingButOurModule(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), `"Replace": [`) {
		t.Error("go.mod has a replace directive")
	}
	for _, fixed := range []string{
		"github.com/pion/turn/v3 v3.0.3", "github.com/pion/webrtc/v4 v4.2.26", "github.com/gorilla/websocket v1.5.3",
	} {
		if !strings.Contains(string(read(t, "go.mod")), fixed) {
			t.Errorf("go.mod does not name %s", fixed)
		}
	}
}

// onlyConfigTypes: configs puts the packages' Config types together and knows nothing else of them.
func onlyConfigTypes(t *testing.T, f goFile, pkg string) {
	t.Helper()
	ast.Inspect(f.ast, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := s.X.(*ast.Ident); ok && id.Name == pkg && s.Sel.Name != "Config" && s.Sel.Name != "DefaultConfig" {
			t.Errorf("%s: configs uses %s.%s, only Config and DefaultConfig are its business", f.at(n), pkg, s.Sel.Name)
		}
		return true
	})
}

// TestUnsafeHasItsPlace: code that the compiler does not check is read with other eyes, so it lies where one looks for it.
func TestUnsafeHasItsPlace(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test && slices.Contains(f.imports(), "unsafe") && !within(f.dir, []string{"internal/udp"}) {
			t.Errorf("%s imports unsafe, which only internal/udp may", f.path)
		}
	}
}
