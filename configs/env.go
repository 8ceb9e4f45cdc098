package configs

// The environment: DUET_ and the key's path in capitals, turn.secret is
// DUET_TURN_SECRET. With _FILE behind it the value is read from the named file.

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// FileVariable names the variable that holds the configuration file's path.
const FileVariable = "DUET_CONFIG"

func layEnv(cfg *Config, environ []string) []error {
	var faults []error
	byName := map[string]leaf{}
	for _, l := range leaves(reflect.ValueOf(cfg).Elem(), "") {
		byName[envName(l.key)] = l
	}
	given := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "DUET_") || name == FileVariable || foreign(name) {
			continue
		}
		l, ok := byName[name]
		if !ok {
			plain, isFile := strings.CutSuffix(name, "_FILE")
			if l, ok = byName[plain]; !isFile || !ok {
				guess := strings.Replace(strings.ToLower(plain[len("DUET_"):]), "_", ".", 1)
				faults = append(faults, fmt.Errorf("%s: no such key%s", name, suggest(guess)))
				continue
			}
			data, err := os.ReadFile(value)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
				continue
			}
			value = strings.TrimRight(string(data), "\r\n")
		}
		if other, twice := given[l.key]; twice {
			faults = append(faults, fmt.Errorf("%s: %s is given by %s too", name, l.key, other))
			continue
		}
		given[l.key] = name
		if err := setText(l.value, value, l.secret); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return faults
}

func envName(key string) string {
	return "DUET_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// foreign tells variables that are not meant for us: Kubernetes makes the first
// two kinds for a service named "duet", and DUET_TEST_ belongs to the tests.
func foreign(name string) bool {
	return strings.HasPrefix(name, "DUET_SERVICE_") || strings.HasPrefix(name, "DUET_PORT") || strings.HasPrefix(name, "DUET_TEST_")
}

// setText sets one leaf from text: lists are separated by commas, maps are
// name:value pairs separated by commas. A secret is never repeated in the error.
func setText(dst reflect.Value, text string, secret bool) error {
	shown := strconv.Quote(text)
	if secret {
		shown = "the value"
	}
	wrong := fmt.Errorf("%s is not %s", shown, describe(dst.Type()))
	if dst.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return wrong
		}
		dst.SetInt(int64(d))
		return nil
	}
	switch dst.Kind() {
	case reflect.String:
		dst.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return wrong
		}
		dst.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, dst.Type().Bits())
		if err != nil {
			return wrong
		}
		dst.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return wrong
		}
		dst.SetFloat(f)
	case reflect.Slice:
		list := reflect.MakeSlice(dst.Type(), 0, 4)
		for _, part := range splitList(text) {
			item := reflect.New(dst.Type().Elem()).Elem()
			if err := setText(item, part, secret); err != nil {
				return err
			}
			list = reflect.Append(list, item)
		}
		dst.Set(list)
	case reflect.Map:
		pairs := reflect.MakeMap(dst.Type())
		for _, part := range splitList(text) {
			name, value, ok := strings.Cut(part, ":")
			if !ok {
				return fmt.Errorf("%s is not name:value pairs separated by commas", shown)
			}
			pairs.SetMapIndex(reflect.ValueOf(strings.TrimSpace(name)), reflect.ValueOf(strings.TrimSpace(value)))
		}
		dst.Set(pairs)
	default:
		return fmt.Errorf("cannot be set from a text (%s)", dst.Type())
	}
	return nil
}

func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
