package config

import (
	"net/netip"
	"strings"
	"testing"
)

const flagsFile = `
callhome {
  enabled = true
  port    = 0
  users   = ["fleet", "old"]
}

user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}

user "old" {
  username = "admin"
  password = env("PASSWORD")
}

session "edge-1" {
  address = "192.0.2.10"
  port    = 20001
}

gateway {
  address = "::"
  port    = 830
  ports   = "20000-29999"
}
`

func loadWithFlags(file string, f Flags) (*Config, *Problems) {
	return load("x.hcl", openFile{content: []byte(file)}, Options{Getenv: testGetenv, Flags: f})
}

func TestFlagsBeatTheFile(t *testing.T) {
	enabled, port, tlsPort := false, 5334, 5335
	c, p := loadWithFlags(flagsFile, Flags{Enabled: &enabled, Address: "::1", Port: &port, TLSPort: &tlsPort, Users: []string{"old"}})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	if c.Enabled || c.Callhome.Main.Address != netip.MustParseAddr("::1") || c.Callhome.Main.Port != 5334 || c.Callhome.Main.TLSPort != 5335 {
		t.Errorf("callhome: %+v", c.Callhome)
	}
	if len(c.Callhome.Users) != 1 || c.Callhome.Users[0].Name != "old" || c.CallhomeUserOrigin(0) != FromFlag || c.UserOrigin("old") != FromFile {
		t.Errorf("users: %v", c.Callhome.Users)
	}
}

func TestNoFlagsChangeNothing(t *testing.T) {
	c, p := loadWithFlags(flagsFile, Flags{})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	if !c.Enabled || c.Callhome.Main.Port != 0 || len(c.Callhome.Users) != 2 || c.CallhomeUserOrigin(1) != FromFile {
		t.Errorf("callhome: %+v", c.Callhome)
	}
}

// TestWarningsAreAboutWhatTheFlagsMakeOfTheFile: the file enables nothing, and
// has no callhome block even.
func TestWarningsAreAboutWhatTheFlagsMakeOfTheFile(t *testing.T) {
	const file = "user \"a\" {\n  username = \"b\"\n  password = env(\"PASSWORD\")\n}\n\ngateway {\n  port = 830\n}\n"
	enabled := true
	if _, p := loadWithFlags(file, Flags{Enabled: &enabled}); !strings.Contains(p.Error(), "every call is dropped") || p.HasErrors() || p.InFlags() {
		t.Errorf("without users: %v", p)
	}
	if _, p := loadWithFlags(file, Flags{Enabled: &enabled, Users: []string{"a"}}); len(p.list) > 0 {
		t.Errorf("with users: %v", p)
	}
}

func TestFlagsWithErrorsAreNotLookedAtInAFileWithErrors(t *testing.T) {
	port := -1
	_, p := loadWithFlags("gateway {\n  port = 70000\n}\n", Flags{Port: &port})
	if !p.HasErrors() || p.InFlags() {
		t.Error(p)
	}
}

func TestFlagsAreRefused(t *testing.T) {
	port := func(n int) *int { return &n }
	for _, tc := range []struct {
		f    Flags
		want string
	}{
		{Flags{Address: "localhost"}, `command line: error: --callhome-address: "localhost" is not an IP address`},
		{Flags{Port: port(65536)}, `command line: error: --callhome-port: 65536 is not a port (0 to 65535)`},
		{Flags{Port: port(830)}, `command line: error: callhome.port and gateway.port are both 830: choose another port for one of them`},
		{Flags{Port: port(20001)}, "command line: error: callhome.port (20001) is in the range of gateway.ports, 20000-29999: choose a port outside of the range\n" +
			`command line: error: callhome.port and the port of session "edge-1" are both 20001: choose another port for one of them`},
		{Flags{TLSPort: port(-1)}, `command line: error: --callhome-tls-port: -1 is not a port (0 to 65535)`},
		{Flags{TLSPort: port(830)}, `command line: error: callhome.tls_port and gateway.port are both 830: choose another port for one of them`},
		{Flags{Users: []string{"old", "flet"}}, `command line: error: --callhome-user: there is no user "flet": did you mean "fleet"?`},
	} {
		t.Run(tc.want, func(t *testing.T) {
			if c, p := loadWithFlags(flagsFile, tc.f); c != nil || !strings.HasPrefix(p.Error(), tc.want) || !p.InFlags() {
				t.Errorf("got %s", p)
			}
		})
	}
}
