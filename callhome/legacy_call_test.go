package callhome_test

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

func rsaKey(t *testing.T) ssh.Signer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestAnOldDeviceNeedsLegacyAlgorithms(t *testing.T) {
	old := rsaKey(t)
	m := &memory{}
	m.add("edge-1", auth.SSHIdentity(old.PublicKey()))
	user := fleetUser()
	s := start(t, callhome.Options{Memory: m, Users: []*auth.User{user}})
	call := func(s *server, log *authLog) {
		device(t, s, devicesim.Options{HostKeys: []ssh.Signer{old}, LegacyAlgorithms: true, OnAuth: log.add})
	}
	var log authLog
	call(s, &log)
	if o := s.want(t, callhome.FailedHandshake); !strings.Contains(o.Detail, "(diffie-hellman-group14-sha1)") || !strings.Contains(o.Detail, "legacy_algorithms = true on its session or user entry") {
		t.Errorf("the detail is %q", o.Detail)
	}

	// It is offered them for the sake of another device.
	other := callhome.Entry{Name: "other", Pins: []auth.Identity{identity(t, "other")}, User: user, LegacyAlgorithms: true}
	s = start(t, callhome.Options{Memory: m, Users: []*auth.User{user}, Entries: []callhome.Entry{other}})
	call(s, &log)
	if o := s.want(t, callhome.FailedHandshake); o.Device != "edge-1" || !strings.Contains(o.Detail, "legacy_algorithms = true") {
		t.Errorf("outcome %+v", o)
	}
	if len(log.all()) != 0 {
		t.Errorf("the device saw %v", log.all())
	}

	allowed := fleetUser()
	allowed.LegacyAlgorithms = true
	s = start(t, callhome.Options{Memory: m, Users: []*auth.User{allowed}})
	call(s, &log)
	s.want(t, callhome.Accepted)
	a := receive(t, s.links, "link").Algorithms()
	if a.HostKey != "ssh-rsa" || a.KeyExchange != "diffie-hellman-group14-sha1" || a.Sent.MAC != "hmac-sha1" {
		t.Errorf("negotiated %+v", a)
	}
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, "new")}})
	s.want(t, callhome.RejectedPending)

	// A device that has better is not changed by the permission.
	m.add("edge-2", identity(t, "edge-2"))
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, "edge-2")}})
	s.want(t, callhome.Accepted)
	if a := receive(t, s.links, "link").Algorithms(); a.HostKey != "ssh-ed25519" || a.KeyExchange != "curve25519-sha256" {
		t.Errorf("negotiated %+v", a)
	}
}

// A device that says nothing of RSA with SHA-2 would be signed for with SHA-1.
func TestAnRSAKeySignsWithSHA1OnlyWhereItMay(t *testing.T) {
	ours := rsaKey(t)
	for _, legacy := range []bool{false, true} {
		o := known(t)
		o.Users = []*auth.User{{Name: "fleet", Username: "netconf", Keys: []ssh.Signer{ours}, LegacyAlgorithms: legacy}}
		s := start(t, o)
		var log authLog
		device(t, s, devicesim.Options{
			AuthorizedKeys: []ssh.PublicKey{ours.PublicKey()}, OnAuth: log.add,
			SSH: func(c *ssh.ServerConfig) { c.PublicKeyAuthAlgorithms = []string{ssh.KeyAlgoRSA} },
		})
		if legacy {
			s.want(t, callhome.Accepted)
			continue
		}
		if got := s.want(t, callhome.FailedLogin); !strings.Contains(got.Detail, "legacy_algorithms = true") || strings.Contains(strings.Join(log.all(), " "), "publickey") {
			t.Errorf("outcome %+v; the device saw %v", got, log.all())
		}
	}
}
