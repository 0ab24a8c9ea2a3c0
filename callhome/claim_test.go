package callhome

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
)

var allTrusts = []auth.Trust{auth.TrustApprove, auth.TrustPinned, auth.TrustFirstUse}

// claimed returns the claim of a Junos device; without a secret it has no HMAC.
func claimed(t *testing.T, id string, key byte, secret string) claim {
	t.Helper()
	lines := junosLines(id, nil, "")
	if secret != "" {
		lines = junosLines(id, junosKey(key), secret)
	}
	c, err := parseClaim([]byte(lines))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func junosID(key byte) auth.Identity { return auth.SSHIdentity(junosKey(key)) }

// The keys of TestClaims; all others are nobody's.
const (
	keyPinned = iota + 1
	keyPinnedWithSecret
	keyPinnedWithID
	keyApproved
	keyFirstUse
	keyBefore // what the device of by-secret was approved with
	keyStranger
)

// claimServer has a device of each kind that a claim may concern.
func claimServer(t *testing.T, trust auth.Trust) *Server {
	t.Helper()
	fleet := &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	old := &auth.User{Name: "old", Username: "admin", Password: "x"}
	pin := func(key byte) []auth.Identity { return []auth.Identity{junosID(key)} }
	s, err := New(Options{
		Users: []*auth.User{fleet, old}, Trust: trust,
		Entries: []Entry{
			{Name: "by-secret", DeviceID: "R1", DeviceSecret: "own", User: old},
			{Name: "pinned-secret", DeviceID: "R2", DeviceSecret: "own", Pins: pin(keyPinnedWithSecret)},
			{Name: "by-id", DeviceID: "R3", User: old},
			{Name: "pinned", Pins: pin(keyPinned)},
			{Name: "placed", DeviceID: "R5", DeviceSecret: "own", Address: netip.MustParsePrefix("192.0.2.5/32")},
			{Name: "pinned-id", DeviceID: "R6", Pins: pin(keyPinnedWithID), User: old},
			{Name: "certified", DeviceID: "R7", CertificateNames: []string{"r7.example"}},
			{Name: "principal", DeviceID: "R9", HostPrincipals: []string{"r9.example"}},
			{Name: "at-address", Address: netip.MustParsePrefix("192.0.2.8/32"), Pins: []auth.Identity{testIdentity("eight")}},
		},
		Memory: &memory{
			devices: []auth.Device{
				{Name: "approved", Identity: junosID(keyApproved)},
				{Name: "dev-1", Identity: junosID(keyFirstUse), FirstUse: true},
				{Name: "by-secret", Identity: junosID(keyBefore)},
			},
			vouchers: map[string]auth.Identity{"by-ca": testIdentity("ca")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.links.claim(&Link{name: "connected"}, nil) {
		t.Fatal("the table is not empty")
	}
	return s
}

// TestClaims goes through what a Junos device may say and then prove, under
// each trust setting unless one is given.
func TestClaims(t *testing.T) {
	for _, tt := range []struct {
		name   string
		id     string
		key    byte   // in the HOST-KEY
		secret string // of the HMAC; none without one
		fleet  auth.Secret
		shown  byte // the key that it proves; 0 for the HOST-KEY's
		from   string
		trusts []auth.Trust

		user     string // that is announced
		device   string
		reason   Reason // "" = bound
		detail   string
		proposed string
		pins     bool
	}{
		// A claim that nothing proves.
		{name: "claim", id: "MX-9", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending, proposed: "mx-9"},
		{name: "claim, pinned", id: "MX-9", shown: keyStranger, trusts: allTrusts[1:2], user: "fleet", reason: RejectedUntrusted},
		{name: "claim, first-use", id: "MX-9", shown: keyStranger, trusts: allTrusts[2:], user: "fleet", device: firstUseName(junosID(keyStranger)), reason: RejectedUntrusted, detail: "first_use_password"},
		{name: "claim that is no name", id: "rack 4", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending},
		{name: "claim with an HMAC that nobody can check", id: "MX-9", key: keyStranger, secret: "any", trusts: allTrusts[:1], user: "fleet", reason: RejectedPending, proposed: "mx-9"},
		{name: "claim of an entry that waits for it", id: "R3", shown: keyStranger, trusts: allTrusts[:1], user: "old", reason: RejectedPending, proposed: "by-id"},
		{name: "claim of an entry by its name", id: "by-id", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending},
		{name: "claim of an entry with a secret", id: "R1", shown: keyStranger, trusts: allTrusts[:1], user: "old", reason: RejectedPending},
		{name: "claim of an entry with pins", id: "R6", shown: keyStranger, trusts: allTrusts[:1], user: "old", reason: RejectedPending},
		{name: "claim of a configured name", id: "pinned", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending},
		{name: "claim of an approved name", id: "approved", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending},
		{name: "claim of a name that a CA gave", id: "by-ca", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending},
		{name: "claim of a connected name", id: "CONNECTED", shown: keyStranger, trusts: allTrusts[:1], user: "fleet", reason: RejectedPending},
		{name: "claim of a configured name, pinned", id: "R6", shown: keyStranger, trusts: allTrusts[1:2], user: "old", reason: RejectedUntrusted},
		{name: "claim of an approved name, pinned", id: "approved", shown: keyStranger, trusts: allTrusts[1:2], user: "fleet", reason: RejectedUntrusted},
		{name: "claim of a configured name, first-use", id: "R3", shown: keyStranger, trusts: allTrusts[2:], user: "old", device: firstUseName(junosID(keyStranger)), reason: RejectedUntrusted},
		{name: "claim of an approved name, first-use", id: "approved", shown: keyStranger, trusts: allTrusts[2:], user: "fleet", device: firstUseName(junosID(keyStranger)), reason: RejectedUntrusted},
		{name: "claim of a connected name, first-use", id: "connected", shown: keyStranger, trusts: allTrusts[2:], user: "fleet", device: firstUseName(junosID(keyStranger)), reason: RejectedUntrusted},
		{name: "claim by a known device of another's name", id: "pinned", shown: keyApproved, user: "fleet", device: "approved"},
		{name: "claim that leads to the right user", id: "R6", shown: keyPinnedWithID, user: "old", device: "pinned-id"},
		{name: "claim that leads to the wrong user", id: "R6", shown: keyApproved, user: "old", device: "approved", reason: RejectedWrongUser},
		{name: "no HMAC, though there is a secret, by approval", id: "R1", shown: keyBefore, user: "old", device: "by-secret"},

		// The secret of an entry.
		{name: "secret", id: "R1", key: keyStranger, secret: "own", user: "old", device: "by-secret"},
		{name: "secret, another key shown", id: "R1", key: keyStranger, secret: "own", shown: keyApproved, user: "old", device: "by-secret", reason: RejectedKeyChanged, detail: "vouches for"},
		{name: "secret, the key that was approved before", id: "R1", key: keyBefore, secret: "own", user: "old", device: "by-secret"},
		{name: "secret, a key that was approved as another", id: "R1", key: keyApproved, secret: "own", user: "old", device: "by-secret"},
		{name: "secret, a key that is pinned for another", id: "R1", key: keyPinned, secret: "own", user: "fleet", device: "pinned"},
		{name: "secret and pin", id: "R2", key: keyPinnedWithSecret, secret: "own", user: "fleet", device: "pinned-secret"},
		{name: "secret, not the pin", id: "R2", key: keyStranger, secret: "own", user: "fleet", device: "pinned-secret", reason: RejectedKeyChanged, detail: "is known by"},
		{name: "secret, from elsewhere", id: "R5", key: keyStranger, secret: "own", user: "fleet", device: "placed", reason: RejectedUntrusted, detail: "limited to 192.0.2.5/32"},
		{name: "secret, at its address", id: "R5", key: keyStranger, secret: "own", from: "192.0.2.5", user: "fleet", device: "placed"},
		{name: "wrong secret", id: "R1", key: keyBefore, secret: "guessed", reason: RejectedUntrusted, detail: "device_secret of session by-secret"},
		{name: "the listener's secret for an entry with its own", id: "R1", key: keyStranger, secret: "common", fleet: "common", reason: RejectedUntrusted, detail: "session by-secret"},

		// The secret of the listener.
		{name: "fleet", id: "MX-9", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "mx-9", pins: true},
		{name: "fleet, another key shown", id: "MX-9", key: keyStranger, secret: "common", fleet: "common", shown: keyApproved, user: "fleet", reason: RejectedKeyChanged, detail: `"MX-9"`},
		{name: "fleet, wrong secret", id: "MX-9", key: keyStranger, secret: "guessed", fleet: "common", reason: RejectedUntrusted, detail: "device_secret of the listener"},
		{name: "fleet, no HMAC", id: "MX-9", shown: keyStranger, fleet: "common", trusts: allTrusts[:1], user: "fleet", reason: RejectedPending, proposed: "mx-9"},
		{name: "fleet, no name", id: "rack 4", key: keyStranger, secret: "common", fleet: "common", user: "fleet", reason: RejectedWrongName, detail: `"rack 4"`},
		{name: "fleet, a configured name", id: "pinned", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "pinned", reason: RejectedKeyChanged, detail: "device_id"},
		{name: "fleet, an approved name", id: "approved", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "approved", reason: RejectedKeyChanged, detail: "is known by " + junosID(keyApproved).String()},
		{name: "fleet, a name that a CA gave", id: "by-ca", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "by-ca", reason: RejectedKeyChanged},
		{name: "fleet, a key that was approved", id: "MX-9", key: keyApproved, secret: "common", fleet: "common", user: "fleet", device: "approved"},
		{name: "fleet, a key from a first use", id: "MX-9", key: keyFirstUse, secret: "common", fleet: "common", user: "fleet", device: "dev-1"},
		{name: "fleet, an entry that waits for it", id: "R3", key: keyStranger, secret: "common", fleet: "common", user: "old", device: "by-id", pins: true},
		{name: "fleet, an entry with pins", id: "R6", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "pinned-id", reason: RejectedKeyChanged},
		{name: "fleet, an entry with a certificate's name", id: "R7", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "certified", reason: RejectedKeyChanged},
		{name: "fleet, an entry with a principal", id: "R9", key: keyStranger, secret: "common", fleet: "common", user: "fleet", device: "principal", reason: RejectedKeyChanged},
		{name: "fleet, the name of an entry at its address that has its own secret", id: "placed", key: keyStranger, secret: "common", fleet: "common", from: "192.0.2.5", user: "fleet", device: "placed", reason: RejectedKeyChanged, detail: "device_id"},
		{name: "fleet, behind the address of an entry", id: "MX-9", key: keyStranger, secret: "common", fleet: "common", from: "192.0.2.8", user: "fleet", device: "mx-9", pins: true},
	} {
		if tt.trusts == nil {
			tt.trusts = allTrusts
		}
		if tt.shown == 0 {
			tt.shown = tt.key
		}
		if tt.from == "" {
			tt.from = "198.51.100.7"
		}
		for _, trust := range tt.trusts {
			t.Run(tt.name+"/"+trust.String(), func(t *testing.T) {
				s := claimServer(t, trust)
				info := CallInfo{Remote: netip.AddrPortFrom(netip.MustParseAddr(tt.from), 1), Transport: SSH}
				p, r := s.plan(t.Context(), info, onListener(Listener{Transport: SSH, DeviceSecret: tt.fleet}), claimed(t, tt.id, tt.key, tt.secret))
				b := &binding{}
				if r == nil {
					if p.user.Name != tt.user {
						t.Errorf("%s is announced, want %s", p.user.Name, tt.user)
					}
					if p.avowal != nil && !slices.Equal(p.hostKeyTypes, []string{junosID(tt.key).Type}) {
						t.Errorf("it is asked for keys of %v", p.hostKeyTypes)
					}
					b, r = s.bind(p, proof{identity: junosID(tt.shown)})
				} else if tt.user != "" {
					t.Errorf("rejected before the handshake: %s", r.detail)
				}
				if b.name != tt.device || b.proposed != tt.proposed {
					t.Errorf("device %q, proposed %q, want %q and %q", b.name, b.proposed, tt.device, tt.proposed)
				}
				checkRejection(t, r, tt.reason, tt.detail)
				switch {
				case r != nil && (strings.Contains(r.detail, "common") || strings.Contains(r.detail, "guessed")):
					t.Errorf("a secret is in the detail: %s", r.detail)
				case r == nil && (b.unpinned != tt.pins || b.unvouched):
					t.Errorf("unpinned %t, unvouched %t", b.unpinned, b.unvouched)
				}
			})
		}
	}
}

// TestTheFirstOfTwoThatLogInAtOnceHasTheName has the name taken between stage B
// and the end of the login.
func TestTheFirstOfTwoThatLogInAtOnceHasTheName(t *testing.T) {
	s := claimServer(t, auth.TrustPinned)
	c := &call{server: s, binding: &binding{name: "mx-9", identity: junosID(keyStranger), unpinned: true}}
	if r := c.pin(); r != nil {
		t.Fatal(r)
	}
	c.binding = &binding{name: "mx-9", identity: junosID(keyStranger + 1), unpinned: true}
	if r := c.pin(); r == nil || r.reason != RejectedKeyChanged {
		t.Errorf("the second: %v, want %s", r, RejectedKeyChanged)
	}
}

// TestAClaimThatMisleadsIsNotFollowedAgain has two devices with one id, as
// after a copied configuration: the entry is not that of the one which calls.
func TestAClaimThatMisleadsIsNotFollowedAgain(t *testing.T) {
	s := claimServer(t, auth.TrustApprove)
	l, said := onListener(Listener{Transport: SSH}), claimed(t, "R6", 0, "")
	call := func(from string) (*call, *rejection) {
		c := &call{server: s, called: l, info: CallInfo{Remote: netip.MustParseAddrPort(from), Transport: SSH}, at: time.Now()}
		var r *rejection
		if c.plan, r = s.plan(t.Context(), c.info, l, said); r != nil {
			t.Fatal(r)
		}
		if c.binding, r = s.bind(c.plan, proof{identity: junosID(keyApproved)}); r != nil {
			c.failed(r, false)
		}
		return c, r
	}
	if _, r := call("198.51.100.7:1"); r == nil || r.reason != RejectedWrongUser {
		t.Fatalf("first call: %v", r)
	}
	if c, r := call("198.51.100.7:2"); r != nil {
		t.Errorf("second call: %v, with %s announced", r, c.plan.user.Name)
	}
	if c, _ := call("198.51.100.8:1"); c.plan.user.Name != "old" {
		t.Errorf("from elsewhere %s is announced", c.plan.user.Name)
	}
}

// TestStrangersAreNotRemembered has a stranger call from where a device was seen.
func TestStrangersAreNotRemembered(t *testing.T) {
	s := claimServer(t, auth.TrustApprove)
	l := onListener(Listener{Transport: SSH})
	for _, shown := range []byte{keyApproved, keyStranger} {
		c := &call{server: s, called: l, info: CallInfo{Remote: netip.MustParseAddrPort("198.51.100.7:1"), Transport: SSH}, at: time.Now()}
		c.plan, _ = s.plan(t.Context(), c.info, l, claim{})
		var r *rejection
		if c.binding, r = s.bind(c.plan, proof{identity: junosID(shown)}); r == nil {
			r = reject(FailedLogin, "")
		}
		c.failed(r, false)
		if got := s.sources.lastSeen(c.plan.origin()); got != junosID(keyApproved) {
			t.Errorf("after %s: last seen is %v", r.reason, got)
		}
	}
}

// TestTheHookProposesANameOnly is the hook's part of TestClaims, over both
// transports.
func TestTheHookProposesANameOnly(t *testing.T) {
	certificate := certificateProof(SelfSigned(t, "mx"))
	for _, tt := range []struct{ selected, id, proposed string }{
		{"Core-1", "", "core-1"},
		{"Core-1", "MX-9", "core-1"},
		{"Core-1", "R3", "core-1"},
		{"", "", ""},
		{"no name!", "MX-9", ""},
		{"pinned", "", ""},
		{"by-id", "R3", ""},
		{"approved", "", ""},
		{"by-ca", "", ""},
		{"connected", "", ""},
	} {
		for transport, shown := range map[Transport]proof{SSH: {identity: junosID(keyStranger)}, TLS: certificate} {
			for _, trust := range allTrusts {
				s := claimServer(t, trust)
				o := &s.rules.Load().opts
				o.Users = append(o.Users, &auth.User{Name: "tls", TLS: &auth.UserTLS{}})
				var asked CallInfo
				o.UserSelect = func(_ context.Context, info CallInfo) (Selection, error) {
					asked = info
					return Selection{Name: tt.selected}, nil
				}
				said := claim{}
				if transport == SSH && tt.id != "" {
					said = claimed(t, tt.id, 0, "")
				} else if tt.id != "" {
					continue
				}
				info := CallInfo{Remote: netip.MustParseAddrPort("198.51.100.7:1"), Transport: transport, DeviceID: said.deviceID}
				p, r := s.plan(t.Context(), info, onListener(Listener{Transport: transport}), said)
				if r != nil {
					t.Fatal(r)
				}
				if asked.DeviceID != tt.id {
					t.Errorf("the hook was told the id %q, want %q", asked.DeviceID, tt.id)
				}
				b, _ := s.bind(p, shown)
				want, name := tt.proposed, ""
				if trust != auth.TrustApprove {
					want = ""
				}
				if trust == auth.TrustFirstUse {
					name = firstUseName(shown.identity)
				}
				if b.proposed != want || b.name != name {
					t.Errorf("%q, %q, %s, %s: proposed %q for %q, want %q for %q", tt.selected, tt.id, transport, trust, b.proposed, b.name, want, name)
				}
			}
		}
	}
}

func TestDeviceIDsOfEntries(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []Entry
		err     string
	}{
		{"an id alone", []Entry{{Name: "a", DeviceID: "r1"}}, ""},
		{"an id over TLS only", []Entry{{Name: "a", DeviceID: "r1", Transport: TLS}}, "to match a device by"},
		{"a secret without an id", []Entry{{Name: "a", Address: netip.MustParsePrefix("192.0.2.1/32"), DeviceSecret: "hush"}}, "no device id"},
		{"an id twice", []Entry{{Name: "a", DeviceID: "r1"}, {Name: "b", DeviceID: "r1"}}, "the same device id"},
		{"ids that differ in case", []Entry{{Name: "a", DeviceID: "r1"}, {Name: "b", DeviceID: "R1"}}, ""},
		{"an id that is too long", []Entry{{Name: "a", DeviceID: strings.Repeat("a", 256)}}, "cannot be the id"},
		{"an id with a blank behind", []Entry{{Name: "a", DeviceID: "r1 "}}, "cannot be the id"},
	} {
		_, err := New(Options{Entries: tt.entries, Memory: &memory{}})
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the secret is in %v", tt.name, err)
		}
	}
}
