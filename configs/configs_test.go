package configs

// The file, the environment and the defaults, together: what is read, printed and refused.

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"duet/internal/spin"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "duet.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsNeedNoFile(t *testing.T) {
	cfg, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cfg, Default()) {
		t.Errorf("got %+v, want the defaults", cfg)
	}
}

func TestManualEqualsDefaults(t *testing.T) {
	cfg, err := Load("duet.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(t, cfg), show(t, Default()); got != want {
		t.Errorf("duet.yaml says\n%s\nthe defaults are\n%s", got, want)
	}
}

// A key that is in the manual has a comment above it or behind it, and every key is in the manual.
func TestManualExplainsEveryKey(t *testing.T) {
	data, err := os.ReadFile("duet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var path []string
	explained := map[string]bool{}
	comment := false
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "#") {
			comment = strings.HasPrefix(text, "#") || comment && text != ""
			continue
		}
		name, rest, isKey := strings.Cut(text, ":")
		if !isKey || strings.HasPrefix(text, "-") {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		path = append(path[:min(depth, len(path))], name)
		explained[strings.Join(path, ".")] = comment || strings.Contains(rest, " # ")
		comment = false
	}
	cfg := Default()
	for _, l := range leaves(reflect.ValueOf(&cfg).Elem(), "") {
		if is, there := explained[l.key]; !there {
			t.Errorf("%s is not in duet.yaml", l.key)
		} else if !is {
			t.Errorf("%s has no comment in duet.yaml", l.key)
		}
	}
}

func TestEveryKeyHasANameAndATypeThatTextCanSet(t *testing.T) {
	cfg := Default()
	for _, l := range leaves(reflect.ValueOf(&cfg).Elem(), "") {
		text := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int: "1", reflect.Int64: "1", reflect.Float64: "1", reflect.Map: "a:b"}[l.value.Kind()]
		if l.value.Type() == reflect.TypeFor[time.Duration]() {
			text = "1s"
		}
		if err := setText(l.value, text, false); err != nil {
			t.Errorf("%s: %v", envName(l.key), err)
		}
	}
}

func TestPrecedence(t *testing.T) {
	path := write(t, "http:\n  listen: \":1\"\n  admin_listen: \":2\"\n  drain_timeout: 3s\n")
	secret := write(t, "a token from a file\n")
	cfg, err := Load(path, []string{
		"DUET_HTTP_LISTEN=:9", "DUET_HTTP_ALLOWED_ORIGINS=https://a.example, https://b.example",
		"DUET_HTTP_API_TOKEN_FILE=" + secret, "DUET_SERVICE_HOST=10.0.0.1", "DUET_PORT=tcp://10.0.0.1:80", "PATH=/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.HTTP.Listen, want.HTTP.AdminListen, want.HTTP.DrainTimeout = ":9", ":2", 3*time.Second
	want.HTTP.AllowedOrigins = []string{"https://a.example", "https://b.example"}
	want.HTTP.APIToken = "a token from a file"
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got %+v, want %+v", cfg.HTTP, want.HTTP)
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		environ    []string
		want       []string // each in the error, which has as many lines
	}{
		{"an unknown key", "htp:\n  listen: :80\n", nil, []string{"duet.yaml:1: htp: unknown key"}},
		{"an unknown key in a group", "http:\n  lisen: :80\n", nil, []string{"duet.yaml:2: http.lisen: unknown key (did you mean http.listen?)"}},
		{"keys are case-sensitive", "HTTP:\n  listen: :80\n", nil, []string{"HTTP: unknown key"}},
		{"a key twice", "log:\n  level: info\n  level: warn\n", nil, []string{"log.level: given twice"}},
		{"a value for a group", "http: 8080\n", nil, []string{"http: must hold keys"}},
		{"a list for the file", "- http\n", nil, []string{"the file: must hold keys"}},
		{"no YAML", "http: [\n", nil, []string{"duet.yaml: yaml:"}},
		{"two documents", "log:\n  level: info\n---\nlog:\n  level: info\n", nil, []string{"more than one document"}},
		{"a number for a duration", "http:\n  drain_timeout: 8\n", nil, []string{`http.drain_timeout: "8" is not a duration with its unit`}},
		{"a text for a bool", "http:\n  tls_listen: :443\n  self_signed: perhaps\n  tls_cert: c\n  tls_key: k\n", nil, []string{`http.self_signed: "perhaps" is not true or false`}},
		{"a text for a list", "http:\n  allowed_origins: https://a.example\n", nil, []string{"http.allowed_origins: is not a list"}},
		{"all faults at once", "log:\n  level: loud\n  colour: red\nhttp:\n  listen: nowhere\n", []string{"DUET_LOG_FORMAT=xml", "DUET_LOG_FROMAT=text"}, []string{
			"log.colour: unknown key", "DUET_LOG_FROMAT: no such key (did you mean log.format?)", `log.level: "loud"`, `log.format: "xml"`, `http.listen: "nowhere"`,
		}},
		{"a secret is not repeated", "", []string{"DUET_HTTP_API_TOKEN=hunter2"}, []string{"http.api_token: shorter than 16"}},
		{"a value and a file", "", []string{"DUET_LOG_LEVEL=info", "DUET_LOG_LEVEL_FILE=duet.yaml"}, []string{"log.level is given by DUET_LOG_LEVEL too"}},
		{"a file that is not there", "", []string{"DUET_HTTP_API_TOKEN_FILE=/nonexistent"}, []string{"DUET_HTTP_API_TOKEN_FILE: open /nonexistent"}},
		{"half a certificate", "http:\n  tls_listen: \":443\"\n  tls_cert: c.pem\n", nil, []string{"http.tls_cert: needs http.tls_key"}},
		{"TLS without a certificate", "http:\n  tls_listen: \":443\"\n", nil, []string{"http.tls_listen: needs a certificate"}},
		{"two certificates", "http:\n  tls_listen: \":443\"\n  self_signed: true\n  acme_domain: a.example\n", nil, []string{"choose one of"}},
		{"nothing to serve", "http:\n  listen: \"\"\n", nil, []string{"nothing would be served"}},
		{"an origin with a path", "http:\n  allowed_origins: [\"https://a.example/b\", \"null\"]\n", nil, []string{`"https://a.example/b" is not an origin`, `"null" is not an origin`}},
		{"a frame of what would be more than an origin", "http:\n  frame_ancestors: [\"https://a.example; script-src *\", \"*\"]\n", nil, []string{`script-src *" is not an origin`, `"*" is not an origin`}},
		{"half a shared port", "relay:\n  listen: 192.0.2.1:3478\n", nil, []string{"relay.listen: 192.0.2.1:3478 and turn.listen :3478 are partly the same"}},
		{"no network", "http:\n  proxy_protocol: [10.0.0.1]\n", nil, []string{`http.proxy_protocol: "10.0.0.1" is not a network`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(write(t, tt.file), tt.environ)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got no %q in:\n%s", want, err)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("got %d faults, want %d:\n%s", got, len(tt.want), err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is repeated:\n%s", err)
			}
		})
	}
}

// What Kubernetes and Docker put into the environment beside a service or a container of a name like ours.
func TestInjectedVariables(t *testing.T) {
	for _, name := range []string{"", "TURN_", "WEB_", "TURN_UDP_", "HTTP_", "A_B_C_"} {
		for _, rest := range []string{
			"SERVICE_HOST=10.0.0.1", "SERVICE_PORT=3478", "SERVICE_PORT_STUN=3478", "SERVICE_PORT_TURN_TLS=443",
			"PORT=tcp://10.0.0.1:80", "PORT=udp://10.0.0.1:3478", "PORT_80_TCP=tcp://10.0.0.1:80", "PORT_80_TCP_PROTO=tcp",
			"PORT_80_TCP_PORT=80", "PORT_3478_UDP_ADDR=10.0.0.1", "PORT_5_SCTP_ADDR=10.0.0.1",
			"NAME=/app/duet", "ENV_PATH=/bin", "ENV_SECRET_FILE=x",
		} {
			entry := "DUET_" + name + rest
			cfg, err := Load("", []string{entry})
			if warnings := cfg.Warnings(); err != nil || warnings != nil || !reflect.DeepEqual(cfg, Default()) {
				t.Errorf("%s: %v, %v", entry, err, warnings)
			}
		}
	}
	for _, mistyped := range []string{"DUET_PORT=8080", "DUET_HTTP_PORT=443", "DUET_TURN_NAME=call.example.org", "DUET_SERVICE=1", "DUET_TURN_PORTS=1-2", "DUET_HTTP_LISTEM=:1"} {
		if _, err := Load("", []string{mistyped}); err == nil || !strings.Contains(err.Error(), "no such key") {
			t.Errorf("%s: %v, want no such key", mistyped, err)
		}
	}
}

func TestOldNames(t *testing.T) {
	for old, now := range renamed {
		group, name, _ := strings.Cut(old, ".")
		value := func(cfg Config) string {
			for _, l := range leaves(reflect.ValueOf(&cfg).Elem(), "") {
				if l.key == now {
					return fmt.Sprint(l.value)
				}
			}
			return ""
		}
		file := group + ":\n  " + name + ": 123456\n"
		for _, in := range []struct {
			file    string
			environ []string
			old     string
		}{
			{file, nil, old},
			{"", []string{envName(old) + "=123456"}, envName(old)},
			{"", []string{envName(old) + "_FILE=" + write(t, "123456\n")}, envName(old) + "_FILE"},
		} {
			cfg, err := Load(write(t, in.file), in.environ)
			warnings := cfg.Warnings()
			if err != nil || value(cfg) != "123456" || len(warnings) != 1 || !strings.HasPrefix(warnings[0], in.old+" is now ") {
				t.Errorf("%s: got %s, %v, %v", in.old, value(cfg), warnings, err)
			}
		}
		both := file + "  " + strings.TrimPrefix(now, group+".") + ": 123456\n"
		if _, err := Load(write(t, both), nil); err == nil || !strings.Contains(err.Error(), now+": given twice") {
			t.Errorf("%s and %s: %v", old, now, err)
		}
		if _, err := Load("", []string{envName(old) + "=1", envName(now) + "=1"}); err == nil || !strings.Contains(err.Error(), "is given by") {
			t.Errorf("%s and %s: %v", envName(old), envName(now), err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ entry, want string }{ // want is "" for none
		{"DUET_HTTP_TLS_LISTEN=:443 DUET_HTTP_SELF_SIGNED=true DUET_HTTP_REDIRECT=false", "http.redirect: off"},
		{"DUET_HTTP_TLS_LISTEN=:443 DUET_HTTP_SELF_SIGNED=true DUET_HTTP_REDIRECT=false DUET_HTTP_LISTEN=127.0.0.1:8080", ""},
		{"DUET_HTTP_TLS_LISTEN=:443 DUET_HTTP_SELF_SIGNED=true", ""},
		{"DUET_TURN_SECRET=sixteen-letters-", "turn.secret: shorter than 32"},
		{"DUET_TURN_SECRET_PREVIOUS=sixteen-letters-", "turn.secret_previous: shorter than 32"},
		{"DUET_TURN_SECRET=0123456789abcdef0123456789abcdef", ""},
		{"DUET_TURN_USERS=gateway:secret", `turn.users: the password of "gateway"`},
		{"DUET_HTTP_ADMIN_LISTEN=:9080", "http.admin_listen: :9080 is open to everybody"},
		{"DUET_HTTP_ADMIN_LISTEN=[::]:9080", "http.admin_listen"},
		{"DUET_HTTP_ADMIN_LISTEN=192.0.2.1:9080", "http.admin_listen"},
		{"DUET_HTTP_ADMIN_LISTEN=metrics.example.org:9080", "http.admin_listen"},
		{"DUET_HTTP_ADMIN_LISTEN=10.1.2.3:9080", ""},
		{"DUET_HTTP_ADMIN_LISTEN=[::1]:9080", ""},
		{"DUET_HTTP_ADMIN_LISTEN=localhost:9080", ""},
		{"DUET_HTTP_ADMIN_LISTEN=", ""},
	} {
		cfg, err := Load("", strings.Fields(tt.entry))
		warnings := cfg.Warnings()
		if err != nil || strings.Contains(fmt.Sprint(warnings), "sixteen") || tt.want == "" && warnings != nil ||
			tt.want != "" && (len(warnings) != 1 || !strings.HasPrefix(warnings[0], tt.want)) {
			t.Errorf("%s: got %q, %v, want %q", tt.entry, warnings, err, tt.want)
		}
	}
}

func TestSharedPort(t *testing.T) {
	for _, tt := range []struct {
		turn, relay string
		shared      bool
		fault       bool
	}{
		{":3478", ":3480", false, false},
		{":3478", ":3478", true, false},
		{":3478", "[::]:3478", true, false},
		{"0.0.0.0:3478", ":3478", true, false},
		{"192.0.2.1:3478", "192.0.2.1:3478", true, false},
		{"[2001:db8::1]:3478", "[2001:db8:0::1]:3478", true, false},
		{"192.0.2.1:3478", "192.0.2.2:3478", false, false},
		{"192.0.2.1:3478", ":3478", false, true},
		{":3478", "[2001:db8::1]:3478", false, true},
		{"127.0.0.1:0", "127.0.0.1:0", false, false}, // the system chooses two
	} {
		c := Default()
		c.TURN.Listen, c.Relay.Listen = tt.turn, tt.relay
		if got := c.SharedPort(); got != tt.shared {
			t.Errorf("turn.listen %s, relay.listen %s: shared %v, want %v", tt.turn, tt.relay, got, tt.shared)
		}
		if err := c.Validate(); (err != nil) != tt.fault {
			t.Errorf("turn.listen %s, relay.listen %s: %v", tt.turn, tt.relay, err)
		}
		for _, off := range []func(*Config){func(c *Config) { c.TURN.Enabled = false }, func(c *Config) { c.Relay.Mode = "off" }} {
			c := c
			if off(&c); c.SharedPort() || c.Validate() != nil {
				t.Errorf("turn.listen %s, relay.listen %s, one of them off: shared %v, %v", tt.turn, tt.relay, c.SharedPort(), c.Validate())
			}
		}
	}
}

func TestPrintMasksSecretsAndLeavesTheRest(t *testing.T) {
	cfg := Default()
	before := Default()
	for _, c := range []*Config{&cfg, &before} {
		for _, l := range leaves(reflect.ValueOf(c).Elem(), "") {
			if !l.secret {
				continue
			}
			text := "hunter2"
			if l.value.Kind() == reflect.Map {
				text = "name:hunter2"
			}
			if err := setText(l.value, text, true); err != nil {
				t.Fatalf("%s: %v", l.key, err)
			}
		}
	}
	text := show(t, cfg)
	// The mask is in this source for everybody to read.
	_, err := Load(write(t, text), nil)
	for _, l := range leaves(reflect.ValueOf(&cfg).Elem(), "") {
		if _, fromEnv := Load("", []string{envName(l.key) + "=" + Masked}); l.secret {
			for _, err := range []error{err, fromEnv} {
				if l.value.Kind() == reflect.Map && err == fromEnv { // no name:value pairs anyway
					continue
				}
				if err == nil || !strings.Contains(err.Error(), l.key+": is what `duet config` shows") {
					t.Errorf("%s: a mask is taken for a secret: %v", l.key, err)
				}
			}
		}
	}
	if strings.Contains(text, "hunter2") || !strings.Contains(text, "api_token: "+Masked) {
		t.Errorf("got\n%s", text)
	}
	if !reflect.DeepEqual(cfg, before) {
		t.Error("printing changed the configuration")
	}
	var secrets []string
	for _, l := range leaves(reflect.ValueOf(&cfg).Elem(), "") {
		if l.secret {
			secrets = append(secrets, l.key)
		}
	}
	for _, key := range []string{"http.api_token", "turn.secret", "turn.users"} {
		if !slices.Contains(secrets, key) {
			t.Errorf("%s is not marked as a secret", key)
		}
	}
}

// What print shows of a configuration without secrets loads as the same configuration.
func TestPrintLoads(t *testing.T) {
	cfg, err := Load(write(t, show(t, Default())), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(t, cfg), show(t, Default()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func show(t *testing.T, c Config) string {
	t.Helper()
	text, err := c.Print()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzLoad(f *testing.F) {
	manual, err := os.ReadFile("duet.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manual)
	f.Add([]byte("http: &a\n  listen: x\nlog: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spin.Watch(t)
		cfg := Default()
		if faults := layFile(&cfg, "f", data); len(faults) == 0 {
			if _, err := cfg.Print(); err != nil {
				t.Errorf("accepted, but cannot be printed: %v", err)
			}
		}
	})
}
