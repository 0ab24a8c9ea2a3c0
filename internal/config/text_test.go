package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/crypto/ssh"
)

// allOfEntry is an entry, and its device, with a value in every field. No device
// has both kinds of pins and names in certificates that count.
func allOfEntry(user *auth.User) (callhome.Entry, gateway.DeviceConfig) {
	return callhome.Entry{
			Name: "core-1", Transport: callhome.SSH, Address: netip.MustParsePrefix("192.0.2.0/24"),
			Pins:             []auth.Identity{{Type: ssh.KeyAlgoECDSA256, Fingerprint: "SHA256:" + strings.Repeat("A", 43)}, {Fingerprint: "SHA256:B" + strings.Repeat("A", 42)}},
			CertificateNames: []string{"core-1.example"}, HostPrincipals: []string{"core-1.example"},
			DeviceID: `${a} %{b} "c" \d`, DeviceSecret: "hunter2 ${hunter2}", Listener: "olts", LegacyAlgorithms: true, User: user,
			Hello: callhome.HelloOptions{Base: []string{"1.0"}, Capabilities: []string{"urn:example:${one}?a=b&c=%{d}"}},
		},
		gateway.DeviceConfig{Name: "core-1", Port: 20009, TLSPort: 21009, Sessions: gateway.SessionsExclusive, IdleClose: 90 * time.Second}
}

// TestSessionTextHasEveryField: a field that is new must not get lost.
func TestSessionTextHasEveryField(t *testing.T) {
	e, device := allOfEntry(&auth.User{Name: "fleet"})
	for _, v := range []reflect.Value{reflect.ValueOf(e), reflect.ValueOf(device)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not tested", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	text := SessionText(e, device, SecretsInText)
	for _, name := range []string{
		"address", "transport", "host_keys", "certificate_names", "host_principals", "device_id", "device_secret", "legacy_algorithms",
		"listener", "user", "port", "tls_port", "sessions", "idle_close", "base", "capabilities",
	} {
		if !strings.Contains(text, "  "+name+" ") {
			t.Errorf("%s is not in\n%s", name, text)
		}
	}
}

// TestASessionIsTheSameAfterItsText.
func TestASessionIsTheSameAfterItsText(t *testing.T) {
	inTestdata(t)
	file := strings.Replace(savedFile, "\"olts\" {\n", "\"olts\" {\n    tls_port = 4435\n", 1)
	user := &auth.User{Name: "fleet"}
	full, device := allOfEntry(user)
	full.CertificateNames, full.HostPrincipals, device.TLSPort = nil, nil, 0
	fingerprint := "SHA256:" + strings.Repeat("AB:", 31) + "AB"
	for name, tc := range map[string]struct {
		e callhome.Entry
		d gateway.DeviceConfig
	}{
		"everything": {full, device},
		"of SSH":     {callhome.Entry{Name: "a", Pins: full.Pins[:1], User: user}, gateway.DeviceConfig{Name: "a", Port: 1, IdleClose: -1}},
		"of TLS": {callhome.Entry{Name: "a", Transport: callhome.TLS, Pins: []auth.Identity{
			{Type: auth.TypeCertificate, Fingerprint: fingerprint}, {Type: auth.TypeCertificateKey, Fingerprint: fingerprint[:len(fingerprint)-1] + "C"},
		}}, gateway.DeviceConfig{Name: "a", Sessions: gateway.SessionsShared}},
		"of one address": {callhome.Entry{Name: "a", Address: netip.MustParsePrefix("2001:db8::9/128")}, gateway.DeviceConfig{Name: "a"}},
		"of names":       {callhome.Entry{Name: "a", CertificateNames: []string{"${a}", `b"`}, User: &auth.User{Name: "tls"}}, gateway.DeviceConfig{Name: "a"}},
		"of principals":  {callhome.Entry{Name: "a", HostPrincipals: []string{"a.example"}, User: &auth.User{Name: "certified"}}, gateway.DeviceConfig{Name: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			certified := savedUser("certified", "username = \"a\"\npassword = \"b\"\nhost_ca {\nkeys = [file(\"keys/plain.pub\")]\n}")
			text := SessionText(tc.e, tc.d, SecretsInText)
			c, p := load("x.hcl", openFile{content: []byte(file)}, Options{Getenv: testGetenv, Saved: []Saved{certified, {Kind: SavedSession, Name: tc.e.Name, Text: auth.Secret(text)}}})
			if c == nil || len(c.SetAside) > 0 {
				t.Fatalf("%v, set aside %q:\n%s", p, reasons(c), text)
			}
			if tc.e.User != nil {
				tc.e.User = c.Callhome.NamedUsers[tc.e.User.Name]
			}
			if got := c.Callhome.Entries[3]; !reflect.DeepEqual(got, tc.e) {
				t.Errorf("got %+v of\n%s", got, text)
			}
			if got := c.Gateway.Devices[3]; got != tc.d {
				t.Errorf("got %+v of\n%s", got, text)
			}
			checkCanonical(t, text)
		})
	}
}

func checkCanonical(t *testing.T, text string) {
	t.Helper()
	if formatted, p := Format("x.hcl", []byte(text)); string(formatted) != text {
		t.Errorf("%v: fmt makes of\n%s\nthis:\n%s", p, text, formatted)
	}
}

func TestAUserIsTheSameAfterItsText(t *testing.T) {
	inTestdata(t)
	key := auth.Secret(keyFiles["plain"])
	for _, u := range []UserSpec{
		{Name: "a", Username: "net${conf}", Password: "%{hunter2}\"\\ $${x} ü"},
		{Name: "a", Username: "netconf", PrivateKey: key},
		{Name: "a", Username: "netconf", Password: "hunter2", PrivateKey: key},
	} {
		text := UserText(u, SecretsInText)
		c := loadSaved(t, "gateway {\n  port = 830\n}\n", Saved{Kind: SavedUser, Name: "a", Text: auth.Secret(text)})
		got := c.Callhome.NamedUsers["a"]
		if got == nil || got.Username != u.Username || got.Password != u.Password || (len(got.Keys) == 1) != (u.PrivateKey != "") {
			t.Errorf("set aside %q: %+v", reasons(c), got)
		}
		checkCanonical(t, text)
	}
}

// TestTextsWithoutSecretsSayWhereTheyBelong: they are good HCL, which needs only
// the secrets put there.
func TestTextsWithoutSecretsSayWhereTheyBelong(t *testing.T) {
	e, device := callhome.Entry{Name: "9-a", DeviceID: "a", DeviceSecret: "hunter2"}, gateway.DeviceConfig{Name: "9-a"}
	user := UserSpec{Name: "night-shift", Username: "netconf", Password: "hunter2", PrivateKey: "hunter2"}
	text := SessionText(e, device, SecretsLeftOut) + "\n" + UserText(user, SecretsLeftOut)
	want := `session "9-a" {
  device_id = "a"
  # Not shown: set it in the environment of callhome-gateway.
  device_secret = env("_9_A_SECRET")
}

user "night-shift" {
  username = "netconf"
  # Not shown: put it into this file.
  private_key = file("keys/night-shift")
  # Not shown: set it in the environment of callhome-gateway.
  password = env("NIGHT_SHIFT_PASSWORD")
}
`
	if text != want {
		t.Errorf("got\n%s", text)
	}
	checkCanonical(t, text)
	if c, p := load("x.hcl", openFile{content: []byte(text)}, Options{Offline: true, Getenv: testGetenv}); c == nil {
		t.Error(p)
	}
}

// FuzzText: whatever is in a value, it stays in it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"${a}", "$${a}", "$$${a}", "%%{a}", "\\", "\"", "\n}\nuser \"b\" {", "\x00", "\u2028", "\U0001F600", "$", "%", "{"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, password, id string) {
		if !utf8.ValidString(password) || !utf8.ValidString(id) || password == "" {
			t.Skip("no text that HCL can hold")
		}
		user := Saved{Kind: SavedUser, Name: "a", Text: auth.Secret(UserText(UserSpec{Name: "a", Username: "a", Password: auth.Secret(password)}, SecretsInText))}
		session := Saved{Kind: SavedSession, Name: "a", Text: auth.Secret(SessionText(callhome.Entry{Name: "a", DeviceID: id, Address: netip.MustParsePrefix("192.0.2.1/32")}, gateway.DeviceConfig{Name: "a"}, SecretsInText))}
		c, p := load("x.hcl", openFile{content: []byte("gateway {\n  port = 830\n}\n")}, Options{Saved: []Saved{user, session}})
		if c == nil {
			t.Fatal(p)
		}
		want := strings.TrimSuffix(strings.TrimSuffix(cty.StringVal(password).AsString(), "\n"), "\r")
		if u := c.Callhome.NamedUsers["a"]; want != "" && (u == nil || u.Password.Reveal() != want) {
			t.Errorf("password %q: %+v, %q", want, u, reasons(c))
		}
		for _, e := range c.Callhome.Entries {
			if e.DeviceID != cty.StringVal(id).AsString() {
				t.Errorf("device_id %q became %q", id, e.DeviceID)
			}
		}
	})
}
