package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// firstVersion is what the first gateways have written: there was no version of
// the whole, and nothing was saved.
var firstVersion = []change{
	{deviceTable, "SHA256:Sy2Fz/cCJoV5/GSbuLZk1hLT9ePP/+XY41q9l1WpKF8", []byte(`{"v":1,"name":"edge-1","type":"ssh-ed25519","fingerprint":"SHA256:Sy2Fz/cCJoV5/GSbuLZk1hLT9ePP/+XY41q9l1WpKF8","user":"fleet","first_use":true,"since":"2026-01-02T03:04:05Z"}`)},
	{pendingTable, "SHA256:00:11", []byte(`{"v":1,"type":"x509","fingerprint":"SHA256:00:11","address":"192.0.2.1","name":"edge-2","description":"\"CN=x\"","first":"2026-01-02T03:04:05Z","last":"2026-01-03T03:04:05Z","calls":7}`)},
	{portTable, "20001", []byte(`{"v":1,"device":"edge-1","port":20001,"since":"2026-01-02T03:04:05Z"}`)},
	{portTable, "20002", []byte(`{"v":1,"device":"edge-3","port":20002,"forgotten":true,"since":"2026-01-02T03:04:05Z"}`)},
	{seenTable, "edge-1", []byte(`{"v":1,"name":"edge-1","last":"2026-01-02T03:04:05Z","voucher":"SHA256:22:33","outcome":{"time":"2026-01-02T03:04:05Z","reason":"accepted","remote":"192.0.2.1:1234","type":"ssh-ed25519","fingerprint":"SHA256:Sy2Fz/cCJoV5/GSbuLZk1hLT9ePP/+XY41q9l1WpKF8","user":"fleet","detail":"x"}}`)},
}

// asOfTheFirst makes a state directory that one of the first gateways has left,
// with records besides, so that there is more than a page of them.
func asOfTheFirst(t *testing.T, besides int) (dir string) {
	t.Helper()
	dir = stateDir(t)
	changes := slices.Clone(firstVersion)
	for i := range besides {
		changes = append(changes, change{portTable, fmt.Sprint(30000 + i), fmt.Appendf(nil, `{"v":1,"device":"x","port":%d,"since":"2026-01-02T03:04:05Z"}`, 30000+i)})
	}
	withDisk(t, dir, func(d disk) {
		if err := d.apply(changes); err != nil {
			t.Fatal(err)
		}
	})
	return dir
}

func withDisk(t *testing.T, dir string, do func(disk)) {
	t.Helper()
	if err := secureDir(dir); err != nil {
		t.Fatal(err)
	}
	d, err := openBolt(filepath.Join(dir, fileName), false)
	if err != nil {
		t.Fatal(err)
	}
	do(d)
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
}

func checkFirst(t *testing.T, s *Store) {
	t.Helper()
	if d := s.Named("edge-1"); len(d) != 1 || !d[0].FirstUse || d[0].User != "fleet" || d[0].Identity.Type != "ssh-ed25519" || d[0].Since.Year() != 2026 {
		t.Errorf("devices: %+v", s.Devices())
	}
	if p := s.Pending(); len(p) != 1 || p[0].Calls != 7 || p[0].Name != "edge-2" || p[0].Identity.Type != auth.TypeCertificate {
		t.Errorf("pending: %+v", p)
	}
	if got := assigned(t, s); len(got) < 2 || got[0] != "edge-1" || got[1] != "edge-3 forgotten" {
		t.Errorf("ports: %q", got)
	}
	if seen, ok := s.Seen("edge-1"); !ok || seen.Outcome.Reason != callhome.Accepted || s.Voucher("edge-1").Type != auth.TypeCertificateKey {
		t.Errorf("seen: %+v, named by %+v", seen, s.Voucher("edge-1"))
	}
}

func TestWhatTheFirstGatewaysHaveWrittenIsRead(t *testing.T) {
	dir := asOfTheFirst(t, 0)
	checkFirst(t, mustOpen(t, dir))
	if exists(filepath.Join(dir, "state.db.v1")) {
		t.Error("it was upgraded to its own version")
	}
}

func TestTheVersionIsThatOfTheMigrations(t *testing.T) {
	if version != 1+len(migrations) {
		t.Errorf("version %d with %d migrations", version, len(migrations))
	}
	dir := stateDir(t)
	mustOpen(t, dir).Close()
	withDisk(t, dir, func(d disk) {
		if v, err := storedVersion(d); v != version || err != nil {
			t.Errorf("a new one says %d, %v", v, err)
		}
	})
}

// renaming and dropping are migrations: to version 2, and to 3.
func renaming(records map[recordKey][]byte) error {
	for at, value := range records {
		if at.table == portTable {
			records[at] = bytes.ReplaceAll(value, []byte(`"device":"edge-1"`), []byte(`"device":"lyon-1"`))
		}
	}
	return nil
}

func dropping(records map[recordKey][]byte) error {
	at := recordKey{portTable, "20001"}
	if !bytes.Contains(records[at], []byte("lyon-1")) {
		return errors.New("the one before it has not run")
	}
	records[recordKey{portTable, "20009"}] = bytes.ReplaceAll(records[at], []byte("20001"), []byte("20009"))
	delete(records, at)
	return nil
}

func ports(t *testing.T, d disk) (list []string) {
	t.Helper()
	s := newStore(d, nil)
	if err := d.load(s.loadRecord); err != nil {
		t.Fatal(err)
	}
	all, err := s.Ports()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all[:2] {
		list = append(list, fmt.Sprint(a.Port, " ", a.Device))
	}
	slices.Sort(list)
	return list
}

func TestAnOlderStateIsUpgradedInItsOrder(t *testing.T) {
	dir := asOfTheFirst(t, 0)
	withDisk(t, dir, func(d disk) {
		if err := upgrade(d, dir, []migration{renaming, dropping}); err != nil {
			t.Fatal(err)
		}
		if v, err := storedVersion(d); v != 3 || err != nil {
			t.Errorf("version %d, %v", v, err)
		}
		if got, want := ports(t, d), []string{"20002 edge-3", "20009 lyon-1"}; !slices.Equal(got, want) {
			t.Errorf("ports %q, want %q", got, want)
		}
		if err := upgrade(d, dir, []migration{renaming, dropping}); err != nil {
			t.Errorf("once more: %v", err)
		}
	})
	_, err := Open(dir, nil)
	if err == nil || !strings.Contains(err.Error(), "written by a newer callhome-gateway (state version 3, known is 1)") || !strings.Contains(err.Error(), "state.db.v1") {
		t.Errorf("an older gateway: %v", err)
	}
	path := filepath.Join(dir, "state.db")
	if err := os.Rename(path+".v1", path); err != nil {
		t.Fatal(err)
	}
	checkFirst(t, mustOpen(t, dir))
}

func TestAnUpgradeThatFailsChangesNothing(t *testing.T) {
	dir := asOfTheFirst(t, 0)
	withDisk(t, dir, func(d disk) {
		err := upgrade(d, dir, []migration{renaming, func(map[recordKey][]byte) error { return errors.New("broken") }})
		if err == nil || !strings.Contains(err.Error(), "upgrading the state from version 1 to 3: broken") {
			t.Errorf("error: %v", err)
		}
	})
	checkFirst(t, mustOpen(t, dir))
	full := asOfTheFirst(t, 0)
	if err := os.Mkdir(filepath.Join(full, "state.db.v1.new"), 0o700); err != nil { // so that no copy can be made
		t.Fatal(err)
	}
	withDisk(t, full, func(d disk) {
		if err := upgrade(d, full, []migration{renaming}); err == nil || !strings.Contains(err.Error(), "keeping the state of version 1") {
			t.Errorf("without a copy: %v", err)
		}
	})
	checkFirst(t, mustOpen(t, full))
}

// Whatever part of an upgrade is on the disk when the power fails, the state is
// all of the old version or all of the new.
func TestThePowerFailsInAnUpgrade(t *testing.T) {
	dir := asOfTheFirst(t, 500)
	before := fileOf(t, dir)
	all := func(records map[recordKey][]byte) error {
		for at, value := range records {
			records[at] = bytes.ReplaceAll(value, []byte(`"device":"x"`), []byte(`"device":"another"`))
		}
		return renaming(records)
	}
	withDisk(t, dir, func(d disk) {
		if err := upgrade(d, dir, []migration{all}); err != nil {
			t.Fatal(err)
		}
	})
	old, upgraded := 0, 0
	for i, image := range images(t, before, fileOf(t, dir)) {
		cut := stateDir(t)
		if err := errors.Join(os.Mkdir(cut, 0o700), os.WriteFile(filepath.Join(cut, fileName), image, 0o600)); err != nil {
			t.Fatal(err)
		}
		withDisk(t, cut, func(d disk) {
			v, err := storedVersion(d)
			want := map[int]string{1: "20001 edge-1", 2: "20001 lyon-1"}[v]
			if got := ports(t, d); err != nil || got[0] != want {
				t.Errorf("image %d: version %d with %q, %v", i, v, got, err)
			}
			if v == 1 {
				old++
			} else {
				upgraded++
			}
			if err := upgrade(d, cut, []migration{all}); err != nil {
				t.Errorf("image %d: the next start: %v", i, err)
			}
			if got := ports(t, d); got[0] != "20001 lyon-1" {
				t.Errorf("image %d: after the next start %q", i, got)
			}
		})
	}
	if old < 10 || upgraded < 1 {
		t.Errorf("%d images are of the old version, %d of the new: nothing was tried", old, upgraded)
	}
}

func fileOf(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// images returns what the file may be while it is changed: bbolt syncs all pages
// before it writes the one that makes them count, of which a disk may write a
// part.
func images(t *testing.T, before, after []byte) (list [][]byte) {
	t.Helper()
	const sector = 512
	page := os.Getpagesize()
	image := bytes.Clone(before)
	if len(after) > len(image) {
		image = append(image, make([]byte, len(after)-len(image))...)
	}
	write := func(from, size int) {
		to := min(from+size, len(after))
		if !bytes.Equal(image[from:to], after[from:to]) {
			copy(image[from:to], after[from:to])
			list = append(list, bytes.Clone(image))
		}
	}
	for at := 2 * page; at < len(after); at += page {
		write(at, page)
	}
	for at := 0; at < 2*page; at += sector {
		write(at, 40) // a part of what has a checksum
		write(at, sector)
	}
	return list
}
