package store

import (
	"errors"
	"slices"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
)

func mustPin(t *testing.T, s *Store, name, seed string) {
	t.Helper()
	if err := s.Pin(auth.Device{Name: name, Identity: identity(seed), User: "fleet"}); err != nil {
		t.Fatal(err)
	}
}

func mustSetPort(t *testing.T, s *Store, a gateway.PortAssignment) {
	t.Helper()
	if err := s.SetPort(a); err != nil {
		t.Fatal(err)
	}
}

// assigned says of each port, in their order, whose it is.
func assigned(t *testing.T, s *Store) (list []string) {
	t.Helper()
	ports, err := s.Ports()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ports {
		whose := a.Device
		if a.Forgotten {
			whose += " forgotten"
		}
		list = append(list, whose)
	}
	return list
}

func TestRenameTakesEverythingAlong(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	ca := auth.Identity{Type: auth.TypeCertificateKey, Fingerprint: "SHA256:00:11"}
	mustPin(t, s, "edge-1", "one")
	mustPin(t, s, "edge-2", "two")
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-1", Port: 20001, Forgotten: true})
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-2", Port: 20002})
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-1", Port: 20003})
	outcome := callhome.Outcome{Time: now(), Reason: callhome.Accepted, Device: "edge-1", Identity: identity("one"), User: "fleet"}
	s.NoteOutcome(outcome)
	s.NoteVoucher("edge-1", ca)
	mustSave(t, s, Saved{Kind: SavedSession, Name: "edge-1", Text: "old"}, Saved{Kind: SavedUser, Name: "edge-1"})
	devices, err := s.Rename("Edge-1", "LYON-1", Saved{Kind: SavedSession, Name: "lyon-1", Text: "new"})
	if err != nil || len(devices) != 1 || devices[0].Name != "lyon-1" || devices[0].Identity != identity("one") || devices[0].User != "fleet" {
		t.Fatalf("%+v %v", devices, err)
	}
	outcome.Device = "lyon-1"
	check := func(when string) {
		t.Helper()
		if d, ok := s.Approved(identity("one")); !ok || d.Name != "lyon-1" || len(s.Named("edge-1")) != 0 || len(s.Devices()) != 2 {
			t.Errorf("%s, devices: %+v", when, s.Devices())
		}
		if got, want := assigned(t, s), []string{"lyon-1 forgotten", "edge-2", "lyon-1"}; !slices.Equal(got, want) {
			t.Errorf("%s, ports: %q, want %q", when, got, want)
		}
		if seen, _ := s.Seen("lyon-1"); seen.Name != "lyon-1" || seen.Outcome != outcome || s.Voucher("lyon-1") != ca {
			t.Errorf("%s, seen: %+v by %v", when, seen, s.Voucher("lyon-1"))
		}
		if _, ok := s.Seen("edge-1"); ok || s.Issued("edge-1") {
			t.Errorf("%s, something goes by the old name", when)
		}
		if got, want := names(s), []string{"user/edge-1", "session/lyon-1"}; !slices.Equal(got, want) || s.Saved()[1].Text != "new" {
			t.Errorf("%s, saved: %q, want %q", when, got, want)
		}
	}
	check("at once")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	check("after a restart")
}

func TestRenameRefuses(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	mustPin(t, s, "edge-1", "one")
	mustPin(t, s, "taken", "two")
	s.NoteVoucher("issued", identity("ca"))
	mustSave(t, s, Saved{Kind: SavedSession, Name: "saved"})
	mustSetPort(t, s, gateway.PortAssignment{Device: "configured", Port: 20001})
	for name, c := range map[string]struct {
		from, to string
		want     error
	}{
		"what nobody knows":            {"nobody", "edge-9", auth.ErrUnknownDevice},
		"what only the file has":       {"configured", "edge-9", auth.ErrUnknownDevice},
		"what its certificate names":   {"issued", "edge-9", auth.ErrUnknownDevice},
		"a bad name":                   {"edge-1", "no spaces", auth.ErrBadName},
		"no name":                      {"edge-1", "", auth.ErrBadName},
		"another's name":               {"edge-1", "Taken", auth.ErrNameTaken},
		"the name of a certificate":    {"edge-1", "issued", auth.ErrNameTaken},
		"the name of a saved session":  {"edge-1", "saved", auth.ErrNameTaken},
		"a saved one that stays where": {"saved", "edge-9", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Rename(c.from, c.to); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if got, want := assigned(t, s), []string{"configured"}; !slices.Equal(got, want) || len(s.Named("edge-1")) != 1 || len(s.Named("taken")) != 1 {
		t.Errorf("a refusal has changed something: %+v, ports %q", s.Devices(), got)
	}
}

func TestRenameToItsOwnNameChangesNothing(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	mustPin(t, s, "edge-1", "one")
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-1", Port: 20001})
	s.NoteSeen("edge-1", now())
	if devices, err := s.Rename("edge-1", "edge-1"); err != nil || len(devices) != 1 {
		t.Fatalf("%+v %v", devices, err)
	}
	if _, seen := s.Seen("edge-1"); !seen || !slices.Equal(assigned(t, s), []string{"edge-1"}) || len(s.Named("edge-1")) != 1 {
		t.Errorf("%+v, ports %q, seen %v", s.Devices(), assigned(t, s), seen)
	}
}

// A temporary device, named by its certificate, gets a session entry of another
// name.
func TestADeviceThatIsSavedCanGetANameWithIt(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	s.NoteVoucher("issued", identity("ca"))
	mustSetPort(t, s, gateway.PortAssignment{Device: "issued", Port: 20001})
	if _, err := s.Rename("issued", "edge-1", Saved{Kind: SavedSession, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	if got := assigned(t, s); !slices.Equal(got, []string{"edge-1"}) || !slices.Equal(names(s), []string{"session/edge-1"}) {
		t.Errorf("ports %q, saved %q", got, names(s))
	}
}

// The port of a forgotten device is kept back, over restarts, and over another
// device's taking its name.
func TestThePortOfAForgottenDeviceStaysKeptBack(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	mustPin(t, s, "edge-1", "one")
	mustPin(t, s, "edge-2", "two")
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-1", Port: 20001})
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-2", Port: 20002})
	if err := s.Forget("edge-1"); err != nil {
		t.Fatal(err)
	}
	restart := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, dir)
	}
	restart()
	if got, want := assigned(t, s), []string{"edge-1 forgotten", "edge-2"}; !slices.Equal(got, want) {
		t.Errorf("after a restart %q, want %q", got, want)
	}
	if _, err := s.Rename("edge-2", "edge-1"); err != nil {
		t.Fatal(err)
	}
	restart()
	if got, want := assigned(t, s), []string{"edge-1 forgotten", "edge-1"}; !slices.Equal(got, want) {
		t.Errorf("after another has its name %q, want %q", got, want)
	}
	if _, err := s.Rename("edge-1", "edge-2"); err != nil {
		t.Fatal(err)
	}
	if got, want := assigned(t, s), []string{"edge-2 forgotten", "edge-2"}; !slices.Equal(got, want) {
		t.Errorf("after it has its own again %q, want %q", got, want)
	}
}
