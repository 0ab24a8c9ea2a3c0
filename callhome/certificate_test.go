package callhome

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
)

func dns(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func certificateProof(certs ...tls.Certificate) proof {
	p := proof{identity: auth.CertificateIdentity(certs[0].Leaf)}
	for _, cert := range certs {
		p.certificates = append(p.certificates, cert.Leaf)
	}
	return p
}

func TestStageBOnTLS(t *testing.T) {
	maker, fleetCA, foreign := NewTestCA(t, "maker"), NewTestCA(t, "fleet"), NewTestCA(t, "foreign")
	pinned, byKey, revokedPin := SelfSigned(t, "pinned"), SelfSigned(t, "by-key"), fleetCA.Issue(t, "revoked", nil)
	approved, named, expiredApproved := SelfSigned(t, "approved"), SelfSigned(t, "named"), foreign.Issue(t, "old", expired)
	unknown := SelfSigned(t, "unknown")
	stale, atAddress := SelfSigned(t, "stale"), SelfSigned(t, "at-address")
	revokedApproved := maker.Issue(t, "revoked-approved", nil)
	revokedNamed := maker.Issue(t, "dev-9.maker.example", nil)
	withTLS := func(name string, anchors *auth.Anchors, from auth.NameField) *auth.User {
		return &auth.User{Name: name, TLS: &auth.UserTLS{Anchors: anchors, NameFrom: from, NameDomain: "maker.example"}}
	}
	fleet := withTLS("fleet", fleetCA.Anchors(t, fleetCA.Revoke(t, revokedPin)), auth.NameFromNone)
	made := withTLS("made", maker.Anchors(t, maker.Revoke(t, revokedNamed, revokedApproved)), auth.NameFromCommonName)
	plain := withTLS("plain", nil, auth.NameFromNone)
	sshOnly := &auth.User{Name: "ssh-only", Username: "netconf", Password: "x"}
	id := func(c tls.Certificate) auth.Identity { return auth.CertificateIdentity(c.Leaf) }
	entries := []Entry{
		{Name: "by-pin", Pins: []auth.Identity{id(pinned)}, User: plain},
		{Name: "by-key", Pins: []auth.Identity{auth.CertificateKeyIdentity(byKey.Leaf)}, User: plain},
		{Name: "revoked-pin", Pins: []auth.Identity{id(revokedPin)}, User: fleet},
		{Name: "ssh-limited", Transport: SSH, Pins: []auth.Identity{testIdentity("ssh"), id(SelfSigned(t, "never"))}},
		{Name: "expected", CertificateNames: []string{"Expected.example"}, User: fleet},
		{Name: "expected-here", Address: netip.MustParsePrefix("192.0.2.40/32"), CertificateNames: []string{"here.example"}, User: fleet},
		{Name: "expected-no-user", CertificateNames: []string{"no-user.example"}},
		{Name: "expected-no-ca", CertificateNames: []string{"no-ca.example"}, User: plain},
		{Name: "pins-beat-names", Pins: []auth.Identity{testIdentity("other")}, CertificateNames: []string{"pins.example"}, User: fleet},
		{Name: "pinned-here", Address: netip.MustParsePrefix("192.0.2.10/32"), Pins: []auth.Identity{id(SelfSigned(t, "x"))}, User: plain},
		{Name: "ssh-pinned-here", Address: netip.MustParsePrefix("192.0.2.11/32"), Pins: []auth.Identity{testIdentity("host")}, User: plain},
		{Name: "approved-here", Address: netip.MustParsePrefix("192.0.2.12/32"), User: plain},
		{Name: "nothing-known", Address: netip.MustParsePrefix("192.0.2.13/32"), User: plain},
		{Name: "ssh-user", Address: netip.MustParsePrefix("192.0.2.14/32"), CertificateNames: []string{"ssh-user.example"}, User: sshOnly},
		{Name: "dev-3", Address: netip.MustParsePrefix("192.0.2.15/32")},
	}
	devices := []auth.Device{
		{Name: "approved", Identity: id(approved)},
		{Name: "named", Identity: id(named), User: "plain"},
		{Name: "over-ssh", Identity: id(revokedApproved), User: "ssh-only"},
		{Name: "old", Identity: id(expiredApproved)},
		{Name: "pinned-here", Identity: id(stale)},
		{Name: "approved-here", Identity: id(atAddress)},
		{Name: "dev-7", Identity: id(SelfSigned(t, "somebody else"))},
	}
	issue := func(ca *TestCA, name string, change func(*x509.Certificate)) tls.Certificate {
		return ca.Issue(t, name, change)
	}
	both := func(a, b func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) { a(c); b(c) }
	}
	for _, tt := range []struct {
		name   string
		from   string
		cert   tls.Certificate
		trust  []auth.Trust // every one when nil
		failed []string
		device string
		user   string
		reason Reason
		detail string
	}{
		// 0. What is on a list.
		{name: "pinned and revoked", cert: revokedPin, device: "revoked-pin", reason: RejectedRevoked},
		{name: "approved and revoked", cert: revokedApproved, device: "over-ssh", reason: RejectedRevoked},
		{name: "named by its CA and revoked", cert: revokedNamed, reason: RejectedRevoked},

		// 1. Pins.
		{name: "pinned", cert: pinned, device: "by-pin", user: "plain"},
		{name: "pinned by its key", cert: byKey, device: "by-key", user: "plain"},
		{name: "pinned, at the address of another", from: "192.0.2.10", cert: pinned, device: "by-pin", user: "plain"},
		{name: "pinned, user refused", cert: pinned, failed: []string{"plain"}, device: "by-pin", reason: RejectedNoUser},

		// 2. Approvals.
		{name: "approved", cert: approved, device: "approved", user: "fleet"},
		{name: "approved, first user refused", cert: approved, failed: []string{"fleet"}, device: "approved", user: "made"},
		{name: "approved with a user", cert: named, device: "named", user: "plain"},
		{name: "approved and expired", cert: expiredApproved, device: "old", user: "fleet"},
		{name: "approved, but the entry pins another", cert: stale, device: "pinned-here", reason: RejectedKeyChanged, detail: "now pins others"},
		{name: "approved for its entry", from: "192.0.2.12", cert: atAddress, device: "approved-here", user: "plain"},

		// 3. Expected names.
		{name: "expected, as DNS name", cert: issue(fleetCA, "x", dns("expected.EXAMPLE")), device: "expected", user: "fleet"},
		{name: "expected, as common name", cert: issue(fleetCA, "expected.example", nil), device: "expected", user: "fleet"},
		{name: "expected, by whichever callhome-user's CA", cert: issue(maker, "no-user.example", nil), device: "expected-no-user", user: "made"},
		{name: "expected, without a CA", cert: issue(fleetCA, "no-ca.example", nil), device: "expected-no-ca", reason: RejectedUntrusted, detail: "no CA"},
		{name: "expected, expired", cert: issue(fleetCA, "x", both(dns("expected.example"), expired)), device: "expected", reason: RejectedExpired},
		{name: "expected, self-signed", cert: SelfSigned(t, "expected.example"), device: "expected", reason: RejectedSelfSigned},
		{name: "expected, of another CA", cert: issue(foreign, "expected.example", nil), device: "expected", reason: RejectedWrongCA},
		{name: "expected, of another user's CA", cert: issue(maker, "expected.example", nil), device: "expected", reason: RejectedWrongCA},
		{name: "expected, from elsewhere", cert: issue(fleetCA, "here.example", nil), device: "expected-here", reason: RejectedUntrusted, detail: "limited to"},
		{name: "expected, at the address rather than the first", from: "192.0.2.40", cert: issue(fleetCA, "expected.example", dns("here.example")), device: "expected-here", user: "fleet"},
		{name: "names do not widen pins", cert: issue(fleetCA, "pins.example", nil), trust: []auth.Trust{auth.TrustApprove}, reason: RejectedPending},
		{name: "expected, but the user is for SSH", from: "192.0.2.14", cert: issue(fleetCA, "ssh-user.example", nil), device: "ssh-user", reason: RejectedNoUser, detail: "calls over tls"},

		// 4. Known by the address.
		{name: "another certificate than is pinned", from: "192.0.2.10", cert: SelfSigned(t, "y"), device: "pinned-here", reason: RejectedKeyChanged, detail: "shows the certificate"},
		{name: "another certificate than is pinned, by a good CA", from: "192.0.2.10", cert: issue(maker, "dev-1", nil), device: "pinned-here", reason: RejectedKeyChanged},
		{name: "known by its SSH key", from: "192.0.2.11", cert: SelfSigned(t, "y"), device: "ssh-pinned-here", reason: RejectedKeyChanged, detail: "over ssh only"},
		{name: "another certificate than was approved", from: "192.0.2.12", cert: SelfSigned(t, "y"), device: "approved-here", reason: RejectedKeyChanged},
		{name: "another name", from: "192.0.2.40", cert: issue(fleetCA, "z.example", nil), device: "expected-here", reason: RejectedWrongName, detail: "here.example"},
		{name: "another name, expired", from: "192.0.2.40", cert: issue(fleetCA, "z.example", expired), device: "expected-here", reason: RejectedExpired},
		{name: "another name, self-signed", from: "192.0.2.40", cert: SelfSigned(t, "z"), device: "expected-here", reason: RejectedSelfSigned},
		{name: "another name, another CA", from: "192.0.2.40", cert: issue(foreign, "z", nil), device: "expected-here", reason: RejectedWrongCA},

		// 5. Named by the CA of a callhome-user.
		{name: "named by its CA", cert: issue(maker, "dev-1.maker.example", nil), device: "dev-1", user: "made"},
		{name: "named by its CA, the user refused", cert: issue(maker, "dev-1", nil), failed: []string{"made"}, device: "dev-1", reason: RejectedNoUser},
		{name: "named like a session entry", cert: issue(maker, "expected", nil), device: "expected", reason: RejectedKeyChanged, detail: "certificate_names"},
		{name: "named like an approved device", cert: issue(maker, "dev-7", nil), device: "dev-7", reason: RejectedKeyChanged},
		{name: "named like the entry at its address", from: "192.0.2.15", cert: issue(maker, "dev-3", nil), device: "dev-3", user: "made"},
		{name: "no device name", cert: issue(maker, "not a name", nil), reason: RejectedWrongName},
		{name: "named by its CA, expired", cert: issue(maker, "dev-1", expired), reason: RejectedExpired},
		{name: "self-signed, pinned", cert: SelfSigned(t, "dev-1"), trust: []auth.Trust{auth.TrustPinned}, reason: RejectedSelfSigned},
		{name: "of another CA, pinned", cert: issue(foreign, "dev-1", nil), trust: []auth.Trust{auth.TrustPinned}, reason: RejectedWrongCA},
		{name: "valid but expected by nobody, pinned", cert: issue(fleetCA, "dev-1", nil), trust: []auth.Trust{auth.TrustPinned}, reason: RejectedWrongName},

		// 6. Unknown.
		{name: "unknown, approve", cert: SelfSigned(t, "y"), trust: []auth.Trust{auth.TrustApprove}, reason: RejectedPending},
		{name: "unknown, at an entry", from: "192.0.2.13", cert: SelfSigned(t, "y"), trust: []auth.Trust{auth.TrustApprove}, device: "nothing-known", reason: RejectedPending},
		{name: "unknown, at an entry whose user has no CA, pinned", from: "192.0.2.13", cert: SelfSigned(t, "y"), trust: []auth.Trust{auth.TrustPinned}, device: "nothing-known", reason: RejectedUntrusted, detail: "not pinned"},
		{name: "unknown, first-use", cert: unknown, trust: []auth.Trust{auth.TrustFirstUse}, device: firstUseName(id(unknown)), user: "fleet"},
	} {
		for _, trust := range []auth.Trust{auth.TrustApprove, auth.TrustPinned, auth.TrustFirstUse} {
			if tt.trust != nil && !slices.Contains(tt.trust, trust) {
				continue
			}
			t.Run(tt.name+"/"+trust.String(), func(t *testing.T) {
				s, err := New(Options{
					Entries: entries, Users: []*auth.User{sshOnly, fleet, made}, Trust: trust, Memory: &memory{devices: devices},
					NamedUsers: map[string]*auth.User{"fleet": fleet, "made": made, "plain": plain, "ssh-only": sshOnly},
				})
				if err != nil {
					t.Fatal(err)
				}
				proved := certificateProof(tt.cert)
				for _, user := range tt.failed {
					s.failures.Mark(proved.identity, user, time.Now())
				}
				from := netip.MustParseAddr("198.51.100.7")
				if tt.from != "" {
					from = netip.MustParseAddr(tt.from)
				}
				p, r := s.plan(t.Context(), CallInfo{Remote: netip.AddrPortFrom(from, 1), Transport: TLS}, onListener(Listener{Transport: TLS}), claim{})
				if r != nil {
					t.Fatal(r)
				}
				b, r := s.bind(p, proved)
				if b.name != tt.device {
					t.Errorf("device %q, want %q", b.name, tt.device)
				}
				checkRejection(t, r, tt.reason, tt.detail)
				if r == nil && b.user.Name != tt.user {
					t.Errorf("user %s, want %s", b.user.Name, tt.user)
				}
			})
		}
	}
}

// A certificate that a CA has issued, but that cannot be used, is unknown like
// any other: whoever looks at it must learn why.
func TestPendingTellsWhatTheCAObjectsTo(t *testing.T) {
	ca, foreign := NewTestCA(t, "fleet"), NewTestCA(t, "foreign")
	forClients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Critical: true, Value: []byte{5, 0}}}
	}
	line := []tls.Certificate{ca.Issue(t, "dev-1", nil)}
	for range 16 {
		line = append(line, SelfSigned(t, "not needed"))
	}
	const objects = "(the CA of user entry fleet does not vouch for it: "
	for _, tt := range []struct {
		name   string
		sent   []tls.Certificate
		detail string
	}{
		{"for clients", []tls.Certificate{ca.Issue(t, "dev-1", forClients)}, objects + "the certificate was issued for another purpose"},
		{"critical extension", []tls.Certificate{ca.Issue(t, "dev-1", critical)}, objects + "the certificate cannot be used"},
		{"too many CAs", line, objects + "the certificate cannot be used: 16 were sent with it"},
		{"another CA", []tls.Certificate{foreign.Issue(t, "dev-1", nil)}, ""},
		{"self-signed", []tls.Certificate{SelfSigned(t, "dev-1")}, ""},
		{"valid, but expected by nobody", []tls.Certificate{ca.Issue(t, "dev-1", nil)}, ""},
	} {
		for _, from := range []auth.NameField{auth.NameFromNone, auth.NameFromCommonName} {
			if from != auth.NameFromNone && tt.name == "valid, but expected by nobody" {
				continue // it has a name then
			}
			s, err := New(Options{Memory: &memory{}, Trust: auth.TrustApprove, Users: []*auth.User{
				{Name: "plain", TLS: &auth.UserTLS{}},
				{Name: "fleet", TLS: &auth.UserTLS{Anchors: ca.Anchors(t), NameFrom: from}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			p, r := s.plan(t.Context(), CallInfo{Remote: netip.MustParseAddrPort("198.51.100.7:1"), Transport: TLS}, onListener(Listener{Transport: TLS}), claim{})
			if r != nil {
				t.Fatal(r)
			}
			_, r = s.bind(p, certificateProof(tt.sent...))
			if r == nil || r.reason != RejectedPending || !strings.Contains(r.detail, tt.detail) || tt.detail == "" && strings.Contains(r.detail, "vouch") {
				t.Errorf("%s, name from %v: %v, want %q", tt.name, from, r, tt.detail)
			}
		}
	}
}

// Users that share a CA may take names from different fields.
func TestTheFirstUserThatFindsANameCounts(t *testing.T) {
	ca := NewTestCA(t, "maker")
	anchors := ca.Anchors(t)
	user := func(name string, from auth.NameField) *auth.User {
		return &auth.User{Name: name, TLS: &auth.UserTLS{Anchors: anchors, NameFrom: from}}
	}
	s, err := New(Options{Memory: &memory{}, Users: []*auth.User{
		user("by-serial", auth.NameFromSerialNumber), user("by-dns", auth.NameFromDNS), user("by-cn", auth.NameFromCommonName),
	}})
	if err != nil {
		t.Fatal(err)
	}
	serial := func(number string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject.SerialNumber = number }
	}
	for _, tt := range []struct {
		cert         tls.Certificate
		device, user string
	}{
		{ca.Issue(t, "cn-1", serial("sn-1")), "sn-1", "by-serial"},
		{ca.Issue(t, "cn-2", dns("dns-2")), "dns-2", "by-dns"},
		{ca.Issue(t, "cn-3", nil), "cn-3", "by-cn"},
		{ca.Issue(t, "cn-4", serial("no name")), "cn-4", "by-cn"},
		{ca.Issue(t, "no name", nil), "", ""},
	} {
		p, r := s.plan(t.Context(), CallInfo{Remote: netip.MustParseAddrPort("198.51.100.7:1"), Transport: TLS}, onListener(Listener{Transport: TLS}), claim{})
		if r != nil {
			t.Fatal(r)
		}
		b, r := s.bind(p, certificateProof(tt.cert))
		switch {
		case b.name != tt.device:
			t.Errorf("device %q, want %q", b.name, tt.device)
		case tt.device == "":
			if r == nil || r.reason != RejectedWrongName || !strings.Contains(r.detail, "by-serial") || !strings.Contains(r.detail, "by-cn") {
				t.Errorf("rejected: %v", r)
			}
		case r != nil || b.user.Name != tt.user:
			t.Errorf("%s: user %v, rejected %v, want %s", b.name, b.user, r, tt.user)
		}
	}
}

// Each CA may name its devices as it likes: one must not name those of another.
func TestANameBelongsToTheCAThatGaveItFirst(t *testing.T) {
	north, south := NewTestCA(t, "north"), NewTestCA(t, "south")
	both, err := auth.NewAnchors([]*x509.Certificate{south.cert, north.cert}, nil)
	if err != nil {
		t.Fatal(err)
	}
	user := func(name string, anchors *auth.Anchors) *auth.User {
		return &auth.User{Name: name, TLS: &auth.UserTLS{Anchors: anchors, NameFrom: auth.NameFromCommonName}}
	}
	for _, tt := range []struct {
		name  string
		users []*auth.User
		first *TestCA // nil when the name is free
		user  string  // "" when the device is rejected
	}{
		{"free", []*auth.User{user("north", north.Anchors(t)), user("south", south.Anchors(t))}, nil, "south"},
		{"its own", []*auth.User{user("north", north.Anchors(t)), user("south", south.Anchors(t))}, south, "south"},
		{"another's", []*auth.User{user("north", north.Anchors(t)), user("south", south.Anchors(t))}, north, ""},
		{"another's, which is not configured any more", []*auth.User{user("south", south.Anchors(t))}, north, ""},
		{"one that the user lists as well", []*auth.User{user("north", north.Anchors(t)), user("both", both)}, north, "both"},
		{"its own, of two users", []*auth.User{user("one", south.Anchors(t)), user("two", south.Anchors(t))}, south, "one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &memory{}
			if tt.first != nil {
				m.NoteVoucher("1234", auth.CertificateKeyIdentity(tt.first.cert))
			}
			s, err := New(Options{Memory: m, Users: tt.users})
			if err != nil {
				t.Fatal(err)
			}
			p, r := s.plan(t.Context(), CallInfo{Remote: netip.MustParseAddrPort("198.51.100.7:1"), Transport: TLS}, onListener(Listener{Transport: TLS}), claim{})
			if r != nil {
				t.Fatal(r)
			}
			switch b, r := s.bind(p, certificateProof(south.Issue(t, "1234", nil))); {
			case b.name != "1234":
				t.Errorf("device %q", b.name)
			case tt.user == "" && (r == nil || r.reason != RejectedKeyChanged || !strings.Contains(r.detail, "another CA than that of user entry south")):
				t.Errorf("rejected: %v", r)
			case tt.user != "" && (r != nil || b.user.Name != tt.user || b.voucher != auth.CertificateKeyIdentity(south.cert)):
				t.Errorf("rejected: %v, bound %+v", r, b)
			}
		})
	}
}
