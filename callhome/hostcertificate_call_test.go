package callhome_test

import (
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

func certified(t *testing.T, device, ca string, principals ...string) ssh.Signer {
	t.Helper()
	signer, err := devicesim.CertifyHost(key(t, device), key(t, ca), time.Now().Add(time.Hour), principals...)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Three devices behind one address, and nothing is known of any of them but
// which names their CA certifies.
func TestDevicesAreToldApartByTheirHostCertificates(t *testing.T) {
	user := fleetUser()
	user.HostCA = &auth.HostCA{Keys: []ssh.PublicKey{key(t, "ca").PublicKey()}, NamesDevices: true, NameDomain: "example"}
	m := &memory{}
	s := start(t, callhome.Options{Memory: m, Users: []*auth.User{user}, Entries: []callhome.Entry{
		{Name: "east", HostPrincipals: []string{"e.example"}, User: user},
	}})
	for _, tt := range []struct{ device, principal, name string }{
		{"first", "e.example", "east"},
		{"second", "west.example", "west"},
	} {
		device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, tt.device), certified(t, tt.device, "ca", tt.principal)}})
		o := s.want(t, callhome.Accepted)
		link := receive(t, s.links, "link")
		if link.Name() != tt.name || o.Identity != identity(t, tt.device) {
			t.Errorf("%s came in as %s with %s", tt.device, link.Name(), o.Identity)
		}
		if algorithm := link.Algorithms().HostKey; algorithm != ssh.CertAlgoED25519v01 {
			t.Errorf("it has signed with %s", algorithm)
		}
	}
	if m.Voucher("west") != auth.SSHIdentity(key(t, "ca").PublicKey()) {
		t.Errorf("the CA that gave the name is remembered as %v", m.Voucher("west"))
	}

	var log authLog
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{certified(t, "third", "another ca", "e.example")}, OnAuth: log.add})
	if o := s.want(t, callhome.RejectedWrongCA); o.Device != "east" || len(log.all()) != 0 {
		t.Errorf("outcome %+v; the device saw %v", o, log.all())
	}
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{certified(t, "fourth", "another ca", "north")}})
	s.want(t, callhome.RejectedPending)
	if p := m.pending[0]; p.Identity != identity(t, "fourth") || p.Description == "" {
		t.Errorf("pending %+v", p)
	}
}

// The approval is of the key: whether its certificate is there or not, is
// renewed or has expired, makes no difference.
func TestAnApprovedKeyMayComeWithACertificateOrWithout(t *testing.T) {
	o := known(t)
	o.Users[0].HostCA = &auth.HostCA{Keys: []ssh.PublicKey{key(t, "ca").PublicKey()}, NamesDevices: true}
	s := start(t, o)
	old, err := devicesim.CertifyHost(key(t, "device"), key(t, "ca"), time.Now().Add(-time.Hour), "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range [][]ssh.Signer{{key(t, "device")}, {certified(t, "device", "ca", "edge-1")}, {old}, {key(t, "device"), old}} {
		device(t, s, devicesim.Options{HostKeys: keys})
		if got := s.want(t, callhome.Accepted); got.Device != "edge-1" || got.Identity != identity(t, "device") {
			t.Errorf("outcome %+v", got)
		}
		_ = receive(t, s.links, "link").Close()
	}
}
