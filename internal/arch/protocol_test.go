package arch

// The protocol is told three times: in signaling/PROTOCOL.md for people, in Go for the server, in JavaScript types for the
// page. What one says of a message and another does not is found here.

import (
	"go/ast"
	"go/token"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// telling is what one of the three says: the fields of each message, by direction.
type telling struct {
	toServer, toClient map[string][]string
}

func (t telling) each(other telling, visit func(direction, name string, mine, theirs []string, known bool)) {
	for _, d := range []struct {
		name         string
		mine, theirs map[string][]string
	}{{"C→S", t.toServer, other.toServer}, {"S→C", t.toClient, other.toClient}} {
		for _, name := range slices.Sorted(maps.Keys(d.mine)) {
			theirs, known := d.theirs[name]
			visit(d.name, name, d.mine[name], theirs, known)
		}
	}
}

// common are fields that any message may carry; the document tells of them in prose.
var common = []string{"type", "seq", "ack", "ref", "callId", "target"}

func TestProtocolIsToldThreeTimesAlike(t *testing.T) {
	document, prose := documentTelling(t)
	server := serverTelling(t)
	page := pageTelling(t)
	for _, count := range []int{len(document.toServer), len(document.toClient), len(server.toServer), len(server.toClient), len(page.toServer), len(page.toClient)} {
		if count < 10 {
			t.Fatalf("only %d messages were found in one of the tellings: it is not read rightly", count)
		}
	}
	document.each(server, func(direction, name string, mine, theirs []string, known bool) {
		if !known {
			t.Errorf("PROTOCOL.md tells of %s (%s), the server does not know it", name, direction)
			return
		}
		if theirs == nil {
			return // read without a struct
		}
		for _, field := range mine {
			if !slices.Contains(theirs, field) && !slices.Contains(common, field) {
				t.Errorf("PROTOCOL.md gives %s (%s) a field %q, the server does not: it has %v", name, direction, field, theirs)
			}
		}
	})
	for _, other := range []struct {
		name string
		telling
	}{{"the server", server}, {"protocol.js", page}} {
		other.each(document, func(direction, name string, mine, _ []string, known bool) {
			if !known {
				t.Errorf("%s knows %s (%s), PROTOCOL.md does not tell of it", other.name, name, direction)
				return
			}
			for _, field := range mine {
				if !mentions(prose[name], field) && !slices.Contains(common, field) {
					t.Errorf("%s gives %s (%s) a field %q, of which PROTOCOL.md does not tell: %s", other.name, name, direction, field, prose[name])
				}
			}
		})
	}
	// The page must understand whatever a server sends to one that asked for what it asks for.
	server.each(page, func(direction, name string, _, _ []string, known bool) {
		if direction == "S→C" && !known {
			t.Errorf("the server sends %s, protocol.js does not know it", name)
		}
	})
}

func mentions(prose, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(prose)
}

// documentTelling reads the tables that begin with the columns type, direction, fields; prose is all that is said of a
// message: its rows, and the paragraphs that open with its name.
func documentTelling(t *testing.T) (told telling, prose map[string]string) {
	told = telling{map[string][]string{}, map[string][]string{}}
	prose = map[string]string{}
	text := string(read(t, "signaling/PROTOCOL.md"))
	inTable := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) >= 3 && cells[0] == "type" && cells[1] == "direction" && cells[2] == "fields" {
			inTable = true
			continue
		}
		if !inTable || len(cells) < 3 || strings.HasPrefix(cells[0], "---") {
			continue
		}
		name := strings.Trim(cells[0], "`")
		// Of a field that is an object only the name counts.
		outer := regexp.MustCompile("`[\\[]?\\{[^`]*`").ReplaceAllString(cells[2], "")
		fields := []string{}
		for _, m := range regexp.MustCompile("`([a-zA-Z]+)\\??`").FindAllStringSubmatch(outer, -1) {
			fields = append(fields, m[1])
		}
		switch cells[1] {
		case "client → server":
			told.toServer[name] = fields
		case "server → client":
			told.toClient[name] = fields
		case "both":
			told.toServer[name], told.toClient[name] = fields, fields
		default:
			t.Errorf("PROTOCOL.md: %s has the direction %q", name, cells[1])
		}
		prose[name] += " " + line
	}
	for _, paragraph := range regexp.MustCompile(`\n\n|\n- `).Split(text, -1) {
		if strings.Contains(paragraph, "**ICE servers**") {
			prose["welcome"] += paragraph
			prose["iceServers"] += paragraph
		}
		for _, m := range regexp.MustCompile("\\*\\*`([a-zA-Z]+)`\\*\\*").FindAllStringSubmatch(paragraph, -1) {
			prose[m[1]] += " " + paragraph
		}
	}
	return told, prose
}

// source is what of signaling's code the messages are told by.
type source struct {
	structs map[string]*ast.StructType
	funcs   map[string]*ast.FuncDecl // "name", or "type.name"
}

// writers are the methods by which a key is written; its name is the first argument.
var writers = []string{"str", "int", "uint", "bool", "raw", "optional", "key"}

// serverTelling reads what the server writes after begin(b, "type"), the types that its codec lists, and the structs that it
// reads requests into, which are named for the type and tagged with the fields.
func serverTelling(t *testing.T) telling {
	told := telling{map[string][]string{}, map[string][]string{}}
	src := source{map[string]*ast.StructType{}, map[string]*ast.FuncDecl{}}
	var funcs []*ast.FuncDecl
	for _, f := range goFiles(t) {
		if f.dir != "signaling" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if st, ok := n.Type.(*ast.StructType); ok {
					src.structs[n.Name.Name] = st
				}
			case *ast.FuncDecl:
				name := n.Name.Name
				if n.Recv != nil {
					name = typeName(n.Recv.List[0].Type) + "." + name
				}
				src.funcs[name] = n
				funcs = append(funcs, n)
			case *ast.CompositeLit: // the codec's list of types
				if names := texts(n.Elts); strings.HasSuffix(f.path, "/codec.go") && slices.Contains(names, "join") {
					for _, name := range names {
						told.toServer[name] = nil
					}
				}
			}
			return true
		})
	}
	for _, f := range funcs {
		if message := begins(f); message != "" {
			told.toClient[message] = append([]string{}, src.written(f)...)
		}
	}
	for name := range src.structs {
		if message, ok := strings.CutSuffix(name, "Request"); ok {
			if message == "placeCall" {
				message = "call"
			}
			if _, known := told.toServer[message]; known {
				told.toServer[message] = append([]string{}, src.tags(name)...)
			}
		}
	}
	return told
}

func typeName(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// texts are the values of expressions that are string literals.
func texts(exprs []ast.Expr) []string {
	var all []string
	for _, e := range exprs {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// begins is the type of the message that a function writes.
func begins(f *ast.FuncDecl) (message string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 2 {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "begin" {
				if s := texts(call.Args[1:]); len(s) == 1 {
					message = s[0]
				}
			}
		}
		return true
	})
	return message
}

// written are the keys that a function writes, by itself or by a function or a method fields that it calls.
func (src source) written(f *ast.FuncDecl) []string {
	var keys []string
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			if other := src.funcs[fun.Name]; other != nil && other != f && fun.Name != "begin" {
				keys = append(keys, src.written(other)...)
			}
		case *ast.SelectorExpr:
			if slices.Contains(writers, fun.Sel.Name) && len(call.Args) > 0 {
				keys = append(keys, texts(call.Args[:1])...)
			}
			if fun.Sel.Name == "fields" {
				if other := src.funcs[src.typeOf(fun.X, f)+".fields"]; other != nil {
					keys = append(keys, src.written(other)...)
				}
			}
		}
		return true
	})
	// A table of keys, as presence has it.
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			if _, isArray := lit.Type.(*ast.ArrayType); isArray {
				for _, e := range lit.Elts {
					if row, ok := e.(*ast.CompositeLit); ok && len(row.Elts) > 0 {
						keys = append(keys, texts(row.Elts[:1])...)
					}
				}
			}
		}
		return true
	})
	return keys
}

// typeOf is the type of a method's receiver or of a field of it.
func (src source) typeOf(e ast.Expr, f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List[0].Names) == 0 {
		return ""
	}
	recv := typeName(f.Recv.List[0].Type)
	switch e := e.(type) {
	case *ast.Ident:
		if e.Name == f.Recv.List[0].Names[0].Name {
			return recv
		}
	case *ast.SelectorExpr:
		if id, ok := e.X.(*ast.Ident); ok && id.Name == f.Recv.List[0].Names[0].Name && src.structs[recv] != nil {
			for _, field := range src.structs[recv].Fields.List {
				for _, name := range field.Names {
					if name.Name == e.Sel.Name {
						return typeName(field.Type)
					}
				}
			}
		}
	}
	return ""
}

// tags are the wire names of a struct's fields. The states of a mediaStateChange have none: the codec reads them by kind.
func (src source) tags(name string) []string {
	if name == "change" {
		return []string{"audio", "video", "screen", "mediaType", "enabled"}
	}
	st := src.structs[name]
	if st == nil {
		return nil
	}
	var all []string
	for _, field := range st.Fields.List {
		if len(field.Names) == 0 {
			all = append(all, src.tags(typeName(field.Type))...)
		} else if field.Tag != nil {
			text, _ := strconv.Unquote(field.Tag.Value)
			if tag, _, _ := strings.Cut(reflect.StructTag(text).Get("json"), ","); tag != "" && tag != "-" {
				all = append(all, tag)
			}
		}
	}
	return all
}

// pageTelling reads the unions ClientMessage and ServerMessage of protocol.js, which are JSDoc.
func pageTelling(t *testing.T) telling {
	told := telling{map[string][]string{}, map[string][]string{}}
	src := string(read(t, "web/static/protocol.js"))
	begin := regexp.MustCompile(`\{type: "([a-zA-Z]+)"`)
	client := strings.Index(src, "} ClientMessage")
	if client < 0 || !strings.Contains(src, "} ServerMessage") {
		t.Fatal("protocol.js has no union ClientMessage or ServerMessage")
	}
	for _, m := range begin.FindAllStringSubmatchIndex(src, -1) {
		fields := objectFields(src[m[0]:])
		name := src[m[2]:m[3]]
		if m[0] < client {
			told.toServer[name] = fields
		} else {
			told.toClient[name] = fields
		}
	}
	return told
}

// objectFields are the names of the outermost fields of the object type at the start of the text.
func objectFields(text string) []string {
	var names []string
	depth, from := 0, 0
	for i, r := range text {
		switch r {
		case '{', '[', '<', '(':
			depth++
			if depth == 1 {
				from = i + 1
			}
		case '}', ']', '>', ')':
			depth--
		}
		if depth == 1 && r == ',' || depth == 0 {
			if name, _, ok := strings.Cut(text[from:i], ":"); ok {
				names = append(names, strings.Trim(name, " \n*?"))
			}
			from = i + 1
		}
		if depth == 0 {
			break
		}
	}
	return names
}

// TestErrorCodes: a refusal's code is stable, so the document lists exactly those that the server has.
func TestErrorCodes(t *testing.T) {
	var served []string
	for _, f := range goFiles(t) {
		if f.dir != "signaling" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) == 0 {
				return true
			}
			if id, ok := lit.Type.(*ast.Ident); !ok || id.Name != "refusal" {
				return true
			}
			if s, ok := lit.Elts[0].(*ast.BasicLit); ok && s.Kind == token.STRING {
				code, _ := strconv.Unquote(s.Value)
				served = append(served, code)
			}
			return true
		})
	}
	m := regexp.MustCompile("(?s)Codes:\\s+((?:`[a-z-]+`[,.\\s]+)+)").FindStringSubmatch(string(read(t, "signaling/PROTOCOL.md")))
	if m == nil {
		t.Fatal("PROTOCOL.md has no list of error codes")
	}
	told := regexp.MustCompile(`[a-z]+(-[a-z]+)*`).FindAllString(m[1], -1)
	for _, code := range served {
		if !slices.Contains(told, code) {
			t.Errorf("the server refuses with %q, of which PROTOCOL.md does not tell", code)
		}
	}
	for _, code := range told {
		if !slices.Contains(served, code) {
			t.Errorf("PROTOCOL.md lists the error code %q, the server has no such refusal", code)
		}
	}
}
