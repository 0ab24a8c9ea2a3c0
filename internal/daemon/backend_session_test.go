package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// managed returns a gateway that runs with a file, with a device that was approved
// as edge-1, and a session of a manager with it.
func managed(t *testing.T) (*fromFile, control.Device, *testManager) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	f := startFromFile(t)
	f.write(t, fmt.Sprintf("manager \"noc\" {\n  password_hash = %q\n  devices = [\"*\"]\n}\n", hash))
	if _, err := f.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	runDevice(t, devicesim.Options{Connect: f.Callhome, HostKeys: []ssh.Signer{seededKey(t, "device")}, Username: "netconf", Password: "a-password"})
	pending := f.await(t, control.StatePending)
	if _, err := f.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	d := f.awaitThat(t, "connected with a port", func(d control.Device) bool { return d.State == control.StateConnected && d.Port != 0 })
	return f, d, startManager(t, d.Port, "noc", "secret")
}

// Its port is the same, and becomes the configured one.
func TestASessionIsSavedWithoutLosingItsConnection(t *testing.T) {
	f, d, manager := managed(t)
	link := f.callhome.Link("edge-1")
	s, err := f.SaveSession(t.Context(), control.SaveSessionRequest{Device: "EDGE-1"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "edge-1" || s.State != control.StateConnected || s.Port != d.Port || s.From != control.FromSaved || s.User != "fleet" || !slices.Equal(s.Identities, []string{d.Identity}) {
		t.Errorf("saved as %+v", s)
	}
	if manager.ended() || f.callhome.Link("edge-1") != link {
		t.Error("a connection has ended")
	}
	if port := f.settings().Gateway.Devices[0].Port; port != d.Port {
		t.Errorf("the configured port is %d, want %d", port, d.Port)
	}
	if _, err := f.SaveSession(t.Context(), control.SaveSessionRequest{Device: "edge-1", Name: "edge-2"}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("saved again: %v", err)
	}
	manager2 := startManager(t, d.Port, "noc", "secret")
	if err := f.RemoveSession(t.Context(), "edge-1"); err != nil || manager2.ended() || f.callhome.Link("edge-1") != link {
		t.Errorf("removed, where an approval is left: %v", err)
	}
}

func TestASessionIsSavedUnderAnotherName(t *testing.T) {
	f, d, manager := managed(t)
	if _, err := f.SaveSession(t.Context(), control.SaveSessionRequest{Device: "edge-1", Name: "edge_2"}); !errors.Is(err, auth.ErrBadName) || len(f.saved()) != 0 {
		t.Errorf("under a bad name: %v, %v", err, f.saved())
	}
	s, err := f.SaveSession(t.Context(), control.SaveSessionRequest{Device: "edge-1", Name: "edge-2"})
	if err != nil || s.Name != "edge-2" || s.Port != d.Port {
		t.Fatalf("%+v, %v", s, err)
	}
	manager.awaitEnd(t)
	f.awaitThat(t, "edge-2", func(d control.Device) bool { return d.Name == "edge-2" && d.State == control.StateConnected })
	startManager(t, d.Port, "noc", "secret")
	if got := f.saved(); !slices.Equal(got, []string{"session edge-2"}) {
		t.Errorf("saved is %v", got)
	}
}

func TestARenameThatCannotBeFollowedChangesNothing(t *testing.T) {
	f, d, manager := managed(t)
	if _, err := f.SaveSession(t.Context(), control.SaveSessionRequest{Device: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	f.write(t, "nonsense")
	if _, err := f.Rename(t.Context(), control.RenameRequest{Device: "edge-1", Name: "edge-2"}); err == nil || !strings.Contains(err.Error(), "config.hcl:") {
		t.Errorf("the file is broken: %v", err)
	}
	if got := f.saved(); !slices.Equal(got, []string{"session edge-1"}) || manager.ended() {
		t.Errorf("saved is %v", got)
	}
	if now, err := f.Device(t.Context(), "edge-1"); err != nil || now.State != control.StateConnected || now.Port != d.Port {
		t.Errorf("%+v, %v", now, err)
	}
}

// TestALinkThatComesUpDuringARename is one that was claimed under the old name
// before, and that the endpoints are told of afterwards.
func TestALinkThatComesUpDuringARename(t *testing.T) {
	r, d := approved(t, testConfig(t), nil)
	link := r.callhome.Link("edge-1")
	if _, err := r.Rename(t.Context(), control.RenameRequest{Device: "edge-1", Name: "edge-2"}); err != nil {
		t.Fatal(err)
	}
	r.gateway.Attach(link)
	r.detached(link)
	r.awaitThat(t, "the only one", func(now control.Device) bool {
		list, err := r.Devices(t.Context())
		return err == nil && len(list) == 1 && now.Name == "edge-2" && now.Port == d.Port
	})
}

// TestARenameIsJudgedWhenItIsItsTurn: what goes on before it may change who has
// the name.
func TestARenameIsJudgedWhenItIsItsTurn(t *testing.T) {
	r := startReloading(t, testConfig(t), nil)
	if err := r.beginChange(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer r.endChange()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (backend{r.daemon}).Rename(ctx, control.RenameRequest{Device: "edge-1", Name: "edge-2"}); !errors.Is(err, context.Canceled) {
		t.Errorf("judged at once: %v", err)
	}
}

func TestAUserEntryThatIsUsedStays(t *testing.T) {
	f, d, _ := managed(t)
	save := func(name string) {
		t.Helper()
		if _, err := f.SaveUser(t.Context(), control.SaveUserRequest{Name: name, Username: "netconf", Password: "a-password"}); err != nil {
			t.Fatal(err)
		}
	}
	save("lab")
	if _, err := f.Approve(t.Context(), control.ApproveRequest{Device: d.Identity, Name: "edge-1", User: "lab"}); err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveUser(t.Context(), "LAB"); !errors.Is(err, control.ErrInUse) || !strings.Contains(err.Error(), "device edge-1") {
		t.Errorf("an approval names it: %v", err)
	}
	save("other")
	if err := f.save(t.Context(), savedUser, savedSession); err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveUser(t.Context(), "olt"); !errors.Is(err, control.ErrInUse) || !strings.Contains(err.Error(), "session edge-1") {
		t.Errorf("a session names it: %v", err)
	}
	if err := f.RemoveUser(t.Context(), "other"); err != nil {
		t.Error(err)
	}
}

func TestFailuresOfADeviceOrAUserAreCleared(t *testing.T) {
	f := startFromFile(t)
	if _, err := f.SaveUser(t.Context(), control.SaveUserRequest{Name: "lab", Username: "netconf", Password: "wrong", Callhome: true}); err != nil {
		t.Fatal(err)
	}
	runDevice(t, devicesim.Options{Connect: f.Callhome, HostKeys: []ssh.Signer{seededKey(t, "device")}, Username: "netconf", Password: "right"})
	pending := f.await(t, control.StatePending)
	if _, err := f.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	f.awaitThat(t, "without a user", func(d control.Device) bool { return d.LastOutcome != nil && d.LastOutcome.Reason == "rejected-no-user" })
	for _, c := range []struct {
		filter control.FailureFilter
		want   int
	}{
		{control.FailureFilter{Device: "edge-2"}, 0},
		{control.FailureFilter{Device: "edge-1", User: "nobody"}, 0},
	} {
		if n, err := f.ClearFailures(t.Context(), c.filter); err != nil || n != c.want {
			t.Errorf("%+v: %d cleared, %v", c.filter, n, err)
		}
	}
	if n, err := f.ClearFailures(t.Context(), control.FailureFilter{Device: pending.Identity[:20], User: "fleet"}); err != nil || n != 1 {
		t.Errorf("one of two: %d cleared, %v", n, err)
	}
}
