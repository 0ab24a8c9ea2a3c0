package config

import (
	"testing"
	"time"
)

func TestLoadHookWithURL(t *testing.T) {
	inTestdata(t)
	write(t, "hook.hcl", []byte(`
gateway {
  port = 830
}
callhome {
  user_select {
    url           = "https://inventory.example.net/select?token=x"
    ca            = "pki/ca.pem"
    authorization = env("PASSWORD")
  }
}
`))
	c, p := Load("hook.hcl", Options{Getenv: testGetenv})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	h := c.Callhome.Hook
	if h.Command != nil || h.URL.String() != "https://inventory.example.net/select?token=x" || h.CA == nil || h.Authorization.Reveal() != "hunter2" {
		t.Errorf("%+v", h)
	}
	if h.Timeout != 5*time.Second || h.Continue || h.MaxRunning != 16 {
		t.Errorf("defaults: %+v", h)
	}
}

// TestTheHookMayNameAnyUser: the hook may name any user entry, so what would
// reach no device without it does.
func TestTheHookMayNameAnyUser(t *testing.T) {
	inTestdata(t)
	write(t, "hook.hcl", []byte(`
gateway {
  port = 830
}
user "certified" {
  username = "netconf"
  password = env("PASSWORD")
  host_ca {
    keys = [file("keys/plain.pub")]
  }
}
callhome {
  enabled = true
  user_select {
    command = ["keys/hook"]
  }
}
session "edge-1" {
  host_principals = ["edge-1.example"]
}
`))
	if _, p := Load("hook.hcl", Options{Getenv: testGetenv}); len(p.list) > 0 {
		t.Error(p)
	}
}

func TestLegacyAlgorithms(t *testing.T) {
	inTestdata(t)
	c, _ := Load("warning-legacy.hcl", Options{Getenv: testGetenv})
	users := c.Callhome.NamedUsers
	if !users["old"].LegacyAlgorithms || users["new"].LegacyAlgorithms || !c.Callhome.Entries[0].LegacyAlgorithms {
		t.Error("not as the file says")
	}
}
