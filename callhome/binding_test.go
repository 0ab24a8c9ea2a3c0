package callhome

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
)

// memory is an auth.Memory without a disk.
type memory struct {
	devices  []auth.Device
	pending  []auth.Pending
	vouchers map[string]auth.Identity
}

func (m *memory) Approved(id auth.Identity) (auth.Device, bool) {
	for _, d := range m.devices {
		if d.Identity == id {
			return d, true
		}
	}
	return auth.Device{}, false
}

func (m *memory) Named(name string) (devices []auth.Device) {
	for _, d := range m.devices {
		if d.Name == name {
			devices = append(devices, d)
		}
	}
	return devices
}

func (m *memory) Pin(d auth.Device) error {
	if len(m.Named(d.Name)) > 0 {
		return auth.ErrNameTaken
	}
	m.devices = append(m.devices, d)
	return nil
}

func (m *memory) NotePending(p auth.Pending) {
	m.pending = append(m.pending, p)
}

func (m *memory) Voucher(name string) auth.Identity { return m.vouchers[name] }

func (m *memory) NoteVoucher(name string, ca auth.Identity) {
	if m.vouchers == nil {
		m.vouchers = make(map[string]auth.Identity)
	}
	m.vouchers[name] = ca
}

func testIdentity(name string) auth.Identity {
	// 43 base64 digits, as a SHA-256 digest has.
	return auth.Identity{Type: "ssh-ed25519", Fingerprint: "SHA256:" + name + strings.Repeat("A", 43-len(name))}
}

func planSSH(t *testing.T, s *Server, from netip.Addr) *plan {
	t.Helper()
	p, r := s.plan(t.Context(), CallInfo{Remote: netip.AddrPortFrom(from, 1), Transport: SSH}, onListener(Listener{Transport: SSH}), claim{})
	if r != nil {
		t.Fatal(r)
	}
	return p
}

// checkRejection expects a rejection, or none where the reason is empty.
func checkRejection(t *testing.T, r *rejection, reason Reason, detail string) {
	t.Helper()
	switch {
	case reason == "" && r != nil:
		t.Errorf("rejected: %s (%s)", r.reason, r.detail)
	case reason != "" && r == nil:
		t.Errorf("bound, want %s", reason)
	case r != nil && (r.reason != reason || !strings.Contains(r.detail, detail)):
		t.Errorf("%s: %s, want %s with %q", r.reason, r.detail, reason, detail)
	}
}

func TestStageB(t *testing.T) {
	fleet := &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	old := &auth.User{Name: "old", Username: "admin", Password: "x"}
	alias := &auth.User{Name: "alias", Username: "netconf", Password: "x"}
	pinned, approved, named, stranger := testIdentity("pinned"), testIdentity("approved"), testIdentity("named"), testIdentity("stranger")
	approvedAt := testIdentity("approvedAt")
	entries := []Entry{
		{Name: "by-pin", Pins: []auth.Identity{{Fingerprint: pinned.Fingerprint}}, User: alias},
		{Name: "both", Address: netip.MustParsePrefix("192.0.2.10/32"), Pins: []auth.Identity{testIdentity("both")}},
		{Name: "by-address", Address: netip.MustParsePrefix("192.0.2.20/32")},
		{Name: "known-address", Address: netip.MustParsePrefix("192.0.2.30/32"), User: old},
	}
	devices := []auth.Device{
		{Name: "approved", Identity: approved},
		{Name: "named", Identity: named, User: "old"},
		{Name: "gone", Identity: testIdentity("gone"), User: "no-more"},
		{Name: "known-address", Identity: approvedAt},
		{Name: "both", Identity: testIdentity("stale")},
		{Name: "dev-1", Identity: testIdentity("first"), FirstUse: true},
	}
	for _, tt := range []struct {
		name   string
		from   string
		id     auth.Identity
		trust  auth.Trust
		failed []string // users that this identity has refused
		device string
		user   string
		reason Reason // "" = bound
		detail string
	}{
		{name: "pinned", id: pinned, device: "by-pin", user: "alias"},
		{name: "pinned, under every trust", id: pinned, trust: auth.TrustPinned, device: "by-pin", user: "alias"},
		{name: "pinned with its address", from: "192.0.2.10", id: testIdentity("both"), device: "both", user: "fleet"},
		{name: "pinned, from elsewhere", id: testIdentity("both"), device: "both", reason: RejectedUntrusted, detail: "limited to 192.0.2.10/32"},
		{name: "changed at its address", from: "192.0.2.10", id: stranger, device: "both", reason: RejectedKeyChanged, detail: "shows the ssh-ed25519 key"},
		{name: "changed, first-use", from: "192.0.2.10", id: stranger, trust: auth.TrustFirstUse, device: "both", reason: RejectedKeyChanged},
		{name: "changed, pinned", from: "192.0.2.10", id: stranger, trust: auth.TrustPinned, device: "both", reason: RejectedKeyChanged},
		{name: "changed since the approval", from: "192.0.2.30", id: stranger, trust: auth.TrustFirstUse, device: "known-address", reason: RejectedKeyChanged},
		{name: "a neighbour behind the address of an entry", from: "192.0.2.10", id: approved, device: "approved", user: "fleet"},
		{name: "approved", id: approved, device: "approved", user: "fleet"},
		{name: "approved, from anywhere", from: "2001:db8::1", id: approved, device: "approved", user: "fleet"},
		{name: "approved, but the entry pins another", from: "192.0.2.10", id: testIdentity("stale"), device: "both", reason: RejectedKeyChanged, detail: "now pins others"},
		{name: "approved with a user", id: named, device: "named", user: "old", reason: RejectedWrongUser, detail: "named needs the user entry old"},
		{name: "approved with a user that is gone", id: testIdentity("gone"), device: "gone", reason: RejectedNoUser, detail: "does not have any more"},
		{name: "approved for an entry by address", from: "192.0.2.30", id: approvedAt, device: "known-address", user: "old"},
		{name: "unknown, approve", id: stranger, reason: RejectedPending},
		{name: "unknown, approve, at an entry", from: "192.0.2.20", id: stranger, device: "by-address", reason: RejectedPending},
		{name: "unknown, pinned", id: stranger, trust: auth.TrustPinned, reason: RejectedUntrusted},
		{name: "unknown, first-use, no password for it", id: stranger, trust: auth.TrustFirstUse, device: firstUseName(stranger), reason: RejectedUntrusted, detail: "first_use_password"},
		{name: "pinned on first use, no password for it", id: testIdentity("first"), device: "dev-1", reason: RejectedUntrusted, detail: "first_use_password"},
		{name: "first user refused", id: approved, failed: []string{"fleet"}, device: "approved", user: "old", reason: RejectedWrongUser},
		{name: "every user refused", id: approved, failed: []string{"fleet", "old"}, device: "approved", reason: RejectedNoUser, detail: "fleet, old"},
		{name: "another device's failure", id: pinned, failed: nil, device: "by-pin", user: "alias"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(Options{
				Entries: entries, Users: []*auth.User{fleet, old}, Trust: tt.trust, Memory: &memory{devices: devices},
				NamedUsers: map[string]*auth.User{"fleet": fleet, "old": old, "alias": alias},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, user := range tt.failed {
				s.failures.Mark(tt.id, user, time.Now())
			}
			from := netip.MustParseAddr("198.51.100.7")
			if tt.from != "" {
				from = netip.MustParseAddr(tt.from)
			}
			b, r := s.bind(planSSH(t, s, from), proof{identity: tt.id})
			if b.name != tt.device {
				t.Errorf("device %q, want %q", b.name, tt.device)
			}
			if tt.user != "" && (b.user == nil || b.user.Name != tt.user) {
				t.Errorf("user %+v, want %s", b.user, tt.user)
			}
			checkRejection(t, r, tt.reason, tt.detail)
		})
	}
}

func TestStageA(t *testing.T) {
	fleet, old := &auth.User{Name: "fleet"}, &auth.User{Name: "old"}
	pin := func(name string) []auth.Identity { return []auth.Identity{testIdentity(name)} }
	entries := []Entry{
		{Name: "single", Address: netip.MustParsePrefix("192.0.2.1/32"), User: old},
		{Name: "no-user", Address: netip.MustParsePrefix("192.0.2.2/32")},
		{Name: "first", Address: netip.MustParsePrefix("192.0.2.3/32"), Pins: pin("first"), User: old},
		{Name: "second", Address: netip.MustParsePrefix("192.0.2.0/29"), Pins: pin("second")},
	}
	entries[3].Address = netip.MustParsePrefix("192.0.2.3/32")
	for _, tt := range []struct {
		name, from  string
		users       []*auth.User
		lastFailed  string // the device last seen there has refused this user
		user, entry string
		reason      Reason
	}{
		{name: "one entry", from: "192.0.2.1", users: []*auth.User{fleet}, user: "old", entry: "single"},
		{name: "one entry without a user", from: "192.0.2.2", users: []*auth.User{fleet}, user: "fleet", entry: "no-user"},
		{name: "several entries", from: "192.0.2.3", users: []*auth.User{fleet}, user: "old"},
		{name: "none", from: "192.0.2.9", users: []*auth.User{fleet, old}, user: "fleet"},
		{name: "the first failed for the last seen", from: "192.0.2.9", users: []*auth.User{fleet, old}, lastFailed: "fleet", user: "old"},
		{name: "nothing to use", from: "192.0.2.9", reason: RejectedNoUser},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(Options{Entries: entries, Users: tt.users, Memory: &memory{}})
			if err != nil {
				t.Fatal(err)
			}
			from := netip.MustParseAddr(tt.from)
			if tt.lastFailed != "" {
				s.sources.saw(origin{addr: from}, testIdentity("last"), time.Now(), time.Now())
				s.failures.Mark(testIdentity("last"), tt.lastFailed, time.Now())
			}
			p, r := s.plan(t.Context(), CallInfo{Remote: netip.AddrPortFrom(from, 1), Transport: SSH}, onListener(Listener{Transport: SSH}), claim{})
			if r != nil {
				if r.reason != tt.reason {
					t.Fatalf("%s: %s", r.reason, r.detail)
				}
				return
			}
			if tt.reason != "" {
				t.Fatalf("planned, want %s", tt.reason)
			}
			if p.user.Name != tt.user {
				t.Errorf("user %s, want %s", p.user.Name, tt.user)
			}
			if name := entryName(p.entry); name != tt.entry {
				t.Errorf("entry %q, want %q", name, tt.entry)
			}
		})
	}
}

func entryName(e *Entry) string {
	if e == nil {
		return ""
	}
	return e.Name
}
