package configs

// Reading: the file and the environment are laid over the defaults, leaf by
// leaf, so that every fault names its key and place and all are reported at once.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Load lays the file at path (none when empty) and the environment, given as
// "NAME=value" strings, over [Default] and validates the whole. The error joins
// all faults found; what works, but not as it should be left, [Config.Warnings] tells.
func Load(path string, environ []string) (Config, error) {
	cfg := Default()
	var faults []error
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return cfg, fmt.Errorf("read the configuration: %w", err)
		}
		faults = append(faults, layFile(&cfg, path, data)...)
	}
	faults = append(faults, layEnv(&cfg, environ)...)
	faults = append(faults, masked(&cfg)...)
	faults = append(faults, cfg.Validate())
	return cfg, errors.Join(faults...)
}

func layFile(cfg *Config, path string, data []byte) []error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file says nothing
	} else if err != nil {
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return []error{fmt.Errorf("%s: holds more than one document", path)}
	}
	var faults []error
	layNode(reflect.ValueOf(cfg).Elem(), doc.Content[0], "", func(line int, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s:%d: %s", path, line, fmt.Sprintf(format, args...)))
	}, cfg.warn)
	return faults
}

// layNode lays one mapping over one struct; at is the struct's key, "" at the top.
func layNode(dst reflect.Value, node *yaml.Node, at string, fault func(line int, format string, args ...any), warn func(string)) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Tag == "!!null" {
		return // "turn:" with nothing below it says nothing
	}
	if node.Kind != yaml.MappingNode {
		if at == "" {
			at = "the file"
		}
		fault(node.Line, "%s: must hold keys, not a value", at)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		key := join(at, name)
		if now, old := renamed[key]; old {
			warn(renamedWarning(key, now))
			key, name = now, strings.TrimPrefix(now, at+".")
		}
		if seen[name] {
			fault(node.Content[i].Line, "%s: given twice", key)
			continue
		}
		seen[name] = true
		field, ok := fieldByKey(dst, name)
		if !ok {
			fault(node.Content[i].Line, "%s: unknown key%s", key, suggest(key))
			continue
		}
		if isGroup(field.value.Type()) {
			layNode(field.value, value, key, fault, warn)
			continue
		}
		if err := setNode(field, value); err != nil {
			fault(value.Line, "%s: %s", key, err)
		}
	}
}

// setNode decodes one leaf. A number is no duration: yaml would read 45 as
// nanoseconds. A secret is never repeated in the error.
func setNode(dst leaf, node *yaml.Node) error {
	if node.Tag == "!!null" {
		dst.value.SetZero()
		return nil
	}
	if node.Kind == yaml.ScalarNode && dst.value.Kind() != reflect.Slice && dst.value.Kind() != reflect.Map {
		return setText(dst.value, node.Value, dst.secret)
	}
	fresh := reflect.New(dst.value.Type())
	if err := node.Decode(fresh.Interface()); err != nil {
		return fmt.Errorf("is not %s", describe(dst.value.Type()))
	}
	dst.value.Set(fresh.Elem())
	return nil
}

// leaf is one key that can be set.
type leaf struct {
	key    string
	value  reflect.Value
	secret bool
}

// leaves lists every key below v, in the order of the structs.
func leaves(v reflect.Value, at string) []leaf {
	var all []leaf
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := keyOf(f)
		switch {
		case name == "":
		case isGroup(f.Type):
			all = append(all, leaves(v.Field(i), join(at, name))...)
		default:
			all = append(all, leaf{join(at, name), v.Field(i), f.Tag.Get("secret") == "true"})
		}
	}
	return all
}

func fieldByKey(v reflect.Value, name string) (leaf, bool) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); keyOf(f) == name && name != "" {
			return leaf{name, v.Field(i), f.Tag.Get("secret") == "true"}, true
		}
	}
	return leaf{}, false
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}

func isGroup(t reflect.Type) bool { return t.Kind() == reflect.Struct }

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func describe(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration with its unit, such as 30s or 5m"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number in range"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "a map of name: value"
	}
	return "a text"
}

// suggest names the known key nearest to a mistyped one, when one is near.
func suggest(key string) string {
	best, distance := "", 4
	cfg := Default()
	for _, l := range leaves(reflect.ValueOf(&cfg).Elem(), "") {
		if d := editDistance(key, l.key); d < distance {
			best, distance = l.key, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
