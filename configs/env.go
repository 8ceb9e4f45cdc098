package configs

// The environment: DUET_ and the key's path in capitals, turn.secret is
// DUET_TURN_SECRET. With _FILE behind it the value is read from the named file.

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
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
	for old, now := range renamed {
		byName[envName(old)] = byName[envName(now)]
	}
	given := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "DUET_") || name == FileVariable || strings.HasPrefix(name, "DUET_TEST_") {
			continue
		}
		l, ok := byName[name]
		plain := name
		if !ok {
			var isFile bool
			plain, isFile = strings.CutSuffix(name, "_FILE")
			if l, ok = byName[plain]; !isFile || !ok {
				if injected(name, value) {
					continue
				}
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
		if plain != envName(l.key) {
			cfg.warn(renamedWarning(name, strings.Replace(name, plain, envName(l.key), 1)))
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

// forService are Kubernetes' variables of a service whose name begins with "duet", in its documented forms.
var forService = regexp.MustCompile(`^DUET_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// injected tells variables that Kubernetes makes for services, and Docker for linked containers: they are no
// configuration of ours, and no mistyped one.
func injected(name, value string) bool {
	switch {
	case forService.MatchString(name), strings.Contains(name, "_ENV_"):
		return true
	case strings.HasSuffix(name, "_PORT"): // of the first port: tcp://10.0.0.1:80
		return strings.Contains(value, "://")
	case strings.HasSuffix(name, "_NAME"): // a link's: /mine/duet
		return strings.HasPrefix(value, "/")
	}
	return false
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
