package daemon

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"

	"golang.org/x/crypto/ssh"
)

// What a gateway that runs leaves in its state directory is in its backup: from
// there another is the same to its devices and managers.
func TestAGatewayIsRestoredFromItsBackup(t *testing.T) {
	c := testConfig(t)
	h := startDaemon(t, c)
	startDevice(t, h.Callhome, "device")
	pending := h.await(t, control.StatePending)
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	up := h.awaitThat(t, "connected with a port", func(d control.Device) bool { return d.State == control.StateConnected && d.Port != 0 })
	if _, err := selfSigned(c.StateDir, ""); err != nil {
		t.Fatal(err)
	}
	issued := filepath.Join(c.StateDir, acmeDir, "certificates", "gw.key")
	if err := errors.Join(os.MkdirAll(filepath.Dir(issued), 0o700), os.WriteFile(issued, []byte("issued"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := h.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	h.stop()
	restored := filepath.Join(t.TempDir(), "state")
	if _, err := store.Restore(restored, &backup); err != nil {
		t.Fatal(err)
	}
	checkSameFiles(t, c.StateDir, restored)

	c.StateDir = restored
	again := startDaemon(t, c)
	if !slices.EqualFunc(again.HostKeys, h.HostKeys, func(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }) {
		t.Error("its host keys are others")
	}
	back := again.awaitThat(t, "connected again", func(d control.Device) bool { return d.State == control.StateConnected })
	if back.Name != "edge-1" || back.Port != up.Port {
		t.Errorf("%+v is back, it was %+v", back, up)
	}
}

// checkSameFiles fails if anything but the state file is not in both directories.
func checkSameFiles(t *testing.T, dir, other string) {
	t.Helper()
	count := 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "state.db" {
			return err
		}
		count++
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if got, err := os.ReadFile(filepath.Join(other, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	})
	if err != nil || count < 4 {
		t.Errorf("%d files were compared: %v", count, err)
	}
}
