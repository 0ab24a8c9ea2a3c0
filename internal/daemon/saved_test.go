package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// fromFile is a gateway that runs with a real configuration file.
type fromFile struct {
	*reloading
	path, state string
	port        uint16
}

const savedTestFile = `
state_dir = %q
callhome {
  enabled = true
  address = "127.0.0.1"
  port    = %d
  users   = ["fleet"]

  reject_delay = "10ms"
}
user "fleet" {
  username = "netconf"
  password = "a-password"
}
gateway {
  ports = "24000-24099"
}
%s
`

func startFromFile(t *testing.T) *fromFile {
	t.Helper()
	dir, err := os.MkdirTemp("", "f") // t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fromFile{path: filepath.Join(dir, "config.hcl"), state: filepath.Join(dir, "state"), port: freePort(t)}
	f.write(t, "")
	f.start(t)
	return f
}

func (f *fromFile) write(t *testing.T, more string) {
	t.Helper()
	if err := os.WriteFile(f.path, fmt.Appendf(nil, savedTestFile, f.state, f.port, more), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fromFile) load(saved []config.Saved) (*config.Config, []string, error) {
	c, problems := config.Load(f.path, config.Options{Saved: saved})
	if problems.HasErrors() {
		return nil, nil, problems
	}
	return c, nil, nil
}

func (f *fromFile) start(t *testing.T) {
	t.Helper()
	c, _, err := f.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.reloading = startReloading(t, c, func(o *Options) { o.Load = f.load })
}

func (f *fromFile) saved() (list []string) {
	for _, s := range f.store.Saved() {
		list = append(list, s.Kind+" "+s.Name)
	}
	return list
}

var (
	savedUser    = store.Saved{Kind: store.SavedUser, Name: "olt", Text: "user \"olt\" {\n  username = \"admin\"\n  password = \"a-password\"\n}\n"}
	savedPlace   = store.Saved{Kind: store.SavedCallhomeUser, Name: "olt"}
	savedSession = store.Saved{Kind: store.SavedSession, Name: "edge-1", Text: "session \"edge-1\" {\n  address = \"192.0.2.1\"\n  user = \"olt\"\n}\n"}
)

func TestWhatIsSavedCountsAtOnceAndAfterARestart(t *testing.T) {
	f := startFromFile(t)
	if err := f.save(t.Context(), savedUser, savedPlace); err != nil {
		t.Fatal(err)
	}
	if err := f.save(t.Context(), savedSession); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		c := f.settings().Config
		if len(c.Callhome.Users) != 2 || c.Callhome.Users[1].Username != "admin" || !f.configured("edge-1") {
			t.Errorf("%s: %+v", when, c.Callhome)
		}
		if away, err := f.Device(t.Context(), "edge-1"); err != nil || away.State != control.StateAway {
			t.Errorf("%s: %+v, %v", when, away, err)
		}
	}
	check("saved")
	f.stop()
	f.start(t)
	check("after a restart")
	if err := f.unsave(t.Context(), store.SavedSession, "edge-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Device(t.Context(), "edge-1"); !errors.Is(err, auth.ErrUnknownDevice) {
		t.Errorf("removed: %v", err)
	}
	if err := f.unsave(t.Context(), store.SavedSession, "edge-1"); !errors.Is(err, auth.ErrUnknownEntry) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestWhatDoesNotFitIsNotSaved(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	f := startFromFile(t)
	if err := f.save(t.Context(), savedUser); err != nil {
		t.Fatal(err)
	}
	if err := f.save(t.Context(), savedSession); err != nil {
		t.Fatal(err)
	}
	before, settings := f.saved(), f.settings()
	refused := func(what, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		if after := f.saved(); !slices.Equal(before, after) || f.settings() != settings {
			t.Errorf("%s: something has changed: %v", what, after)
		}
	}
	save := func(parts ...store.Saved) error { return f.save(t.Context(), parts...) }
	refused("an unknown user", "nobody", save(store.Saved{Kind: store.SavedSession, Name: "edge-2", Text: "session \"edge-2\" {\n  address = \"192.0.2.2\"\n  user = \"nobody\"\n}\n"}))
	refused("one of two does not fit", "does-not-exist", save(savedPlace, store.Saved{Kind: store.SavedCallhomeUser, Name: "does-not-exist"}))
	refused("the file has it", "the file has a user of this name", save(store.Saved{Kind: store.SavedUser, Name: "fleet", Text: strings.ReplaceAll(savedUser.Text, "olt", "fleet")}))
	refused("a port that another program has", "in use", save(store.Saved{Kind: store.SavedSession, Name: "edge-2",
		Text: fmt.Sprintf("session \"edge-2\" {\n  address = \"192.0.2.2\"\n  port = %d\n}\n", port)}))
	refused("a session with that port in place of the one before", "in use", save(store.Saved{Kind: store.SavedSession, Name: "edge-1",
		Text: fmt.Sprintf("session \"edge-1\" {\n  address = \"192.0.2.1\"\n  user = \"olt\"\n  port = %d\n}\n", port)}))
	err = f.unsave(t.Context(), store.SavedUser, "olt")
	refused("a session needs the user", "session edge-1 would not count", err)
	// What shows only when it is stored already is put back.
	f.write(t, fmt.Sprintf("session \"other\" {\n  address = \"192.0.2.9\"\n  port = %d\n}\n", port))
	moved := savedSession
	moved.Text = strings.ReplaceAll(moved.Text, "192.0.2.1", "192.0.2.3")
	refused("the file has changed, and a port of it is taken", "in use", save(moved, savedPlace))
	if f.store.Saved()[1].Text != savedSession.Text {
		t.Error("the old text was not put back")
	}
	err = f.unsave(t.Context(), store.SavedSession, "edge-1")
	refused("the same for what is removed", "in use", err)
	f.write(t, "nonsense")
	refused("the file is broken", "config.hcl:", save(savedPlace))
}

func TestTheFileWinsOverWhatIsSaved(t *testing.T) {
	f := startFromFile(t)
	if err := f.save(t.Context(), savedUser); err != nil {
		t.Fatal(err)
	}
	f.write(t, "user \"olt\" {\n  username = \"from-the-file\"\n  password = \"a-password\"\n}\n")
	result, err := f.Client.Reload(t.Context())
	if err != nil || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "user olt, which a command has saved, does not count: the file has a user of this name") {
		t.Fatalf("%+v, %v", result, err)
	}
	if name := f.settings().Callhome.NamedUsers["olt"].Username; name != "from-the-file" {
		t.Errorf("the user is %s", name)
	}
	f.stop()
	f.start(t) // and it does not keep the gateway from starting
	if name := f.settings().Callhome.NamedUsers["olt"].Username; name != "from-the-file" {
		t.Errorf("after a restart the user is %s", name)
	}
	if err := f.unsave(t.Context(), store.SavedUser, "olt"); err != nil {
		t.Error("it cannot be cleared away:", err)
	}
}

func TestASavedPortThatIsTakenKeepsNothingFromStarting(t *testing.T) {
	f := startFromFile(t)
	port := freePort(t)
	if err := f.save(t.Context(), store.Saved{Kind: store.SavedSession, Name: "edge-1", Text: fmt.Sprintf("session \"edge-1\" {\n  address = \"192.0.2.1\"\n  port = %d\n}\n", port)}); err != nil {
		t.Fatal(err)
	}
	if !answers(endpoint(port)) {
		t.Error("the port is not open")
	}
	f.stop()
	taken, err := net.Listen("tcp", endpoint(port))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f.start(t)
	if f.configured("edge-1") {
		t.Error("it counts without its port")
	}
	result, err := f.Client.Reload(t.Context())
	if err != nil || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "address already in use") {
		t.Errorf("%+v, %v", result, err)
	}
	taken.Close()
	if _, err := f.Client.Reload(t.Context()); err != nil || !f.configured("edge-1") || !answers(endpoint(port)) {
		t.Errorf("the port is free again: %v", err)
	}
}

func TestWithoutAFileNothingIsReadAgain(t *testing.T) {
	h := startDaemon(t, testConfig(t))
	if _, err := h.Client.Reload(t.Context()); !errors.Is(err, control.ErrInvalid) || !strings.Contains(err.Error(), "without a configuration file") {
		t.Error(err)
	}
}
