package arch

// The protocol is told three times: in signaling/protocol/PROTOCOL.md for people, in protocol.Table for the server, in
// JavaScript types for the page. What one says of a message and another does not is found here.

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"iter"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"duet/signaling/protocol"
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
	text := string(read(t, "signaling/protocol/PROTOCOL.md"))
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

// serverTelling reads protocol.Table: the keys that each decoder reads, and those that each message writes when all that it
// can say is said.
func serverTelling(t *testing.T) telling {
	told := telling{map[string][]string{}, map[string][]string{}}
	for _, row := range protocol.Table {
		if row.Decode != nil {
			told.toServer[row.Type] = row.Keys
		}
		if row.Server != nil {
			told.toClient[row.Type] = written(t, row)
		}
	}
	return told
}

// written are the keys of a row's message whose fields are all filled.
func written(t *testing.T, row protocol.Row) []string {
	full := reflect.New(reflect.TypeOf(row.Server)).Elem()
	fill(t, full)
	text := append(full.Interface().(protocol.Message).Append(nil), '}')
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatalf("%s writes %s: %v", row.Type, text, err)
	}
	if string(object["type"]) != strconv.Quote(row.Type) {
		t.Errorf("the row of %s sends a message of type %s", row.Type, object["type"])
	}
	return slices.Collect(maps.Keys(object))
}

// fill gives a message's fields something to say.
func fill(t *testing.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	case []byte: // JSON, or elements of a list
		v.SetBytes([]byte("1"))
		return
	case iter.Seq2[protocol.UserEntry, string]:
		return // an empty list
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("nothing is known to fill a %s with", v.Type())
	}
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
		if f.dir != "signaling/protocol" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) == 0 {
				return true
			}
			if id, ok := lit.Type.(*ast.Ident); !ok || id.Name != "Refusal" {
				return true
			}
			if s, ok := lit.Elts[0].(*ast.BasicLit); ok && s.Kind == token.STRING {
				code, _ := strconv.Unquote(s.Value)
				served = append(served, code)
			}
			return true
		})
	}
	m := regexp.MustCompile("(?s)Codes:\\s+((?:`[a-z-]+`[,.\\s]+)+)").FindStringSubmatch(string(read(t, "signaling/protocol/PROTOCOL.md")))
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

// TestNumberedAsTold: which messages carry a seq is a sentence in the document, and a scope or a type in the code.
func TestNumberedAsTold(t *testing.T) {
	text := strings.Join(strings.Fields(string(read(t, "signaling/protocol/PROTOCOL.md"))), " ")
	except := func(who string) []string {
		_, list, found := strings.Cut(text, "The "+who+" numbers everything but ")
		if list, _, _ = strings.Cut(list, "."); !found {
			t.Fatalf("PROTOCOL.md does not say what the %s numbers", who)
		}
		list, _, _ = strings.Cut(list, ", and puts")
		var names []string
		for _, m := range regexp.MustCompile("`([a-zA-Z]+)`").FindAllStringSubmatch(list, -1) {
			names = append(names, m[1])
		}
		return names
	}
	server, client := except("server"), except("client")
	for _, row := range protocol.Table {
		if row.Decode != nil && row.Scope.Has(protocol.Sequenced) == slices.Contains(client, row.Type) {
			t.Errorf("%s: PROTOCOL.md and its scope disagree on whether clients number it", row.Type)
		}
		if _, unnumbered := row.Server.(protocol.Unnumbered); row.Server != nil && unnumbered != slices.Contains(server, row.Type) {
			t.Errorf("%s: PROTOCOL.md and its type disagree on whether the server numbers it", row.Type)
		}
	}
}

// TestProtocolIsReadableInADiff: a line that is a paragraph hides what has changed in it.
func TestProtocolIsReadableInADiff(t *testing.T) {
	n := 0
	for line := range strings.Lines(string(read(t, "signaling/protocol/PROTOCOL.md"))) {
		if n++; utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 160 {
			t.Errorf("PROTOCOL.md:%d is longer than 160 characters", n)
		}
	}
}
