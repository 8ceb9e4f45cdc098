package configs

// Printing: the effective configuration as a file that Load would read, with
// the secrets masked; and the fault of taking such a mask for a secret.

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Masked stands for a secret that is set.
const Masked = "(set, not shown)"

// Print is the effective configuration as YAML, secrets masked.
func (c Config) Print() (string, error) {
	for _, l := range leaves(reflect.ValueOf(&c).Elem(), "") {
		if !l.secret {
			continue
		}
		switch l.value.Kind() {
		case reflect.String:
			if l.value.String() != "" {
				l.value.SetString(Masked)
			}
		case reflect.Slice: // a new one: what it points to is the caller's too
			masked := reflect.MakeSlice(l.value.Type(), l.value.Len(), l.value.Len())
			for i := range l.value.Len() {
				masked.Index(i).SetString(Masked)
			}
			l.value.Set(masked)
		case reflect.Map: // likewise; the names are shown, what they hold is not
			masked := reflect.MakeMap(l.value.Type())
			for _, name := range l.value.MapKeys() {
				masked.SetMapIndex(name, reflect.ValueOf(Masked))
			}
			l.value.Set(masked)
		default:
			return "", fmt.Errorf("%s: a secret of type %s cannot be masked", l.key, l.value.Type())
		}
	}
	data, err := yaml.Marshal(c)
	return string(data), err
}

// Differences are the keys whose values differ between two configurations.
func Differences(a, b Config) []string {
	var keys []string
	other := leaves(reflect.ValueOf(&b).Elem(), "")
	for i, l := range leaves(reflect.ValueOf(&a).Elem(), "") {
		if !reflect.DeepEqual(l.value.Interface(), other[i].value.Interface()) {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// masked reports each secret whose value is what Print shows in its place: a printed configuration is no source of
// secrets, for everybody knows this one.
func masked(cfg *Config) []error {
	var faults []error
	for _, l := range leaves(reflect.ValueOf(cfg).Elem(), "") {
		if !l.secret {
			continue
		}
		if strings.Contains(fmt.Sprint(l.value.Interface()), Masked) {
			faults = append(faults, fmt.Errorf("%s: is what `duet config` shows in place of a secret: put the secret itself there", l.key))
		}
	}
	return faults
}
