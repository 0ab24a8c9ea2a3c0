package store

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
)

func TestApproveByWhatThePersonHas(t *testing.T) {
	full := identity("one").Fingerprint
	for name, ref := range map[string]string{
		"the fingerprint":     full,
		"its beginning":       full[:len("SHA256:")+auth.MinFingerprint],
		"its beginning, bare": full[len("SHA256:"):][:auth.MinFingerprint],
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, stateDir(t))
			call(t, s, "one", "192.0.2.1", "edge-1")
			call(t, s, "two", "192.0.2.1", "")
			d, replaced, err := s.Approve(Approval{Device: ref})
			if err != nil || d.Name != "edge-1" || d.Identity != identity("one") || len(replaced) != 0 {
				t.Fatalf("%+v %+v %v", d, replaced, err)
			}
			if len(s.Pending()) != 1 || len(s.Named("edge-1")) != 1 {
				t.Errorf("pending %+v, devices %+v", s.Pending(), s.Devices())
			}
		})
	}
}

// A device that is known by its address and shows a new key is not pending.
func TestApproveByAWholeFingerprintThatIsNotPending(t *testing.T) {
	for _, id := range []auth.Identity{{Fingerprint: identity("new").Fingerprint}, {Type: auth.TypeCertificate, Fingerprint: "SHA256:" + strings.Repeat("AB:", 31) + "AB"}} {
		s := mustOpen(t, stateDir(t))
		mustPin(t, s, "edge-1", "old")
		d, replaced, err := s.Approve(Approval{Device: id.Fingerprint, Name: "edge-1", Replace: true})
		if err != nil || d.Identity != id || len(replaced) != 1 || len(s.Named("edge-1")) != 1 {
			t.Errorf("%+v %+v %v", d, replaced, err)
		}
	}
}

func TestApproveRefuses(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	if err := s.Pin(auth.Device{Name: "taken", Identity: identity("owner")}); err != nil {
		t.Fatal(err)
	}
	call(t, s, "one", "192.0.2.1", "nat")
	call(t, s, "two", "192.0.2.1", "nat")
	call(t, s, "three", "192.0.2.1", "")
	three := identity("three").Fingerprint
	for name, c := range map[string]struct {
		approval Approval
		want     error
	}{
		"an unknown device":    {Approval{Device: "nobody", Name: "x"}, auth.ErrUnknownDevice},
		"a short prefix":       {Approval{Device: three[:len("SHA256:")+4], Name: "x"}, auth.ErrUnknownDevice},
		"nothing":              {Approval{Name: "x"}, auth.ErrUnknownDevice},
		"its entry's name":     {Approval{Device: "nat"}, auth.ErrUnknownDevice},
		"no name":              {Approval{Device: three}, auth.ErrBadName},
		"a bad name":           {Approval{Device: three, Name: "no spaces"}, auth.ErrBadName},
		"a taken name":         {Approval{Device: three, Name: "taken"}, auth.ErrNameTaken},
		"a taken name in caps": {Approval{Device: three, Name: "TAKEN"}, auth.ErrNameTaken},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := s.Approve(c.approval); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if len(s.Pending()) != 3 || len(s.Devices()) != 1 {
		t.Errorf("a refusal changed something: %+v %+v", s.Pending(), s.Devices())
	}
}

func TestApproveReplacesAndRenames(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	if err := s.Pin(auth.Device{Name: "dev-old", Identity: identity("old"), User: "fleet", FirstUse: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPort(gateway.PortAssignment{Device: "dev-old", Port: 20001}); err != nil {
		t.Fatal(err)
	}
	s.NoteSeen("dev-old", now())
	d, replaced, err := s.Approve(Approval{Device: "dev-old", Name: "edge-1"})
	if err != nil || d.FirstUse || d.User != "fleet" || len(replaced) != 1 || replaced[0].Name != "dev-old" {
		t.Fatalf("renaming: %+v %+v %v", d, replaced, err)
	}
	if len(s.Named("dev-old")) != 0 || len(s.Named("edge-1")) != 1 {
		t.Errorf("after renaming: %+v", s.Devices())
	}
	_, seen := s.Seen("dev-old")
	if ports, _ := s.Ports(); !ports[0].Forgotten || seen {
		t.Errorf("what goes by the old name is left: %+v, seen %v", ports, seen)
	}
	call(t, s, "new", "192.0.2.1", "")
	d, replaced, err = s.Approve(Approval{Device: identity("new").Fingerprint, Name: "edge-1", Replace: true})
	if err != nil || len(replaced) != 1 || replaced[0].Identity != identity("old") {
		t.Fatalf("replacing: %+v %+v %v", d, replaced, err)
	}
	if _, ok := s.Approved(identity("old")); ok || len(s.Named("edge-1")) != 1 {
		t.Errorf("after replacing: %+v", s.Devices())
	}
}

func TestPinTakesNoName(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	d := auth.Device{Name: "dev-1", Identity: identity("one"), FirstUse: true}
	if err := errors.Join(s.Pin(d), s.Pin(d)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []auth.Device{
		{Name: "dev-1", Identity: identity("two")},
		{Name: "DEV-1", Identity: identity("two")},
		{Name: "dev-2", Identity: identity("one")},
	} {
		if err := s.Pin(d); !errors.Is(err, auth.ErrNameTaken) {
			t.Errorf("pinning %+v: %v", d, err)
		}
	}
}

func TestForgetMarksThePort(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	if err := s.Pin(auth.Device{Name: "edge-1", Identity: identity("one")}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"edge-1", "edge-2"} {
		if err := s.SetPort(gateway.PortAssignment{Device: name, Port: uint16(20000 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	s.NoteOutcome(callhome.Outcome{Device: "edge-1", Reason: callhome.Accepted, Time: now()})
	if err := s.Forget("Edge-1"); err != nil {
		t.Fatal(err)
	}
	ports, _ := s.Ports()
	if !ports[0].Forgotten || ports[1].Forgotten {
		t.Errorf("ports: %+v", ports)
	}
	if _, ok := s.Seen("edge-1"); ok || len(s.Devices()) != 0 {
		t.Error("something is remembered still")
	}
	if err := s.Forget("edge-1"); !errors.Is(err, auth.ErrUnknownDevice) {
		t.Errorf("forgetting twice: %v", err)
	}
	call(t, s, "one", "192.0.2.1", "")
	if len(s.Pending()) != 1 {
		t.Error("a forgotten device does not become pending")
	}
}

func TestTheCAThatNamedADeviceIsKnownUntilItIsForgotten(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	ca := auth.Identity{Type: auth.TypeCertificateKey, Fingerprint: "SHA256:00:11"}
	hostCA := auth.Identity{Type: "ssh-ed25519", Fingerprint: "SHA256:ca"}
	s.NoteVoucher("edge-1", ca)
	s.NoteVoucher("edge-3", hostCA)
	s.NoteOutcome(callhome.Outcome{Device: "edge-1", Reason: callhome.Accepted, Time: now()})
	s.NoteOutcome(callhome.Outcome{Device: "edge-1", Reason: callhome.RejectedKeyChanged, Time: now()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if got := s.Voucher("edge-1"); got != ca {
		t.Errorf("after a restart: %+v", got)
	}
	if got := s.Voucher("edge-3"); got != hostCA || !slices.Contains(s.AllIssued(), "edge-3") {
		t.Errorf("after a restart: %+v of %q", got, s.AllIssued())
	}
	if got := s.Voucher("edge-2"); !got.IsZero() {
		t.Errorf("of another: %+v", got)
	}
	if err := s.Forget("edge-1"); err != nil {
		t.Fatal(err)
	}
	if got := s.Voucher("edge-1"); !got.IsZero() {
		t.Errorf("of a forgotten device: %+v", got)
	}
}

func TestStrangersLeaveRoomForDevices(t *testing.T) {
	s, _ := openMemory(t)
	defer s.Close()
	for i := range maxSeen {
		s.NoteOutcome(callhome.Outcome{Device: fmt.Sprint("dev-", i), Reason: callhome.FailedLogin})
	}
	s.NoteOutcome(callhome.Outcome{Device: "edge-1", Reason: callhome.Accepted})
	if _, ok := s.Seen("edge-1"); !ok || len(s.seen) > maxSeen/2+1 {
		t.Errorf("%d are remembered, a device that has logged in: %v", len(s.seen), ok)
	}
}

func TestReject(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	call(t, s, "one", "192.0.2.1", "")
	if p, err := s.Reject(identity("one").Fingerprint); err != nil || p.Identity != identity("one") {
		t.Fatal(p, err)
	}
	if _, err := s.Reject(identity("one").Fingerprint); !errors.Is(err, auth.ErrUnknownDevice) {
		t.Errorf("rejecting twice: %v", err)
	}
}

func TestAnApprovedDeviceIsNotPending(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	if err := s.Pin(auth.Device{Name: "edge-1", Identity: identity("one")}); err != nil {
		t.Fatal(err)
	}
	call(t, s, "one", "192.0.2.1", "")
	if len(s.Pending()) != 0 {
		t.Errorf("pending: %+v", s.Pending())
	}
}

func TestPendingIsBounded(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	call(t, s, "quiet", "203.0.113.1", "")
	for i := range maxPendingSource + 100 {
		call(t, s, fmt.Sprint("v6-", i), fmt.Sprintf("2001:db8::%x", i+1), "")
	}
	if n := len(s.Pending()); n != 1+maxPendingSource {
		t.Errorf("%d pending after a flood from one source", n)
	}
	for i := range maxPendingSource + 100 {
		call(t, s, fmt.Sprint("v4-", i), "192.0.2.1", "")
	}
	for i := range maxPending {
		call(t, s, fmt.Sprint("many-", i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "")
	}
	if n := len(s.Pending()); n != maxPending {
		t.Errorf("%d pending after a flood from many sources", n)
	}
	for address, want := range map[string]int{"203.0.113.1": 1, "192.0.2.1": 1, "2001:db8::1": 1} {
		if n := s.sources[source(netip.MustParseAddr(address))]; n > want {
			t.Errorf("%d are left of %s, while others had to go", n, address)
		}
	}
}

func TestTheLargestSourcePays(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	call(t, s, "quiet", "203.0.113.1", "")
	for i := range maxPendingSource {
		call(t, s, fmt.Sprint("flood-", i), "192.0.2.1", "")
	}
	for i := range maxPending - 10 {
		call(t, s, fmt.Sprint("many-", i), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), "")
	}
	if s.pending[identity("quiet").Fingerprint] == nil {
		t.Error("the device that called once had to go")
	}
	if n, want := s.sources[source(netip.MustParseAddr("192.0.2.1"))], 9; n != want {
		t.Errorf("%d are left of the largest source, want %d", n, want)
	}
}

func TestTheOldestOfASourceIsEvicted(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	for i := range maxPendingSource {
		call(t, s, fmt.Sprint(i), "192.0.2.1", "")
	}
	call(t, s, "0", "192.0.2.1", "") // calls again: 1 is the oldest now
	call(t, s, "new", "192.0.2.1", "")
	left := map[auth.Identity]bool{}
	for _, p := range s.Pending() {
		left[p.Identity] = true
	}
	if !left[identity("0")] || left[identity("1")] || !left[identity("new")] {
		t.Error("the wrong one was evicted")
	}
}

// An exchanged device, or one with a new key, takes the place of the old one.
func TestAReplacementKeepsWhatTheNameHas(t *testing.T) {
	for name, c := range map[string]struct{ user, want string }{
		"its user entry": {"", "fleet"},
		"another one":    {"other", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stateDir(t)
			s := mustOpen(t, dir)
			mustPin(t, s, "edge-1", "old")
			mustSetPort(t, s, gateway.PortAssignment{Device: "edge-1", Port: 20001})
			mustPin(t, s, "dev-new", "new") // trusted on its first use
			mustSetPort(t, s, gateway.PortAssignment{Device: "dev-new", Port: 20002})
			call(t, s, "newer", "192.0.2.1", "")
			for _, seed := range []string{"new", "newer"} {
				if _, _, err := s.Approve(Approval{Device: identity(seed).Fingerprint, Name: "edge-1", User: c.user, Replace: true}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir)
			if d := s.Named("edge-1"); len(d) != 1 || d[0].Identity != identity("newer") || d[0].User != c.want {
				t.Errorf("it is %+v, want the user %s", d, c.want)
			}
			if got, want := assigned(t, s), []string{"edge-1", "dev-new forgotten"}; !slices.Equal(got, want) {
				t.Errorf("ports: %q, want %q", got, want)
			}
			call(t, s, "old", "192.0.2.1", "edge-1")
			if p := s.Pending(); len(p) != 1 || p[0].Identity != identity("old") || len(s.Devices()) != 1 {
				t.Errorf("the old one called: pending %+v, devices %+v", p, s.Devices())
			}
		})
	}
}

func TestANameThatACAGaveChangesItsOwnerOnlyIfToldTo(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	s.NoteVoucher("edge-1", identity("ca"))
	call(t, s, "one", "192.0.2.1", "")
	a := Approval{Device: identity("one").Fingerprint, Name: "edge-1"}
	if _, _, err := s.Approve(a); !errors.Is(err, auth.ErrNameTaken) {
		t.Fatal(err)
	}
	a.Replace = true
	if _, replaced, err := s.Approve(a); err != nil || len(replaced) != 1 || replaced[0].Name != "edge-1" {
		t.Fatal(replaced, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if s.Issued("edge-1") || len(s.Named("edge-1")) != 1 {
		t.Errorf("%+v, named by %v", s.Devices(), s.Voucher("edge-1"))
	}
}

func TestADeviceThatACANamedMayBeApprovedAsItself(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	s.NoteVoucher("edge-1", identity("ca"))
	s.NoteOutcome(callhome.Outcome{Device: "edge-1", Identity: identity("one"), Reason: callhome.Accepted, Time: now()})
	call(t, s, "one", "192.0.2.1", "")
	if _, _, err := s.Approve(Approval{Device: identity("one").Fingerprint, Name: "edge-1"}); err != nil {
		t.Error(err)
	}
}
