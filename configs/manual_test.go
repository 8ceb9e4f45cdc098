package configs

// The manual: duet.yaml is made from the field comments of the Config structs and from the defaults, so what a key does
// is written once, beside the field.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const manualHead = `# Duet's configuration: every key, its default, and why one would change it.
#
# Nothing here is needed: Duet runs without a file. Copy what you change to a file of your own and pass it with
# -config FILE (or DUET_CONFIG=FILE). The environment overrides a file: turn.secret is DUET_TURN_SECRET, and
# DUET_TURN_SECRET_FILE reads it from a file; lists are separated by commas, maps are name:value pairs separated by
# commas. Durations carry their unit: 500ms, 30s, 5m, 8h. A mistyped key is an error, and all faults are reported at once.
# ` + "`duet config`" + ` prints what is in effect.
`

// TestManual holds duet.yaml equal to the comments. DUET_TEST_WRITE=1 makes it anew.
func TestManual(t *testing.T) {
	cfg := Default()
	var b strings.Builder
	b.WriteString(manualHead)
	writeManual(t, &b, reflect.ValueOf(cfg), "")
	if os.Getenv("DUET_TEST_WRITE") != "" {
		if err := os.WriteFile("duet.yaml", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile("duet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(string(data), "\n"), strings.Split(b.String(), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("duet.yaml differs from the comments of the Config structs from line %d on; edit those, then: DUET_TEST_WRITE=1 go test ./configs -run TestManual", i+1)
		}
	}
}

// writeManual writes the keys of one struct.
func writeManual(t *testing.T, b *strings.Builder, v reflect.Value, indent string) {
	comments := fieldComments(t, v.Type())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := keyOf(f)
		if name == "" {
			continue
		}
		if indent == "" {
			b.WriteString("\n")
		}
		writeComment(b, indent+"# ", comments[f.Name])
		if isGroup(f.Type) {
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			writeManual(t, b, v.Field(i), indent+"  ")
			continue
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, manualValue(t, v.Field(i)))
	}
}

func manualValue(t *testing.T, v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 {
			return "[]"
		}
	case reflect.Map:
		if v.Len() == 0 {
			return "{}"
		}
	case reflect.String:
		if s := v.String(); s == "" || strings.Contains(s, ":") {
			return strconv.Quote(s)
		}
	case reflect.Int64:
		if d, ok := v.Interface().(time.Duration); ok { // 1m, not 1m0s
			s := d.String()
			for _, zero := range []string{"m0s", "h0m"} {
				if strings.HasSuffix(s, zero) {
					s = s[:len(s)-2]
				}
			}
			return s
		}
	}
	data, err := yaml.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// writeComment breaks words into lines of at most 120 characters.
func writeComment(b *strings.Builder, start, text string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(start)+len(line)+1+len(word) > 120 {
			b.WriteString(start + line + "\n")
			line = ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	b.WriteString(start + line + "\n")
}

// fieldComments are the comments of a struct's fields, from the source of its package.
func fieldComments(t *testing.T, typ reflect.Type) map[string]string {
	t.Helper()
	file := filepath.Join("..", strings.TrimPrefix(typ.PkgPath(), "duet/"), "config.go")
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		ts, ok := n.(*ast.TypeSpec)
		if !ok || ts.Name.Name != typ.Name() {
			return true
		}
		for _, field := range ts.Type.(*ast.StructType).Fields.List {
			for _, name := range field.Names {
				all[name.Name] = strings.TrimSpace(field.Doc.Text())
				if all[name.Name] == "" && name.IsExported() {
					t.Errorf("%s: %s.%s has no comment: it is the key's manual", file, typ.Name(), name)
				}
			}
		}
		return false
	})
	return all
}
