package callhome

import (
	"net/netip"
	"strings"
	"testing"

	"callhome-gateway/auth"
)

func TestEntriesThatCannotBe(t *testing.T) {
	address := netip.MustParsePrefix("192.0.2.1/32")
	hostKey, cert := testIdentity("key"), auth.Identity{Type: auth.TypeCertificate, Fingerprint: "SHA256:00"}
	for _, tt := range []struct {
		name    string
		entries []Entry
		want    string // "" = fine
	}{
		{"no way to match", []Entry{{Name: "a"}}, "no address, pins, expected names or device id"},
		{"only names, over SSH", []Entry{{Name: "a", Transport: SSH, CertificateNames: []string{"x"}}}, "no address"},
		{"only a certificate, over SSH", []Entry{{Name: "a", Transport: SSH, Pins: []auth.Identity{cert}}}, "no address"},
		{"only a host key, over TLS", []Entry{{Name: "a", Transport: TLS, Pins: []auth.Identity{hostKey}}}, "no address"},
		{"a host key and a certificate", []Entry{{Name: "a", Pins: []auth.Identity{hostKey, cert}}}, ""},
		{"only names", []Entry{{Name: "a", CertificateNames: []string{"x", "X"}}}, ""},
		{"an address for each transport", []Entry{{Name: "a", Transport: SSH, Address: address}, {Name: "b", Transport: TLS, Address: address}}, ""},
		{"a strange transport", []Entry{{Name: "a", Transport: "quic", Address: address}}, `"quic"`},
		{"no name", []Entry{{Name: "a", CertificateNames: []string{"x", ""}}}, `session entry a: "" cannot be the name`},
		{"a name that does not print", []Entry{{Name: "a", CertificateNames: []string{"x\n"}}}, `"x\n" cannot be the name`},
		{"a name twice", []Entry{{Name: "a", CertificateNames: []string{"x"}}, {Name: "b", CertificateNames: []string{"X"}}}, "same certificate name x"},
		{"a certificate twice", []Entry{{Name: "a", Pins: []auth.Identity{cert}}, {Name: "b", Pins: []auth.Identity{cert}}}, "pin the same certificate"},
		{"a key twice", []Entry{{Name: "a", Pins: []auth.Identity{hostKey}}, {Name: "b", Pins: []auth.Identity{{Fingerprint: hostKey.Fingerprint}}}}, "pin the same key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Options{Entries: tt.entries, Memory: &memory{}})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestStageATellsTransportsApart(t *testing.T) {
	at := netip.MustParsePrefix("192.0.2.1/32")
	overSSH := &auth.User{Name: "over-ssh", Username: "a", Password: "x"}
	overTLS := &auth.User{Name: "over-tls", TLS: &auth.UserTLS{}}
	s, err := New(Options{
		Entries: []Entry{
			{Name: "s", Transport: SSH, Address: at},
			{Name: "t", Transport: TLS, Address: at},
			{Name: "pins", Address: netip.MustParsePrefix("192.0.2.2/32"), Pins: []auth.Identity{testIdentity("x"), {Type: auth.TypeCertificate, Fingerprint: "SHA256:00"}}},
		},
		Users: []*auth.User{overTLS, overSSH}, Memory: &memory{},
	})
	if err != nil {
		t.Fatal(err)
	}
	plan := func(from string, transport Transport) *plan {
		p, r := s.plan(t.Context(), CallInfo{Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 1), Transport: transport}, onListener(Listener{Transport: transport}), claim{})
		if r != nil {
			t.Fatal(r)
		}
		return p
	}
	p := plan("192.0.2.1", SSH)
	if entryName(p.entry) != "s" || p.user != overSSH || len(p.users) != 1 {
		t.Errorf("SSH: entry %s, user %v", entryName(p.entry), p.user)
	}
	p = plan("192.0.2.1", TLS)
	if entryName(p.entry) != "t" || p.user != nil || len(p.users) != 1 || p.users[0] != overTLS {
		t.Errorf("TLS: entry %s, user %v, users %v", entryName(p.entry), p.user, p.users)
	}
	if types := plan("192.0.2.2", SSH).hostKeyTypes; len(types) != 1 || types[0] != "ssh-ed25519" {
		t.Errorf("a pinned certificate counts as a host key: %v", types)
	}
}

func TestCallsOverTLSNeedATLSUser(t *testing.T) {
	s, err := New(Options{Users: []*auth.User{{Name: "over-ssh", Password: "x"}}, Memory: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	_, r := s.plan(t.Context(), CallInfo{Remote: netip.MustParseAddrPort("192.0.2.1:1"), Transport: TLS}, onListener(Listener{Transport: TLS}), claim{})
	if r == nil || r.reason != RejectedNoUser {
		t.Errorf("planned: %v", r)
	}
}
