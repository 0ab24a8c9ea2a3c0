package config

import (
	"net/netip"
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

func loadForFlags(t *testing.T) *Config {
	t.Helper()
	c, p := load("x.hcl", openFile{content: []byte(flagsFile)}, Options{Getenv: testGetenv})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	return c
}

func TestApply(t *testing.T) {
	c := loadForFlags(t)
	enabled, port, tlsPort := false, 5334, 5335
	if p := c.Apply(Overrides{Enabled: &enabled, Address: "::1", Port: &port, TLSPort: &tlsPort, Users: []string{"old"}}); len(p.list) > 0 {
		t.Fatal(p)
	}
	if c.Enabled || c.Callhome.Main.Address != netip.MustParseAddr("::1") || c.Callhome.Main.Port != 5334 || c.Callhome.Main.TLSPort != 5335 {
		t.Errorf("callhome: %+v", c.Callhome)
	}
	if len(c.Callhome.Users) != 1 || c.Callhome.Users[0].Name != "old" {
		t.Errorf("users: %v", c.Callhome.Users)
	}
}

func TestApplyNothingChangesNothing(t *testing.T) {
	c := loadForFlags(t)
	if p := c.Apply(Overrides{}); len(p.list) > 0 {
		t.Fatal(p)
	}
	if !c.Enabled || c.Callhome.Main.Port != 0 || len(c.Callhome.Users) != 2 {
		t.Errorf("callhome: %+v", c.Callhome)
	}
}

func TestApplyRefuses(t *testing.T) {
	port := func(n int) *int { return &n }
	for _, tc := range []struct {
		o    Overrides
		want string
	}{
		{Overrides{Address: "localhost"}, `command line: error: --callhome-address: "localhost" is not an IP address`},
		{Overrides{Port: port(65536)}, `command line: error: --callhome-port: 65536 is not a port (0 to 65535)`},
		{Overrides{Port: port(830)}, `command line: error: callhome.port and gateway.port are both 830: choose another port for one of them`},
		{Overrides{Port: port(20001)}, "command line: error: callhome.port (20001) is in the range of gateway.ports, 20000-29999: choose a port outside of the range\n" +
			`command line: error: callhome.port and the port of session "edge-1" are both 20001: choose another port for one of them`},
		{Overrides{TLSPort: port(-1)}, `command line: error: --callhome-tls-port: -1 is not a port (0 to 65535)`},
		{Overrides{TLSPort: port(830)}, `command line: error: callhome.tls_port and gateway.port are both 830: choose another port for one of them`},
		{Overrides{Users: []string{"old", "flet"}}, `command line: error: --callhome-user: there is no user "flet": did you mean "fleet"?`},
	} {
		t.Run(tc.want, func(t *testing.T) {
			c := loadForFlags(t)
			if p := c.Apply(tc.o); p.Error() != tc.want {
				t.Errorf("got %s", p)
			}
			if c.Callhome.Main.Port != 0 || len(c.Callhome.Users) != 2 {
				t.Error("it was applied in part")
			}
		})
	}
}
