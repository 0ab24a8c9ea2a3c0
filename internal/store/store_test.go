package store

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, crashing(dir, os.Stdout))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func identity(seed string) auth.Identity {
	sum := sha256.Sum256([]byte(seed))
	return auth.Identity{Type: "ssh-ed25519", Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])}
}

func mustOpen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func stateDir(t *testing.T) string { return filepath.Join(t.TempDir(), "state") }

func call(t *testing.T, s *Store, seed, address, name string) {
	t.Helper()
	p := auth.Pending{Identity: identity(seed), Address: netip.MustParseAddr(address), Name: name}
	s.NotePending(p)
}

func TestEverythingSurvivesARestart(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	call(t, s, "one", "192.0.2.1", "")
	call(t, s, "one", "192.0.2.9", "")
	call(t, s, "two", "192.0.2.2", "edge-2")
	if _, _, err := s.Approve(Approval{Device: identity("two").Fingerprint, User: "fleet"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Pin(auth.Device{Name: "dev-3", Identity: identity("three"), FirstUse: true}); err != nil {
		t.Fatal(err)
	}
	port := gateway.PortAssignment{Device: "edge-2", Port: 20001, Since: now()}
	if err := s.SetPort(port); err != nil {
		t.Fatal(err)
	}
	outcome := callhome.Outcome{Time: now(), Reason: callhome.Accepted, Device: "edge-2", Identity: identity("two"),
		Remote: netip.MustParseAddrPort("192.0.2.2:1234"), User: "fleet", Detail: "all is well"}
	s.NoteOutcome(outcome)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = mustOpen(t, dir)
	if p := s.Pending(); len(p) != 1 || p[0].Identity != identity("one") || p[0].Calls != 2 || p[0].Address.String() != "192.0.2.9" {
		t.Errorf("pending: %+v", p)
	}
	if d, ok := s.Approved(identity("two")); !ok || d.Name != "edge-2" || d.User != "fleet" || d.FirstUse {
		t.Errorf("approved: %+v %v", d, ok)
	}
	if d := s.Named("DEV-3"); len(d) != 1 || !d[0].FirstUse || d[0].Identity != identity("three") {
		t.Errorf("pinned: %+v", d)
	}
	if p, _ := s.Ports(); len(p) != 1 || p[0] != port {
		t.Errorf("ports: %+v", p)
	}
	if seen, ok := s.Seen("edge-2"); !ok || seen.Outcome != outcome || !seen.Last.Equal(outcome.Time) {
		t.Errorf("seen: %+v", seen)
	}
}

// What a crash leaves is what the file holds while the store is open.
func TestACrashLosesNoApprovalPinOrPort(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	call(t, s, "one", "192.0.2.1", "")
	if _, _, err := s.Approve(Approval{Device: identity("one").Fingerprint, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Pin(auth.Device{Name: "dev-2", Identity: identity("two")}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPort(gateway.PortAssignment{Device: "edge-1", Port: 20001}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	crashed := t.TempDir()
	if err := os.Chmod(crashed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(crashed, fileName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	after := mustOpen(t, crashed)
	if len(after.Named("edge-1")) != 1 || len(after.Named("dev-2")) != 1 {
		t.Errorf("devices after the crash: %+v", after.Devices())
	}
	if p, _ := after.Ports(); len(p) != 1 {
		t.Errorf("ports after the crash: %+v", p)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := stateDir(t)
	mustOpen(t, dir)
	_, err := Open(dir, func(error) {})
	if err == nil || !strings.Contains(err.Error(), "another callhome-gateway is using "+dir) {
		t.Errorf("error: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	directory := func(mode os.FileMode) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "other"), nil, 0o600), os.Chmod(dir, mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	records := func(value string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := secureDir(dir); err != nil {
				t.Fatal(err)
			}
			d, err := openBolt(filepath.Join(dir, fileName), false)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.apply([]change{{deviceTable, "x", []byte(value)}}), d.close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, string)
		want    string
	}{
		"a directory that others can enter": {directory(0o755), "run chmod 700"},
		"a directory of a group":            {directory(0o750), "mode 0750"},
		"a newer record":                    {records(`{"v":2,"name":"x"}`), "newer callhome-gateway"},
		"a damaged record":                  {records(`{"v":1,`), "damaged"},
		"a record without a version":        {records(`{}`), "no version"},
		"a file that is no database": {func(t *testing.T, dir string) {
			directory(0o700)(t, dir)
			if err := os.WriteFile(filepath.Join(dir, fileName), make([]byte, 16384), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "restore it from a backup"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stateDir(t)
			c.prepare(t, dir)
			s, err := Open(dir, func(error) {})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAnEmptyDirectoryIsTightened(t *testing.T) {
	dir := stateDir(t)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, fileName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

// memoryDisk counts writes, and fails while err is set.
type memoryDisk struct {
	reported []error    // what failed in the background; read once the flusher rests
	mu       sync.Mutex // guards the following
	records  map[[2]string][]byte
	writes   int
	err      error
}

func (d *memoryDisk) load(visit func(table, key string, value []byte) error) error {
	for k, v := range d.records {
		if err := visit(k[0], k[1], v); err != nil {
			return err
		}
	}
	return nil
}

func (d *memoryDisk) apply(changes []change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	if d.err != nil {
		return d.err
	}
	for _, c := range changes {
		if c.value == nil {
			delete(d.records, [2]string{c.table, c.key})
		} else {
			d.records[[2]string{c.table, c.key}] = c.value
		}
	}
	return nil
}

func (d *memoryDisk) copyTo(io.Writer) error { return errors.ErrUnsupported }

func (d *memoryDisk) close() error { return nil }

func (d *memoryDisk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func (d *memoryDisk) written() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

func (d *memoryDisk) count(table string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k := range d.records {
		if k[0] == table {
			n++
		}
	}
	return n
}

func openMemory(t *testing.T) (*Store, *memoryDisk) {
	t.Helper()
	d := &memoryDisk{records: map[[2]string][]byte{}}
	s, err := open(d, func(err error) { d.reported = append(d.reported, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

func TestAFloodOfCallsIsWrittenOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := openMemory(t)
		defer s.Close()
		for i := range 5000 {
			call(t, s, fmt.Sprint(i), fmt.Sprintf("192.0.%d.%d", i/256, i%256), "")
		}
		synctest.Wait()
		if d.written() != 0 {
			t.Errorf("%d writes before the first second was over", d.writes)
		}
		time.Sleep(flushInterval)
		synctest.Wait()
		if d.written() != 1 || d.count(pendingTable) != maxPending {
			t.Errorf("%d writes, %d records", d.written(), d.count(pendingTable))
		}
		for i := range 100 {
			call(t, s, fmt.Sprint("more", i), "198.51.100.1", "")
		}
		time.Sleep(flushInterval)
		synctest.Wait()
		if d.written() != 2 || d.count(pendingTable) != len(s.Pending()) {
			t.Errorf("%d writes, %d records, %d in memory", d.written(), d.count(pendingTable), len(s.Pending()))
		}
	})
}

func TestAFullDiskChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := openMemory(t)
		call(t, s, "one", "192.0.2.1", "")
		if err := s.Pin(auth.Device{Name: "dev-2", Identity: identity("two")}); err != nil {
			t.Fatal(err)
		}
		full := errors.New("no space left on device")
		d.fail(full)
		_, _, approve := s.Approve(Approval{Device: identity("one").Fingerprint, Name: "edge-1"})
		_, reject := s.Reject(identity("one").Fingerprint)
		forget := s.Forget("dev-2")
		_, rename := s.Rename("dev-2", "dev-4")
		_, all := s.ApproveAll([]ListedApproval{{Line: 1, Name: "edge-2", Identity: identity("three")}})
		for what, err := range map[string]error{
			"approve": approve, "reject": reject, "forget": forget,
			"pin":         s.Pin(auth.Device{Name: "dev-3", Identity: identity("three")}),
			"port":        s.SetPort(gateway.PortAssignment{Device: "dev-2", Port: 20001}),
			"save":        s.Save(Saved{Kind: SavedUser, Name: "fleet"}),
			"rename":      rename,
			"approve all": all,
		} {
			if !errors.Is(err, full) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if ports, _ := s.Ports(); len(s.Pending()) != 1 || len(s.Named("dev-2")) != 1 || len(s.Devices()) != 1 || len(ports) != 0 || len(s.Saved()) != 0 {
			t.Errorf("memory has changed: %+v %+v %+v %+v", s.Pending(), s.Devices(), ports, s.Saved())
		}

		time.Sleep(2 * flushInterval)
		synctest.Wait()
		if len(d.reported) != 1 || !errors.Is(d.reported[0], full) {
			t.Errorf("reported, once a streak: %v", d.reported)
		}
		call(t, s, "one", "192.0.2.1", "")
		d.fail(nil)
		time.Sleep(2 * flushInterval)
		synctest.Wait()
		if d.count(pendingTable) != 1 || s.Pending()[0].Calls != 2 {
			t.Errorf("%d records, %+v", d.count(pendingTable), s.Pending())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
