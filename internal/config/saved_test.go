package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
)

// savedFile has something of each that what is saved may collide with.
const savedFile = `
callhome {
  enabled = true
  users   = ["fleet"]

  listener "olts" {
    port = 4434
  }
}

user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}

user "tls" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
    ca          = "pki/ca.pem"
  }
}

session "edge-1" {
  address   = "192.0.2.1"
  host_keys = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]
  port      = 20001
}

session "edge-2" {
  address   = "192.0.2.2"
  device_id = "edge 2"
}

session "edge-3" {
  certificate_names = ["edge-3.example"]
  user              = "tls"
}

gateway {
  address = "::"
  port    = 830
  ports   = "20000-29999"
}
`

func savedUser(name, body string) Saved {
	return Saved{Kind: SavedUser, Name: name, Text: auth.Secret(fmt.Sprintf("user %q {\n%s\n}\n", name, body))}
}

func savedSession(name, body string) Saved {
	return Saved{Kind: SavedSession, Name: name, Text: auth.Secret(fmt.Sprintf("session %q {\n%s\n}\n", name, body))}
}

func savedCallhomeUser(name string) Saved { return Saved{Kind: SavedCallhomeUser, Name: name} }

func loadSaved(t *testing.T, file string, saved ...Saved) *Config {
	t.Helper()
	c, p := load("x.hcl", openFile{content: []byte(file)}, Options{Getenv: testGetenv, Saved: saved})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	return c
}

// reasons are those for which something was set aside, by kind and name.
func reasons(c *Config) map[string]string {
	all := make(map[string]string)
	for _, s := range c.SetAside {
		all[s.Kind+" "+s.Name] = s.Reason
	}
	return all
}

// TestSavedIsReadTogetherWithTheFile: whatever the order in which it was saved.
func TestSavedIsReadTogetherWithTheFile(t *testing.T) {
	inTestdata(t)
	c := loadSaved(t, savedFile,
		savedSession("core-1", "address = \"192.0.2.9\"\nuser = \"night\"\nport = 20009\nidle_close = \"0s\""),
		savedCallhomeUser("night"),
		savedUser("night", "username = \"night\"\npassword = \"${\"hunter2\"}\""),
		savedCallhomeUser("tls"),
	)
	if len(c.SetAside) > 0 {
		t.Fatalf("set aside: %v", reasons(c))
	}
	night := c.Callhome.NamedUsers["night"]
	if night == nil || night.Password.Reveal() != "hunter2" || c.UserOrigin("night") != FromSaved || c.UserOrigin("fleet") != FromFile {
		t.Errorf("user %+v from %q", night, c.UserOrigin("night"))
	}
	var users []string
	for i, u := range c.Callhome.Users {
		users = append(users, u.Name+" "+string(c.CallhomeUserOrigin(i)))
	}
	if want := []string{"fleet file", "night saved", "tls saved"}; !reflect.DeepEqual(users, want) {
		t.Errorf("callhome-users %q", users)
	}
	e, device := c.Callhome.Entries[3], c.Gateway.Devices[3]
	if e.Name != "core-1" || e.User != night || device != (gateway.DeviceConfig{Name: "core-1", Port: 20009, IdleClose: -1}) {
		t.Errorf("entry %+v, device %+v", e, device)
	}
	if c.SessionOrigin("core-1") != FromSaved || c.SessionOrigin("edge-1") != FromFile {
		t.Errorf("core-1 from %q, edge-1 from %q", c.SessionOrigin("core-1"), c.SessionOrigin("edge-1"))
	}
}

// TestSavedIsSetAside: each that does not go with the file or with what was
// saved before, and nothing else.
func TestSavedIsSetAside(t *testing.T) {
	inTestdata(t)
	good := "username = \"a\"\npassword = \"hunter2\""
	for _, tc := range []struct {
		name, reason string // of the last of them
		saved        []Saved
	}{
		{"user of the file", "the file has a user of this name", []Saved{savedUser("fleet", good)}},
		{"user of the file, in capitals", "the file has a user of this name", []Saved{savedUser("Fleet", good)}},
		{"session of the file", "the file has a session of this name", []Saved{savedSession("EDGE-1", `address = "192.0.2.9"`)}},
		{"user twice", "there is another saved user of this name", []Saved{savedUser("a", good), savedUser("A", good)}},
		{"session twice", "there is another saved session of this name", []Saved{savedSession("a", `address = "192.0.2.9"`), savedSession("A", `address = "192.0.2.8"`)}},
		{"callhome-user of the file", "listed in the file", []Saved{savedCallhomeUser("fleet")}},
		{"callhome-user twice", "listed already", []Saved{savedCallhomeUser("tls"), savedCallhomeUser("tls")}},
		{"unknown callhome-user", `there is no user "nobody"`, []Saved{savedCallhomeUser("nobody")}},
		{"callhome-user that was set aside", `there is no user "a"`, []Saved{savedUser("a", `username = "a"`), savedCallhomeUser("a")}},
		{"unknown user", `there is no user "flet": did you mean "fleet"?`, []Saved{savedSession("a", "address = \"192.0.2.9\"\nuser = \"flet\"")}},
		{"unknown listener", `there is no listener "olt": did you mean "olts"?`, []Saved{savedSession("a", "address = \"192.0.2.9\"\nlistener = \"olt\"")}},
		{"user without credential", `user "a" has nothing to log in with: set password or private_key, or add a tls block for devices that call over TLS`, []Saved{savedUser("a", `username = "a"`)}},
		{"port of the file", `the port of session "edge-1" and the port of session "a" are both 20001: choose another port for one of them`, []Saved{savedSession("a", "address = \"192.0.2.9\"\nport = 20001")}},
		{"port for calls", `the port of listener "olts" and the port of session "a" are both 4434: choose another port for one of them`, []Saved{savedSession("a", "address = \"192.0.2.9\"\nport = 4434")}},
		{"port twice", `the port of session "a" and the port of session "b" are both 20009: choose another port for one of them`, []Saved{savedSession("a", "address = \"192.0.2.9\"\nport = 20009"), savedSession("b", "address = \"192.0.2.8\"\nport = 20009")}},
		{"TLS port", noServerTLS + ": " + tlsHint, []Saved{savedSession("a", "address = \"192.0.2.9\"\ntls_port = 21009")}},
		{"address of the file", `sessions "edge-2" and "a" have the same address: give each of them its host_keys, host_principals, certificates or certificate_names, so that they can be told apart`, []Saved{savedSession("a", `address = "192.0.2.2"`)}},
		{"pin of the file", `this host key is pinned twice: it is pinned by session "edge-1" already; a key belongs to one device`, []Saved{savedSession("a", `host_keys = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]`)}},
		{"device ID of the file", `session "edge-2" has the device_id "edge 2" as well: a device ID belongs to one device`, []Saved{savedSession("a", `device_id = "edge 2"`)}},
		{"name of the file's in a certificate", `session "edge-3" expects the name "edge-3.example" as well: a name belongs to one device`, []Saved{savedSession("a", "certificate_names = [\"edge-3.example\"]\nuser = \"tls\"")}},
		{"matches nothing", `session "a" matches no device: set address, host_keys, or both; host_principals for a device with a host certificate, device_id for one of Junos, certificates or certificate_names for one that calls over TLS`, []Saved{savedSession("a", "")}},
		{"option of another version", `unsupported argument: An argument named "adress" is not expected here. Did you mean "address"?`, []Saved{savedSession("a", `adress = "192.0.2.9"`)}},
		{"name that is none", `"a b" cannot be the name of a session: names are 1 to 63 of a-z, 0-9 and -, and begin with a letter or a digit`, []Saved{savedSession("a b", `address = "192.0.2.9"`)}},
		{"no HCL", "the saved text is not HCL", []Saved{{Kind: SavedUser, Name: "a", Text: `password = "hunter2`}}},
		{"nesting", "the saved text is not HCL", []Saved{{Kind: SavedUser, Name: "a", Text: auth.Secret(strings.Repeat("[", 1e5))}}},
		{"nothing", `the saved text is not the block of a user "a"`, []Saved{{Kind: SavedUser, Name: "a"}}},
		{"another's text", `the saved text is not the block of a session "a"`, []Saved{{Kind: SavedSession, Name: "a", Text: savedSession("b", `address = "192.0.2.9"`).Text}}},
		{"text of another kind", `the saved text is not the block of a session "a"`, []Saved{{Kind: SavedSession, Name: "a", Text: savedUser("a", good).Text}}},
		{"two blocks", `the saved text is not the block of a user "a"`, []Saved{{Kind: SavedUser, Name: "a", Text: savedUser("a", good).Text + savedUser("b", good).Text}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := loadSaved(t, savedFile, append(tc.saved, savedSession("last", "address = \"192.0.2.99\"\nport = 20099"))...)
			last := tc.saved[len(tc.saved)-1]
			got := reasons(c)
			if got[last.Kind+" "+last.Name] != tc.reason {
				t.Errorf("set aside: %q", got)
			}
			if c.SessionOrigin("last") != FromSaved || c.Callhome.Entries[0].Name != "edge-1" || len(c.Callhome.Entries) != len(c.Gateway.Devices) {
				t.Errorf("what else there is: %+v", c.Callhome.Entries)
			}
		})
	}
}

// TestWhatIsSetAsideTakesNothing: neither a port nor a key, address or name.
func TestWhatIsSetAsideTakesNothing(t *testing.T) {
	inTestdata(t)
	const identity = "address = \"192.0.2.9\"\nport = 20009\nhost_keys = [\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]\ndevice_id = \"a\"\n"
	c := loadSaved(t, savedFile,
		savedSession("a", identity+`user = "nobody"`),
		savedSession("b", "address = \"192.0.2.8\"\nport = 20001\ntls_port = 20008"),
		savedSession("c", identity),
		savedSession("d", "address = \"192.0.2.8\"\nport = 20008"),
		savedUser("e", "username = \"e\""),
		savedUser("e", "username = \"e\"\npassword = \"hunter2\""),
	)
	if got := reasons(c); len(got) != 3 || c.SessionOrigin("c") != FromSaved || c.SessionOrigin("d") != FromSaved || c.UserOrigin("e") != FromSaved {
		t.Errorf("set aside: %q", got)
	}
}

// TestNothingSavedChangesWhatIsSaidOfTheFile: no warning, no error more or less.
func TestNothingSavedChangesWhatIsSaidOfTheFile(t *testing.T) {
	inTestdata(t)
	saved := []Saved{
		savedUser("zz", "username = \"a\"\npasswort = \"hunter2\"\nlegacy_algorithms = true"), savedUser("zy", ""), savedUser("fleet", ""),
		savedSession("zz", `address = "192.0.2.66"`), savedSession("zy", "address = \"192.0.2.10\"\nport = 830\ntls_port = 20001"),
		savedSession("edge-1", ""), savedCallhomeUser("nobody"),
	}
	for _, file := range []string{
		"valid-minimal.hcl", "warning-no-users.hcl", "warning-no-ports.hcl", "warning-pinned-without-pins.hcl", "warning-secret-literal.hcl", "warning-tls-no-port.hcl",
		"warning-tls-no-user.hcl", "warning-listener.hcl", "invalid-port-twice.hcl", "invalid-session-user.hcl", "invalid-tls-port-nobody.hcl",
	} {
		alone, before := Load(file, Options{Getenv: testGetenv})
		c, after := Load(file, Options{Getenv: testGetenv, Saved: saved})
		if (alone == nil) != (c == nil) || before.Error() != after.Error() {
			t.Errorf("%s:\n%v\nwithout:\n%v", file, after, before)
		}
		if alone == nil || c == nil {
			continue
		}
		for i, e := range alone.Callhome.Entries {
			if c.Callhome.Entries[i].Name != e.Name || c.Gateway.Devices[i] != alone.Gateway.Devices[i] {
				t.Errorf("%s: entry %d is %+v", file, i, c.Callhome.Entries[i])
			}
		}
		if len(c.Callhome.Users) != len(alone.Callhome.Users) || c.Callhome.Main.TLSPort != alone.Callhome.Main.TLSPort {
			t.Errorf("%s: callhome is %+v", file, c.Callhome)
		}
	}
}

// TestWarningsAccountForWhatIsSaved: there is something to log in with then, and
// a port for managers.
func TestWarningsAccountForWhatIsSaved(t *testing.T) {
	const file = "callhome {\n  enabled = true\n}\n"
	_, p := load("x.hcl", openFile{content: []byte(file)}, Options{})
	if len(p.list) != 2 {
		t.Fatalf("without: %v", p)
	}
	user := savedUser("a", "username = \"a\"\npassword = \"hunter2\"")
	inTestdata(t)
	onlyTLS := "callhome {\n  enabled = true\n}\nuser \"tls\" {\n  tls {\n    certificate = \"pki/gateway.pem\"\n    key = \"pki/gateway.key\"\n  }\n}\ngateway {\n  port = 830\n}\n"
	if _, p := load("x.hcl", openFile{content: []byte(onlyTLS)}, Options{}); !strings.Contains(p.Error(), "no user can log in over SSH") {
		t.Fatalf("without: %v", p)
	}
	loadSaved(t, onlyTLS, user, savedCallhomeUser("a"))
	loadSaved(t, file, user, savedSession("a", "address = \"192.0.2.9\"\nuser = \"a\"\nport = 20009"))
	loadSaved(t, file, user, savedCallhomeUser("a"), savedSession("a", "address = \"192.0.2.9\"\nport = 20009"))
}

// TestSavedUsersVouchForSavedSessions: a name in a certificate counts where one
// of the users that may be tried has a CA.
func TestSavedUsersVouchForSavedSessions(t *testing.T) {
	inTestdata(t)
	named := savedSession("a", `certificate_names = ["a.example"]`)
	certified := savedUser("certified", "username = \"a\"\npassword = \"b\"\nhost_ca {\nkeys = [file(\"keys/plain.pub\")]\n}")
	principal := savedSession("b", `host_principals = ["b.example"]`)
	if c := loadSaved(t, savedFile, named, certified, principal); len(c.SetAside) != 2 {
		t.Errorf("nobody vouches for them: %q", reasons(c))
	}
	if c := loadSaved(t, savedFile, savedCallhomeUser("tls"), named, certified, savedCallhomeUser("certified"), principal); len(c.SetAside) > 0 {
		t.Errorf("a callhome-user vouches for each: %q", reasons(c))
	}
	hook := strings.Replace(savedFile, "users   = ", "user_select {\n    command = [\"keys/hook\"]\n  }\n  users   = ", 1)
	if c := loadSaved(t, hook, named, certified, principal); len(c.SetAside) > 0 {
		t.Errorf("the hook may name who vouches: %q", reasons(c))
	}
}

// TestListsOfWhatIsSetAsideAreNotWatched: revocation lists are read again when
// they change.
func TestListsOfWhatIsSetAsideAreNotWatched(t *testing.T) {
	inTestdata(t)
	const tls = "tls {\ncertificate = \"pki/gateway.pem\"\nkey = \"pki/gateway.key\"\nca = \"pki/ca.pem\"\ncrl = [\"pki/ca.crl\"]\n}\n"
	c := loadSaved(t, savedFile, savedUser("a", tls+"password = \"\""), savedUser("b", tls))
	if len(c.SetAside) != 1 || len(c.Lists) != 1 || c.Lists[0].Of != `user "b"` {
		t.Errorf("set aside %q, lists %+v", reasons(c), c.Lists)
	}
}

// TestSavedSessionsHaveTLSEndpoints: if the file says how managers come in.
func TestSavedSessionsHaveTLSEndpoints(t *testing.T) {
	inTestdata(t)
	const file = savedFile + `
gateway {
  tls {
    client_ca = "pki/ca.pem"

    cert_to_name {
      fingerprint = "04:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
      map_type    = "common-name"
    }
  }
}
`
	merged := strings.Replace(file, "}\n\ngateway {\n  tls", "\n  tls", 1)
	c := loadSaved(t, merged, savedSession("a", "address = \"192.0.2.9\"\ntls_port = 21009"))
	if len(c.SetAside) > 0 || c.Gateway.TLS == nil || c.Gateway.TLS.Names == nil || c.Gateway.Devices[3].TLSPort != 21009 {
		t.Errorf("set aside %q, TLS %+v", reasons(c), c.Gateway.TLS)
	}
	without, p := load("x.hcl", openFile{content: []byte(merged)}, Options{Getenv: testGetenv})
	if without == nil || without.Gateway.TLS != nil || !strings.Contains(p.Error(), "the tls block has no effect") {
		t.Errorf("without: %v", p)
	}
}

// TestSavedGoesWithTheFlags: they move the port for calls onto one that was free
// when the session was saved, and name the callhome-users.
func TestSavedGoesWithTheFlags(t *testing.T) {
	inTestdata(t)
	port := 20009
	o := Options{Getenv: testGetenv, Flags: Flags{Port: &port, Users: []string{"fleet"}}, Saved: []Saved{
		savedSession("a", "address = \"192.0.2.9\"\nport = 20009"), savedSession("b", "address = \"192.0.2.8\"\nport = 4334"),
		savedCallhomeUser("fleet"), savedCallhomeUser("tls"),
	}}
	file := strings.Replace(savedFile, `"20000-29999"`, `"25000-29999"`, 1)
	c, p := load("x.hcl", openFile{content: []byte(file)}, o)
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	want := map[string]string{
		"session a":           `callhome.port and the port of session "a" are both 20009: choose another port for one of them`,
		"callhome-user fleet": "listed on the command line",
	}
	if got := reasons(c); !reflect.DeepEqual(got, want) {
		t.Errorf("set aside: %q", got)
	}
	if c.CallhomeUserOrigin(0) != FromFlag || c.CallhomeUserOrigin(1) != FromSaved {
		t.Errorf("origins: %v", c.origins.callhome)
	}
}

// TestNoSecretOfWhatIsSavedIsShown: neither in a reason, nor where the
// configuration is printed.
func TestNoSecretOfWhatIsSavedIsShown(t *testing.T) {
	for _, body := range []string{
		"username = \"a\"\npassword = \"hunter2\"\npasword = \"hunter2\"",
		"username = \"a\"\nprivate_key = \"hunter2\"",
		"username = \"a\"\nprivate_key = \"-----BEGIN OPENSSH PRIVATE KEY-----\\nhunter2\"",
		"username = \"a\"\npassword = hunter2",
		"username = \"a\"\npassword = [\"hunter2\"]",
		"username = \"a\"\npassword = \"hunter2${env(\"NOT_SET\")}\"",
		"password = \"hunter2\"",
		"username = \"a\"\npassword = \"hunter2\"\n}}",
		"tls {\nkey = \"hunter2\n\"",
	} {
		s := savedUser("a", body)
		c := loadSaved(t, "gateway {\n  port = 830\n}\n", s)
		if len(c.SetAside) != 1 {
			t.Errorf("%s: nothing was set aside", body)
		}
		if shown := fmt.Sprintf("%v %+v %#v %+v", *c, c.SetAside, c.SetAside, s); strings.Contains(shown, "hunter2") {
			t.Errorf("%s: %s", body, shown)
		}
	}
}

// thousand are as many saved sessions, every second of which has the port of the
// file's.
func thousand() (saved []Saved) {
	for i := range 1000 {
		port := 21000 + i
		if i%2 == 1 {
			port = 20001
		}
		saved = append(saved, savedSession(fmt.Sprintf("core-%d", i), fmt.Sprintf(
			"address = \"198.51.%d.%d\"\nhost_keys = [\"SHA256:%042dA\"]\nport = %d\nuser = \"fleet\"", i/256, i%256, i, port)))
	}
	return saved
}

func TestAThousandSavedSessions(t *testing.T) {
	inTestdata(t)
	c := loadSaved(t, savedFile, thousand()...)
	if len(c.SetAside) != 500 || len(c.Callhome.Entries) != 3+500 {
		t.Errorf("%d set aside, %d entries", len(c.SetAside), len(c.Callhome.Entries))
	}
}

func BenchmarkSaved(b *testing.B) {
	saved := thousand()
	const file = "user \"fleet\" {\n  username = \"a\"\n  password = \"b\"\n}\nsession \"edge-1\" {\n  address = \"192.0.2.1\"\n  port = 20001\n}\n"
	for b.Loop() {
		if c, p := load("x.hcl", openFile{content: []byte(file)}, Options{Saved: saved}); len(c.SetAside) != 500 {
			b.Fatal(p, reasons(c))
		}
	}
}
