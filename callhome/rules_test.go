package callhome

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// linked puts a link into the table as if the device had come in by the rules in
// force, having said and shown this.
func linked(t testing.TB, s *Server, called *Listener, said claim, shown proof) *Link {
	t.Helper()
	info := CallInfo{Remote: netip.MustParseAddrPort("198.51.100.7:1"), Transport: called.Transport}
	p, r := s.plan(t.Context(), info, called, said)
	if r != nil {
		t.Fatal(r)
	}
	b, r := s.bind(p, shown)
	if r != nil {
		t.Fatal(r)
	}
	conn := newCallConn(nil)
	l := (&call{server: s, conn: conn, info: info, called: called, claim: said, plan: p, binding: b, proof: shown}).newLink()
	if l.bearer = (&sshBearer{link: l}); called.Transport == TLS {
		l.bearer = &tlsBearer{link: l}
	}
	if !s.links.claim(l, nil) {
		t.Fatalf("%s is connected twice", l.name)
	}
	return l
}

// ends reports whether other rules would end the link, and why.
func ends(t *testing.T, s *Server, l *Link, o Options, listeners ...Listener) string {
	t.Helper()
	set, err := s.Check(o, listeners)
	if err != nil {
		t.Fatal(err)
	}
	if r := l.outdated(s.rules.Load(), set.rules); r != nil {
		return r.detail
	}
	return ""
}

func checkEnds(t *testing.T, what, got, want string) {
	t.Helper()
	if (got == "") != (want == "") || !strings.Contains(got, want) {
		t.Errorf("%s: the link ends because %q, want %q", what, got, want)
	}
}

// TestWhatACAHasVouchedFor has links that are there because of a certificate.
func TestWhatACAHasVouchedFor(t *testing.T) {
	ca, other := NewTestCA(t, "fleet CA"), NewTestCA(t, "another")
	user := func(anchors *auth.Anchors) *auth.User {
		return &auth.User{Name: "fleet", TLS: &auth.UserTLS{NameFrom: auth.NameFromCommonName, Anchors: anchors}}
	}
	device := ca.Issue(t, "edge-1", nil)
	named := Options{Users: []*auth.User{user(ca.Anchors(t))}}
	expected := Options{Entries: []Entry{{Name: "west", CertificateNames: []string{"edge-1"}}}, Users: named.Users}
	for name, had := range map[string]Options{"named": named, "expected": expected} {
		unvouched := "not issued by a configured CA"
		if name == "named" {
			unvouched = "is not known"
		}
		had.Memory = &memory{}
		s, err := New(had)
		if err != nil {
			t.Fatal(err)
		}
		link := linked(t, s, &Listener{Transport: TLS}, claim{}, certificateProof(device))
		now := func(anchors *auth.Anchors) Options {
			o := had
			o.Users = []*auth.User{user(anchors)}
			return o
		}
		both, err := auth.NewAnchors([]*x509.Certificate{other.cert, ca.cert}, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkEnds(t, name+", the same CA, read again", ends(t, s, link, now(ca.Anchors(t))), "")
		checkEnds(t, name+", one more CA", ends(t, s, link, now(both)), "")
		checkEnds(t, name+", another CA", ends(t, s, link, now(other.Anchors(t))), unvouched)
		checkEnds(t, name+", revoked", ends(t, s, link, now(ca.Anchors(t, ca.Revoke(t, device)))), "was revoked")

		// An expired certificate is no change of the configuration; that nobody
		// vouches for it any more is one.
		expired := *link.shown.certificates[0]
		expired.NotAfter = time.Now().Add(-time.Minute)
		link.shown.certificates = []*x509.Certificate{&expired}
		checkEnds(t, name+", expired", ends(t, s, link, now(ca.Anchors(t))), "")
		checkEnds(t, name+", expired and another CA", ends(t, s, link, now(other.Anchors(t))), unvouched)
	}
}

// TestWhatAHostCAHasVouchedFor is the same over SSH.
func TestWhatAHostCAHasVouchedFor(t *testing.T) {
	ca, other := newSigner(t), newSigner(t)
	options := func(ca ssh.Signer, name string) Options {
		user := &auth.User{Name: "fleet", Username: "netconf", Password: "x", HostCA: &auth.HostCA{Keys: []ssh.PublicKey{ca.PublicKey()}}}
		return Options{Memory: &memory{}, Entries: []Entry{{Name: "west", HostPrincipals: []string{name}, User: user}}}
	}
	s, err := New(options(ca, "edge-1"))
	if err != nil {
		t.Fatal(err)
	}
	shown := certifyKey(t, newSigner(t), ca, nil, "edge-1")
	link := linked(t, s, &Listener{Transport: SSH}, claim{}, shown)
	checkEnds(t, "the same CA", ends(t, s, link, options(ca, "edge-1")), "")
	checkEnds(t, "another CA", ends(t, s, link, options(other, "edge-1")), "not issued by a configured CA")
	checkEnds(t, "another principal", ends(t, s, link, options(ca, "edge-2")), "is not known")
	link.shown.host.ValidBefore = uint64(time.Now().Add(-time.Minute).Unix())
	checkEnds(t, "expired", ends(t, s, link, options(ca, "edge-1")), "")
}

// TestWhatASecretHasVouchedFor has a Junos device whose HMAC was right.
func TestWhatASecretHasVouchedFor(t *testing.T) {
	options := func(secret auth.Secret) Options {
		return Options{
			Memory: &memory{}, Users: []*auth.User{{Name: "fleet", Username: "netconf", Password: "x"}},
			Entries: []Entry{{Name: "edge-1", DeviceID: "R1", DeviceSecret: secret}},
		}
	}
	s, err := New(options("own"))
	if err != nil {
		t.Fatal(err)
	}
	link := linked(t, s, &Listener{Transport: SSH}, claimed(t, "R1", keyStranger, "own"), proof{identity: junosID(keyStranger)})
	checkEnds(t, "nothing", ends(t, s, link, options("own")), "")
	checkEnds(t, "another secret", ends(t, s, link, options("other")), "was not made with the device_secret")
	checkEnds(t, "no secret", ends(t, s, link, options("")), "is not known")
}

// TestOldAlgorithmsThatAreNotAllowedAnyMore has a device that has nothing else.
func TestOldAlgorithmsThatAreNotAllowedAnyMore(t *testing.T) {
	options := func(legacy bool) Options {
		return Options{
			Memory: &memory{}, Users: []*auth.User{{Name: "fleet", Username: "netconf", Password: "x"}},
			Entries: []Entry{{Name: "edge-1", Pins: []auth.Identity{testIdentity("pinned")}, LegacyAlgorithms: legacy}},
		}
	}
	s, err := New(options(true))
	if err != nil {
		t.Fatal(err)
	}
	link := linked(t, s, &Listener{Transport: SSH}, claim{}, proof{identity: testIdentity("pinned"), old: []string{ssh.KeyAlgoRSA}})
	checkEnds(t, "still allowed", ends(t, s, link, options(true)), "")
	checkEnds(t, "not any more", ends(t, s, link, options(false)), "old algorithms only (ssh-rsa)")
}

// TestTheUserThatTheHookChose is one of the configuration, or the hook's own.
func TestTheUserThatTheHookChose(t *testing.T) {
	fleet := &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	lab := &auth.User{Name: "lab", Username: "admin", Password: "x"}
	own := &auth.User{Name: "own", Username: "own", Password: "x"}
	hook := func(user *auth.User) UserSelect {
		return func(context.Context, CallInfo) (Selection, error) { return Selection{User: user}, nil }
	}
	options := func(hook UserSelect, named ...*auth.User) Options {
		o := Options{
			Memory: &memory{devices: []auth.Device{{Name: "edge-1", Identity: testIdentity("approved")}}},
			Users:  []*auth.User{fleet}, UserSelect: hook, NamedUsers: map[string]*auth.User{},
		}
		for _, user := range named {
			o.NamedUsers[user.Name] = user
		}
		return o
	}
	renamed := *lab
	renamed.Username = "root"
	for _, tt := range []struct {
		what     string
		had, now Options
		want     string
	}{
		{"nothing", options(hook(lab), lab), options(hook(lab), lab), ""},
		{"another answer, which is not asked for", options(hook(lab), lab), options(hook(fleet), lab), ""},
		{"another username", options(hook(lab), lab), options(hook(lab), &renamed), "with the user entry lab, which has another username now"},
		{"the user is gone", options(hook(lab), lab), options(hook(lab)), "does not have any more"},
		{"the hook is gone", options(hook(lab), lab), options(nil, lab), "needs the user entry fleet now"},
		{"the hook's own", options(hook(own)), options(hook(own)), ""},
	} {
		s, err := New(tt.had)
		if err != nil {
			t.Fatal(err)
		}
		link := linked(t, s, &Listener{Transport: SSH}, claim{}, proof{identity: testIdentity("approved")})
		checkEnds(t, tt.what, ends(t, s, link, tt.now), tt.want)
		if _, r := s.rules.Load().keeps(link); r != nil {
			t.Errorf("%s: the rules that it came in by do not keep it: %v", tt.what, r)
		}
	}
}

// TestRefusedLoginsDoNotEndALink has the device's user refused after it came in.
func TestRefusedLoginsDoNotEndALink(t *testing.T) {
	old, fleet := &auth.User{Name: "old", Username: "admin", Password: "x"}, &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	o := Options{Memory: &memory{devices: []auth.Device{{Name: "edge-1", Identity: testIdentity("approved")}}}, Users: []*auth.User{fleet, old}}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	link := linked(t, s, &Listener{Transport: SSH}, claim{}, proof{identity: testIdentity("approved")})
	s.failures.Mark(link.identity, "fleet", time.Now())
	checkEnds(t, "refused", ends(t, s, link, o), "")
	s.failures.Mark(link.identity, "old", time.Now())
	checkEnds(t, "all refused", ends(t, s, link, o), "")
}

// TestACorrectedUserIsTriedAgain has devices that refused user entries, of which
// some log in with something else then.
func TestACorrectedUserIsTriedAgain(t *testing.T) {
	user := func(name string, password auth.Secret) *auth.User {
		return &auth.User{Name: name, Username: "netconf", Password: password}
	}
	s, err := New(Options{Memory: &memory{}, Users: []*auth.User{user("same", "x"), user("corrected", "x"), user("gone", "x")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, refused := range []string{"same", "corrected", "gone", "of the hook"} {
		s.refused(testIdentity("edge-1"), user(refused, "x"), time.Now())
	}
	set, err := s.Check(Options{Users: []*auth.User{user("same", "x"), user("corrected", "y")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Use(set)
	s.refused(testIdentity("edge-2"), user("corrected", "x"), time.Now()) // by a call that began before
	s.refused(testIdentity("edge-3"), user("corrected", "y"), time.Now())
	var got []string
	for _, f := range s.Failures() {
		got = append(got, f.Identity.Fingerprint+" "+f.User)
	}
	want := []string{testIdentity("edge-1").Fingerprint + " of the hook", testIdentity("edge-1").Fingerprint + " same", testIdentity("edge-3").Fingerprint + " corrected"}
	if !slices.Equal(got, want) {
		t.Errorf("refused are %q, want %q", got, want)
	}
}

// TestALinkWhoseDeviceWasForgottenIsNotTheChangesConcern: who forgets it ends it.
func TestALinkWhoseDeviceWasForgottenIsNotTheChangesConcern(t *testing.T) {
	m := &memory{devices: []auth.Device{{Name: "edge-1", Identity: testIdentity("approved")}}}
	o := Options{Memory: m, Users: []*auth.User{{Name: "fleet", Username: "netconf", Password: "x"}}}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	link := linked(t, s, &Listener{Transport: SSH}, claim{}, proof{identity: testIdentity("approved")})
	m.devices = nil
	o.Users = nil
	checkEnds(t, "forgotten", ends(t, s, link, o), "")
}

// TestTheMainListenerIsAlwaysThere, and is as ServeListener was given it where
// the settings do not say.
func TestTheMainListenerIsAlwaysThere(t *testing.T) {
	o := Options{Memory: &memory{}, Entries: []Entry{{Name: "edge-1", Pins: []auth.Identity{testIdentity("pinned")}}}}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	called := &Listener{Transport: SSH, Users: []*auth.User{{Name: "own", Username: "netconf", Password: "x"}}}
	link := linked(t, s, called, claim{}, proof{identity: testIdentity("pinned")})
	checkEnds(t, "not given", ends(t, s, link, o), "")
	checkEnds(t, "given", ends(t, s, link, o, Listener{Transport: SSH}), "callhome.users is empty")
}

// TestAwaitedDevicesGetTheUserAsItIsNow has a device awaited whose user changes.
func TestAwaitedDevicesGetTheUserAsItIsNow(t *testing.T) {
	fleet := &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	old := &auth.User{Name: "old", Username: "admin", Password: "x"}
	o := Options{Memory: &memory{}, Users: []*auth.User{fleet, old}}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.sources.await(origin{addr: addrA}, testIdentity("edge-1"), old, time.Now())
	renewed := &auth.User{Name: "old", Username: "root", Password: "x"}
	o.Users = []*auth.User{fleet, renewed}
	set, err := s.Check(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Use(set)
	if p := planSSH(t, s, addrA); p.user != renewed {
		t.Errorf("%+v is announced", p.user)
	}
}

// BenchmarkUse puts settings into force that end nothing.
func BenchmarkUse(b *testing.B) {
	const devices = 10_000
	ca := NewTestCA(b, "fleet CA")
	for _, transport := range []Transport{SSH, TLS} {
		b.Run(string(transport), func(b *testing.B) {
			options := func() Options {
				user := &auth.User{Name: "fleet", Username: "netconf", Password: "x", TLS: &auth.UserTLS{Anchors: ca.Anchors(b)}}
				o := Options{Memory: &memory{}, Users: []*auth.User{user}}
				for i := range devices {
					e := Entry{Name: fmt.Sprintf("edge-%d", i), Pins: []auth.Identity{testIdentity(fmt.Sprint(i))}}
					if transport == TLS {
						e.Pins, e.CertificateNames = nil, []string{e.Name}
					}
					o.Entries = append(o.Entries, e)
				}
				return o
			}
			s, err := New(options())
			if err != nil {
				b.Fatal(err)
			}
			called := &Listener{Transport: transport}
			for i := range devices {
				shown := proof{identity: testIdentity(fmt.Sprint(i))}
				if transport == TLS {
					shown = certificateProof(ca.Issue(b, fmt.Sprintf("edge-%d", i), nil))
				}
				linked(b, s, called, claim{}, shown)
			}
			for b.Loop() {
				set, err := s.Check(options(), nil)
				if err != nil {
					b.Fatal(err)
				}
				if ended := s.Use(set); ended > 0 {
					b.Fatalf("%d links ended", ended)
				}
			}
		})
	}
}
