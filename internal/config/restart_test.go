package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
)

// following are the fields of a configuration that a running gateway follows, or
// that are not the configuration's to set. Every other one must need a restart.
var following = map[reflect.Type]string{
	reflect.TypeFor[Config]():   `Enabled Callhome Gateway TLS Lists Log Audit DrainTimeout DrainRate SetAside origins`,
	reflect.TypeFor[Log]():      `Level`,
	reflect.TypeFor[Callhome](): `Main Listeners Hook Options`,
	reflect.TypeFor[callhome.Options](): `Entries Users NamedUsers Trust UserSelect UserSelectTimeout RejectDelay FailureTTL KeepaliveInterval
		DeadAfter IdleRPC ReplyLiveness Sources
		Memory Attach Detach Outcome Log`,
	reflect.TypeFor[gateway.Options](): `Address Port TLSPort Domain TLS Sessions IdleClose Devices Ports HostKeys Managers UserCAs Networks Proxies
		Sources Wait HelloTimeout LoginTimeout StallTimeout SpoolMemory MaxSessions
		PortStore TempDir Recorder Listen Log`,
}

// TestEveryOptionFollowsOrNeedsARestart: a new one has to be among the one or the
// other, or nobody would be told that it waits for a restart.
func TestEveryOptionFollowsOrNeedsARestart(t *testing.T) {
	needed := make(map[string]bool)
	for typ, names := range following {
		for _, name := range strings.Fields(names) {
			if _, ok := typ.FieldByName(name); !ok {
				t.Errorf("%s has no %s any more", typ, name)
			}
		}
		for i := range typ.NumField() {
			field := typ.Field(i)
			follows := slices.Contains(strings.Fields(names), field.Name)
			options := NeedRestart(&Config{}, with(typ, i))
			for _, o := range options {
				needed[o] = true
			}
			if follows == (len(options) > 0) {
				t.Errorf("%s.%s: follows a reload: %v; needs a restart: %q", typ, field.Name, follows, options)
			}
		}
	}
	if len(needed) != len(fixed) {
		t.Errorf("%d options need a restart, of %d", len(needed), len(fixed))
	}
}

// with returns a configuration in which one field of a type has a value, if it is
// of a kind that is compared.
func with(typ reflect.Type, field int) *Config {
	c := &Config{}
	holders := []any{c, &c.Log, &c.Callhome, &c.Callhome.Options, &c.Gateway}
	for _, holder := range holders {
		v := reflect.ValueOf(holder).Elem()
		if v.Type() != typ || !v.Field(field).CanSet() {
			continue
		}
		switch f := v.Field(field); {
		case f.CanInt():
			f.SetInt(7)
		case f.CanUint():
			f.SetUint(1)
		case f.Kind() == reflect.String:
			f.SetString("x")
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		}
	}
	return c
}

// TestOptionsThatNeedARestartAreOptions: by the names that the file has for them.
func TestOptionsThatNeedARestartAreOptions(t *testing.T) {
	for _, f := range fixed {
		src := f.option + " = 70000000\n"
		if block, name, ok := strings.Cut(f.option, "."); ok {
			src = fmt.Sprintf("%s {\n  %s = 70000000\n}\n", block, name)
		}
		_, p := load("x.hcl", openFile{content: []byte(src)}, Options{})
		var b bytes.Buffer
		if err := p.Print(&b, false, 0); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "not expected") {
			t.Errorf("%s: %s", f.option, b.String())
		}
	}
}

func TestNeedRestart(t *testing.T) {
	inTestdata(t)
	full, p := Load("valid-full.hcl", Options{Getenv: testGetenv})
	if full == nil {
		t.Fatal(p)
	}
	minimal, _ := Load("valid-minimal.hcl", Options{Getenv: testGetenv})
	if got := NeedRestart(full, full); got != nil {
		t.Errorf("nothing has changed: %q", got)
	}
	want := []string{
		"state_dir", "callhome.max_handshakes", "callhome.max_handshakes_per_source", "callhome.max_calls", "callhome.max_held",
		"gateway.max_logins", "gateway.max_message", "gateway.spool_budget", "log.format",
	}
	if got := NeedRestart(minimal, full); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestOptionsThatNeedARestartAreInTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../docs/reload.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fixed {
		if !strings.Contains(string(text), "`"+f.option+"`") {
			t.Errorf("docs/reload.md does not name %s", f.option)
		}
	}
}
