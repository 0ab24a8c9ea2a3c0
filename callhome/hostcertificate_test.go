package callhome

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return signerWith(t, key, err)
}

func signerWith(t testing.TB, key any, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// certifyKey returns what stage B is asked about when a device with the key
// shows a certificate for these principals.
func certifyKey(t testing.TB, key, ca ssh.Signer, change func(*ssh.Certificate), principals ...string) proof {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: "by " + t.Name(), ValidPrincipals: principals,
		ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return hostProof(cert)
}

func TestStageBOnHostCertificates(t *testing.T) {
	maker, fleetCA, foreign := newSigner(t), newSigner(t), newSigner(t)
	user := func(name string, ca ssh.Signer, names bool) *auth.User {
		u := &auth.User{Name: name, Username: "netconf", Password: "x"}
		if ca != nil {
			u.HostCA = &auth.HostCA{Keys: []ssh.PublicKey{ca.PublicKey()}, NamesDevices: names, NameDomain: "maker.example"}
		}
		return u
	}
	fleet, made, plain := user("fleet", fleetCA, false), user("made", maker, true), user("plain", nil, false)
	pinned, approved, approvedHere, stranger := newSigner(t), newSigner(t), newSigner(t), newSigner(t)
	bare := func(s ssh.Signer) proof { return hostProof(s.PublicKey()) }
	id := func(s ssh.Signer) auth.Identity { return auth.SSHIdentity(s.PublicKey()) }
	cert := func(key, ca ssh.Signer, principals ...string) proof {
		return certifyKey(t, key, ca, nil, principals...)
	}
	expired := func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Add(-time.Minute).Unix()) }
	notYet := func(c *ssh.Certificate) { c.ValidAfter = uint64(time.Now().Add(time.Minute).Unix()) }
	forUser := func(c *ssh.Certificate) { c.CertType = ssh.UserCert }
	critical := func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }
	changed := func(change func(*ssh.Certificate), ca ssh.Signer, principals ...string) proof {
		return certifyKey(t, stranger, ca, change, principals...)
	}
	at := func(host string) netip.Prefix { return netip.MustParsePrefix("192.0.2." + host + "/32") }
	entries := []Entry{
		{Name: "by-pin", Pins: []auth.Identity{id(pinned)}, HostPrincipals: []string{"by-pin.example"}, User: fleet},
		{Name: "expected", HostPrincipals: []string{"Expected.example"}, User: fleet},
		{Name: "expected-here", Address: at("40"), HostPrincipals: []string{"here.example"}, User: fleet},
		{Name: "expected-no-user", HostPrincipals: []string{"no-user.example"}},
		{Name: "expected-no-ca", HostPrincipals: []string{"no-ca.example"}, User: plain},
		{Name: "over-tls", CertificateNames: []string{"tls.example"}, Address: at("41"), User: fleet},
		{Name: "pinned-here", Address: at("10"), Pins: []auth.Identity{id(newSigner(t))}, User: fleet},
		{Name: "approved-here", Address: at("12"), User: fleet},
		{Name: "dev-3", Address: at("15")},
	}
	devices := []auth.Device{
		{Name: "approved", Identity: id(approved)},
		{Name: "approved-here", Identity: id(approvedHere)},
		{Name: "dev-7", Identity: id(newSigner(t))},
	}
	every := []auth.Trust{auth.TrustApprove, auth.TrustPinned, auth.TrustFirstUse}
	approve, pinnedOnly := []auth.Trust{auth.TrustApprove}, []auth.Trust{auth.TrustPinned}
	for _, tt := range []struct {
		name   string
		from   string
		proof  proof
		trust  []auth.Trust // every one when nil
		device string
		user   string
		reason Reason
		detail string
	}{
		// Pins and approvals are of the key, with a certificate or without.
		{name: "pinned, bare", proof: bare(pinned), device: "by-pin", user: "fleet"},
		{name: "pinned, with a certificate", proof: cert(pinned, foreign, "x"), device: "by-pin", user: "fleet"},
		{name: "pinned, with an expired certificate", proof: certifyKey(t, pinned, fleetCA, expired, "x"), device: "by-pin", user: "fleet"},
		{name: "approved, bare", proof: bare(approved), device: "approved", user: "fleet"},
		{name: "approved, with a certificate for another's name", proof: cert(approved, fleetCA, "expected.example"), device: "approved", user: "fleet"},
		{name: "approved, with an expired certificate", from: "192.0.2.12", proof: certifyKey(t, approvedHere, fleetCA, expired, "x"), device: "approved-here", user: "fleet"},
		{name: "a CA does not widen pins", proof: cert(stranger, fleetCA, "by-pin.example"), trust: approve, reason: RejectedPending},
		{name: "a CA does not widen pins at their address", from: "192.0.2.10", proof: cert(stranger, maker, "dev-1"), device: "pinned-here", reason: RejectedKeyChanged},
		{name: "nor approvals", from: "192.0.2.12", proof: cert(stranger, maker, "dev-1"), device: "approved-here", reason: RejectedKeyChanged},

		// Expected principals.
		{name: "expected", proof: cert(stranger, fleetCA, "x", "expected.EXAMPLE"), device: "expected", user: "fleet"},
		{name: "expected, by whichever callhome-user's CA", proof: cert(stranger, maker, "no-user.example"), device: "expected-no-user", user: "made"},
		{name: "expected, at the address rather than the first", from: "192.0.2.40", proof: cert(stranger, fleetCA, "expected.example", "here.example"), device: "expected-here", user: "fleet"},
		{name: "expected, from elsewhere", proof: cert(stranger, fleetCA, "here.example"), device: "expected-here", reason: RejectedUntrusted, detail: "limited to"},
		{name: "expected, without a CA", proof: cert(stranger, fleetCA, "no-ca.example"), device: "expected-no-ca", reason: RejectedUntrusted, detail: "no CA"},
		{name: "expected, of another CA", proof: cert(stranger, foreign, "expected.example"), device: "expected", reason: RejectedWrongCA},
		{name: "expected, of another user's CA", proof: cert(stranger, maker, "expected.example"), device: "expected", reason: RejectedWrongCA},
		{name: "expected, expired", proof: changed(expired, fleetCA, "expected.example"), device: "expected", reason: RejectedExpired},
		{name: "expected, not yet valid", proof: changed(notYet, fleetCA, "expected.example"), device: "expected", reason: RejectedExpired},
		{name: "expected, for a user", proof: changed(forUser, fleetCA, "expected.example"), device: "expected", reason: RejectedUntrusted, detail: "certifies a user"},
		{name: "expected, with a condition", proof: changed(critical, fleetCA, "expected.example"), device: "expected", reason: RejectedUntrusted, detail: "force-command"},
		{name: "for every host, at an address", from: "192.0.2.40", proof: cert(stranger, fleetCA), device: "expected-here", reason: RejectedUntrusted, detail: "no principal"},
		{name: "another principal", from: "192.0.2.40", proof: cert(stranger, fleetCA, "z.example"), device: "expected-here", reason: RejectedWrongName, detail: "expects here.example"},
		{name: "another principal, of another CA", from: "192.0.2.40", proof: cert(stranger, foreign, "z.example"), device: "expected-here", reason: RejectedWrongCA},
		{name: "no certificate where one is expected", from: "192.0.2.40", proof: bare(stranger), device: "expected-here", reason: RejectedSelfSigned, detail: "bare key"},
		{name: "known by a certificate of TLS", from: "192.0.2.41", proof: cert(stranger, fleetCA, "tls.example"), device: "over-tls", reason: RejectedKeyChanged, detail: "TLS certificate"},

		// Named by the CA of a callhome-user.
		{name: "named by its CA", proof: cert(stranger, maker, "dev-1.maker.example"), device: "dev-1", user: "made"},
		{name: "named like a session entry", proof: cert(stranger, maker, "by-pin"), device: "by-pin", reason: RejectedKeyChanged, detail: "host_principals"},
		{name: "named like an approved device", proof: cert(stranger, maker, "dev-7"), device: "dev-7", reason: RejectedKeyChanged},
		{name: "named like the entry at its address", from: "192.0.2.15", proof: cert(stranger, maker, "dev-3"), device: "dev-3", user: "made"},
		{name: "two principals", proof: cert(stranger, maker, "dev-1", "dev-2"), reason: RejectedWrongName, detail: "2 principals"},
		{name: "no device name", proof: cert(stranger, maker, "dev_1"), reason: RejectedWrongName},
		{name: "named by its CA, expired", proof: changed(expired, maker, "dev-1"), reason: RejectedExpired},
		{name: "for every host, pending", proof: cert(stranger, maker), trust: approve, reason: RejectedPending, detail: "user entry made does not vouch for it"},

		// Unknown.
		{name: "of another CA, approve", proof: cert(stranger, foreign, "dev-1"), trust: approve, reason: RejectedPending},
		{name: "of another CA, pinned", proof: cert(stranger, foreign, "dev-1"), trust: pinnedOnly, reason: RejectedWrongCA},
		{name: "valid but expected by nobody, pinned", proof: cert(stranger, fleetCA, "dev-1"), trust: pinnedOnly, reason: RejectedWrongName},
		{name: "bare, approve", proof: bare(stranger), trust: approve, reason: RejectedPending},
		{name: "bare, pinned", proof: bare(stranger), trust: pinnedOnly, reason: RejectedUntrusted, detail: "not pinned"},
	} {
		for _, trust := range every {
			if tt.trust != nil && !slices.Contains(tt.trust, trust) {
				continue
			}
			t.Run(tt.name+"/"+trust.String(), func(t *testing.T) {
				s, err := New(Options{
					Entries: entries, Users: []*auth.User{fleet, made}, Trust: trust, Memory: &memory{devices: devices},
				})
				if err != nil {
					t.Fatal(err)
				}
				from := netip.MustParseAddr("198.51.100.7")
				if tt.from != "" {
					from = netip.MustParseAddr(tt.from)
				}
				p := planSSH(t, s, from)
				b, r := s.bind(p, tt.proof)
				if b.name != tt.device {
					t.Errorf("device %q, want %q", b.name, tt.device)
				}
				checkRejection(t, r, tt.reason, tt.detail)
				if r == nil && (b.user.Name != tt.user || b.unvouched) {
					t.Errorf("user %s, want %s; unvouched %v", b.user.Name, tt.user, b.unvouched)
				}
			})
		}
	}
}

// A CA may give each of its devices a name, but not one that another CA gave.
func TestAHostCADoesNotNameTheDevicesOfAnother(t *testing.T) {
	north, south := newSigner(t), newSigner(t)
	user := &auth.User{Name: "south", Username: "netconf", Password: "x", HostCA: &auth.HostCA{Keys: []ssh.PublicKey{south.PublicKey()}, NamesDevices: true}}
	m := &memory{}
	s, err := New(Options{Memory: m, Users: []*auth.User{user}})
	if err != nil {
		t.Fatal(err)
	}
	proved := certifyKey(t, newSigner(t), south, nil, "edge-1")
	p := planSSH(t, s, addrA)
	if b, r := s.bind(p, proved); r != nil || b.voucher != auth.SSHIdentity(south.PublicKey()) {
		t.Fatalf("bound %+v, %v", b, r)
	}
	m.NoteVoucher("edge-1", auth.SSHIdentity(north.PublicKey()))
	if _, r := s.bind(p, proved); r == nil || r.reason != RejectedKeyChanged || !strings.Contains(r.detail, "another CA than that of user entry south") {
		t.Errorf("rejected: %v", r)
	}
	user.HostCA.Keys = append(user.HostCA.Keys, north.PublicKey())
	if _, r := s.bind(p, proved); r != nil {
		t.Errorf("the user lists both: %v", r)
	}
}

// Who is asked for a certificate, and shows one for another key than the one
// that is known, would look like a changed device.
func TestCertificatesAreAskedForWhereTheyCanTell(t *testing.T) {
	ca := newSigner(t)
	at := func(host string) netip.Prefix { return netip.MustParsePrefix("192.0.2." + host + "/32") }
	trusting := &auth.User{Name: "trusting", Username: "netconf", Password: "x", HostCA: &auth.HostCA{Keys: []ssh.PublicKey{ca.PublicKey()}}}
	naming := &auth.User{Name: "naming", Username: "netconf", Password: "x", HostCA: &auth.HostCA{Keys: []ssh.PublicKey{ca.PublicKey()}, NamesDevices: true}}
	plain := &auth.User{Name: "plain", Username: "netconf", Password: "x"}
	here := []Entry{
		{Name: "pinned", Address: at("1"), Pins: []auth.Identity{testIdentity("pinned")}, HostPrincipals: []string{"p.example"}, User: naming},
		{Name: "expected", Address: at("2"), HostPrincipals: []string{"e.example"}, User: trusting},
		{Name: "no-ca", Address: at("3"), HostPrincipals: []string{"n.example"}, User: plain},
		{Name: "approved", Address: at("4"), User: naming},
		{Name: "new", Address: at("5"), User: naming},
		{Name: "one", Address: at("6"), HostPrincipals: []string{"one.example"}, User: trusting},
		{Name: "two", Address: at("6"), User: plain},
		{Name: "only-pinned", Address: at("7"), Pins: []auth.Identity{testIdentity("only-pinned")}, User: naming},
	}
	anywhere := Entry{Name: "anywhere", HostPrincipals: []string{"a.example"}, User: trusting}
	elsewhere := Entry{Name: "elsewhere", HostPrincipals: []string{"b.example"}, User: trusting, Listener: "other"}
	bareFingerprint := Entry{Name: "typeless", HostPrincipals: []string{"c.example"}, Pins: []auth.Identity{{Fingerprint: "SHA256:x"}}, User: trusting}
	for _, tt := range []struct {
		name  string
		from  string
		more  *Entry
		users []*auth.User
		want  bool
	}{
		{"pinned at its address", "192.0.2.1", &anywhere, nil, false},
		{"pinned at its address, and it expects nothing", "192.0.2.7", &anywhere, []*auth.User{naming}, false},
		{"expected at its address", "192.0.2.2", nil, nil, true},
		{"expected at its address, without a CA", "192.0.2.3", nil, nil, false},
		{"approved at its address", "192.0.2.4", &anywhere, nil, false},
		{"new at its address, with a CA that names", "192.0.2.5", nil, nil, true},
		{"expected by one of two at the address", "192.0.2.6", nil, nil, true},
		{"an entry without an address", "198.51.100.1", &anywhere, []*auth.User{plain}, true},
		{"one that pins the key", "198.51.100.1", &bareFingerprint, []*auth.User{plain}, false},
		{"one for another listener", "198.51.100.1", &elsewhere, []*auth.User{plain}, false},
		{"no entry, a CA that names", "198.51.100.1", nil, []*auth.User{plain, naming}, true},
		{"no entry, a CA that does not name", "198.51.100.1", nil, []*auth.User{trusting}, false},
	} {
		o := Options{Entries: slices.Clone(here), Users: tt.users, Memory: &memory{devices: []auth.Device{{Name: "approved", Identity: testIdentity("approved")}}}}
		if tt.more != nil {
			o.Entries = append(o.Entries, *tt.more)
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		algorithms := planSSH(t, s, netip.MustParseAddr(tt.from)).hostKeyAlgorithms()
		asked := strings.Contains(strings.Join(algorithms, " "), "cert-v01")
		if asked != tt.want || asked && algorithms[0] != ssh.CertAlgoED25519v01 || slices.Contains(algorithms, ssh.CertAlgoRSAv01) {
			t.Errorf("%s: %v", tt.name, algorithms)
		}
	}
}
