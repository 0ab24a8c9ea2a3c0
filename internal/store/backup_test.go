package store

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/gateway"
)

// beside are the files of a state directory that has more than the state.
var beside = map[string]string{
	"ssh_host_ed25519_key":                 "the host key",
	"tls_server.pem":                       "the certificate",
	"certmagic/acme/acct/key.pem":          "an account",
	"certmagic/certificates/ca/gw/gw.json": "{}",
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func backedUp(t *testing.T, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// somethingIn makes a state directory with one of everything.
func somethingIn(t *testing.T) (dir string, s *Store) {
	t.Helper()
	dir = stateDir(t)
	s = mustOpen(t, dir)
	mustPin(t, s, "edge-1", "one")
	mustSetPort(t, s, gateway.PortAssignment{Device: "edge-1", Port: 20001})
	mustSave(t, s, Saved{Kind: SavedUser, Name: "fleet", Text: "text"})
	call(t, s, "two", "192.0.2.1", "")
	writeFiles(t, dir, beside)
	return dir, s
}

// checkSomething fails if not all of somethingIn is in dir.
func checkSomething(t *testing.T, dir string) {
	t.Helper()
	for name, want := range beside {
		path := filepath.Join(dir, name)
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	s := mustOpen(t, dir)
	defer s.Close()
	if len(s.Named("edge-1")) != 1 || len(s.Pending()) != 1 || !slices.Equal(assigned(t, s), []string{"edge-1"}) || !slices.Equal(names(s), []string{"user/fleet"}) {
		t.Errorf("devices %+v, pending %+v, ports %q, saved %q", s.Devices(), s.Pending(), assigned(t, s), names(s))
	}
}

func TestABackupHasAllThatARestartNeeds(t *testing.T) {
	dir, s := somethingIn(t)
	writeFiles(t, dir, map[string]string{"control.sock": "", "state.db.v1": "", "before-restore-1/state.db": "", "other": ""})
	data := backedUp(t, s)
	mustPin(t, s, "edge-2", "after it")
	if err := CheckBackup(bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		head, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, head.Name)
	}
	want := []string{"manifest.json", "state.db", "certmagic/acme/acct/key.pem", "certmagic/certificates/ca/gw/gw.json", "ssh_host_ed25519_key", "tls_server.pem"}
	if !slices.Equal(got, want) {
		t.Errorf("in it are %q, want %q", got, want)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "backup-*")); len(left) != 0 || err != nil {
		t.Errorf("left behind: %q %v", left, err)
	}
	other := stateDir(t)
	if aside, err := Restore(other, bytes.NewReader(data)); err != nil || aside != "" {
		t.Fatal(aside, err)
	}
	checkSomething(t, other)
}

func TestABackupWithoutAGateway(t *testing.T) {
	dir, s := somethingIn(t)
	if err := BackupDir(dir, io.Discard); !errors.Is(err, errInUse) {
		t.Errorf("while a gateway runs: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := BackupDir(dir, &data); err != nil {
		t.Fatal(err)
	}
	other := stateDir(t)
	if _, err := Restore(other, &data); err != nil {
		t.Fatal(err)
	}
	checkSomething(t, other)
	if err := BackupDir(t.TempDir(), io.Discard); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty directory: %v", err)
	}
}

// A client that does not read must not keep operators and devices waiting: the
// file could not grow as long as it is being read.
func TestABackupThatNobodyReadsHoldsNothingUp(t *testing.T) {
	_, s := somethingIn(t)
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- s.Backup(w) }()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("#", maxSavedText)
	for i := range 100 { // far more than the file has
		mustSave(t, s, Saved{Kind: SavedSession, Name: "edge-" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Text: text})
	}
	r.CloseWithError(io.ErrClosedPipe)
	if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestRestorePutsWhatWasThereAside(t *testing.T) {
	_, s := somethingIn(t)
	data := backedUp(t, s)
	dir := stateDir(t)
	old := mustOpen(t, dir)
	mustPin(t, old, "other", "other")
	writeFiles(t, dir, map[string]string{"ssh_host_ecdsa_key": "old", "tls_server.pem": "old", "certmagic/old": "old", "mine": "mine"})
	if _, err := Restore(dir, bytes.NewReader(data)); !errors.Is(err, errInUse) {
		t.Errorf("while a gateway runs: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	aside, err := Restore(dir, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	checkSomething(t, dir)
	if info, err := os.Stat(aside); err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(aside) != dir {
		t.Errorf("%s: %v %v", aside, info, err)
	}
	for name, want := range map[string]bool{"ssh_host_ecdsa_key": false, "certmagic/old": false, "mine": true, "control.sock": false} {
		if exists(filepath.Join(dir, name)) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
	for _, name := range []string{"ssh_host_ecdsa_key", "tls_server.pem", "certmagic/old"} {
		if got, err := os.ReadFile(filepath.Join(aside, name)); err != nil || string(got) != "old" {
			t.Errorf("what was there of %s: %q %v", name, got, err)
		}
	}
	before := mustOpen(t, aside)
	if len(before.Named("other")) != 1 {
		t.Errorf("what was there: %+v", before.Devices())
	}
	if again, err := Restore(dir, bytes.NewReader(data)); err != nil || again == aside || again == "" {
		t.Errorf("once more, aside to %q: %v", again, err)
	}
}

// forge makes a backup of what is given; nil leaves out what has that name.
func forge(t *testing.T, alter func(*manifest, map[string]*tar.Header, map[string][]byte)) []byte {
	t.Helper()
	_, s := somethingIn(t)
	m, heads, contents := manifest{}, map[string]*tar.Header{}, map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(backedUp(t, s)))
	for head, err := r.Next(); err != io.EOF; head, err = r.Next() {
		if err != nil {
			t.Fatal(err)
		}
		heads[head.Name] = head
		if contents[head.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := json.Unmarshal(contents[manifestName], &m); err != nil {
		t.Fatal(err)
	}
	alter(&m, heads, contents)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	heads[manifestName].Size, contents[manifestName] = int64(len(text)), text
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range slices.Concat([]archived{{Name: manifestName}}, m.Files) {
		head := heads[f.Name]
		if head == nil {
			continue
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if head.Typeflag == tar.TypeReg {
			if _, err := w.Write(contents[f.Name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if extra := heads["extra"]; extra != nil {
		if err := w.WriteHeader(extra); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// adding puts one more file into a forged backup.
func adding(name, text string, alter func(*tar.Header)) func(*manifest, map[string]*tar.Header, map[string][]byte) {
	return func(m *manifest, heads map[string]*tar.Header, contents map[string][]byte) {
		sum := sha256.Sum256([]byte(text))
		m.Files = append(m.Files, archived{Name: name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
		heads[name] = &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o600}
		contents[name] = []byte(text)
		if alter != nil {
			alter(heads[name])
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	type (
		heads    = map[string]*tar.Header
		contents = map[string][]byte
	)
	good := forge(t, func(*manifest, heads, contents) {})
	flipped := bytes.Clone(good)
	flipped[bytes.Index(flipped, []byte("the host key"))] ^= 1
	newState := func(t *testing.T, value string) []byte {
		path := filepath.Join(t.TempDir(), "x")
		d, err := openBolt(path, false)
		if err != nil {
			t.Fatal(err)
		}
		data, err := []byte(nil), errors.Join(d.apply([]change{{metaTable, versionKey, []byte(value)}}), d.close())
		if err == nil {
			data, err = os.ReadFile(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	state := func(data []byte) func(*manifest, heads, contents) {
		return func(m *manifest, h heads, c contents) {
			sum := sha256.Sum256(data)
			m.Files[0] = archived{Name: fileName, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
			h[fileName].Size, c[fileName] = int64(len(data)), data
		}
	}
	for name, test := range map[string]struct {
		backup []byte
		want   string
	}{
		"nothing":          {nil, "no backup"},
		"something else":   {[]byte(strings.Repeat("x", 5000)), "no backup"},
		"another tar file": {forge(t, func(_ *manifest, h heads, _ contents) { h[manifestName].Name = "README" }), "no backup"},
		"a newer one":      {forge(t, func(m *manifest, _ heads, _ contents) { m.V = 2 }), "of a newer callhome-gateway (backup version 2, known is 1)"},
		"a newer state":    {forge(t, state(newState(t, `{"v":9}`))), "newer callhome-gateway (state version 9, known is 1)"},
		"one cut off":      {good[:len(good)-8000], "damaged"},
		"one without end":  {good[:len(good)-1024-512], "damaged"},
		"a flipped bit":    {flipped, "ssh_host_ed25519_key: its checksum is wrong"},
		"a missing file":   {forge(t, func(_ *manifest, h heads, _ contents) { delete(h, "tls_server.pem") }), "tls_server.pem: it is missing"},
		"one file more": {forge(t, func(_ *manifest, h heads, _ contents) {
			h["extra"] = &tar.Header{Typeflag: tar.TypeReg, Name: "tls_server.pem"}
		}), "goes on after its last file"},
		"no state":          {forge(t, func(m *manifest, _ heads, _ contents) { m.Files = m.Files[1:] }), "no state.db"},
		"the same twice":    {forge(t, func(m *manifest, _ heads, _ contents) { m.Files = append(m.Files, m.Files[0]) }), "no place"},
		"a way up":          {forge(t, adding("../evil", "x", nil)), "no place"},
		"a way up below":    {forge(t, adding("certmagic/../../evil", "x", nil)), "no place"},
		"an absolute path":  {forge(t, adding("/evil", "x", nil)), "no place"},
		"a backslash":       {forge(t, adding(`certmagic/..\..\evil`, "x", nil)), "no place"},
		"another file":      {forge(t, adding("control.sock", "x", nil)), "no place"},
		"a step of its own": {forge(t, adding("restore-1-x/state.db", "x", nil)), "no place"},
		"a symbolic link": {forge(t, adding("certmagic/link", "", func(h *tar.Header) {
			h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc"
		})), "in its place"},
		"a hard link": {forge(t, adding("certmagic/link", "", func(h *tar.Header) {
			h.Typeflag, h.Linkname = tar.TypeLink, "state.db"
		})), "in its place"},
		"a device": {forge(t, adding("certmagic/dev", "", func(h *tar.Header) { h.Typeflag = tar.TypeChar })), "in its place"},
		"a file in the place of a directory": {forge(t, func(m *manifest, h heads, c contents) {
			adding("certmagic/a", "x", nil)(m, h, c)
			adding("certmagic/a/b", "x", nil)(m, h, c)
		}), "damaged"},
		"too many files": {forge(t, func(m *manifest, h heads, c contents) {
			m.Files = append(m.Files, make([]archived, maxArchived)...)
		}), "may have 1024"},
		"a file that is too large": {forge(t, adding("certmagic/large", strings.Repeat("x", maxArchivedOne+1), nil)), "may have 262144"},
		"a state that is none":     {forge(t, state([]byte(strings.Repeat("x", 20000)))), "damaged"},
		"half a state":             {forge(t, state(newState(t, `{"v":1}`)[:9000])), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stateDir(t)
			s := mustOpen(t, dir)
			mustPin(t, s, "mine", "mine")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(dir, bytes.NewReader(test.backup)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 {
				t.Errorf("left behind: %v %v", entries, err)
			}
			if s := mustOpen(t, dir); len(s.Named("mine")) != 1 {
				t.Errorf("what was there is gone: %+v", s.Devices())
			}
		})
	}
}

// However far a restore has come when the power fails, what is there afterwards
// is all of the old or all of the new.
func TestARestoreThatIsBrokenOffIsFinished(t *testing.T) {
	_, s := somethingIn(t)
	data := backedUp(t, s)
	const stamp = "20260102T030405Z"
	prepare := func(t *testing.T) string {
		dir := stateDir(t)
		old := mustOpen(t, dir)
		mustPin(t, old, "mine", "mine")
		writeFiles(t, dir, map[string]string{"ssh_host_ecdsa_key": "old", "tls_server.pem": "old", "certmagic/old": "old"})
		if err := errors.Join(old.Close(), os.Mkdir(filepath.Join(dir, unpacking), 0o700)); err != nil {
			t.Fatal(err)
		}
		d, err := unpack(filepath.Join(dir, unpacking), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	// rename moves one thing as the steps do.
	rename := func(t *testing.T, dir, from, to string) {
		t.Helper()
		path := filepath.Join(dir, to)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Rename(filepath.Join(dir, from), path)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("before it is whole", func(t *testing.T) {
		dir := prepare(t)
		if s := mustOpen(t, dir); len(s.Named("mine")) != 1 {
			t.Errorf("%+v", s.Devices())
		}
	})
	oldTop := []string{"certmagic", "ssh_host_ecdsa_key", "state.db", "tls_server.pem"}
	newTop := []string{"certmagic", "ssh_host_ed25519_key", "state.db", "tls_server.pem"}
	for done := range len(oldTop) + len(newTop) + 2 {
		t.Run("after "+string(rune('0'+done))+" moves", func(t *testing.T) {
			dir := prepare(t)
			rename(t, dir, unpacking, puttingBack+stamp)
			for _, name := range oldTop[:min(done, len(oldTop))] {
				rename(t, dir, name, asidePrefix+stamp+"/"+name)
			}
			if done > len(oldTop) {
				rename(t, dir, puttingBack+stamp, puttingIn+stamp)
				for _, name := range newTop[:done-len(oldTop)-1] {
					rename(t, dir, puttingIn+stamp+"/"+name, name)
				}
			}
			if err := BackupDir(dir, io.Discard); err == nil || !strings.Contains(err.Error(), "broken off") {
				t.Errorf("a backup of it: %v", err)
			}
			if err := mustOpen(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			checkSomething(t, dir)
			if exists(filepath.Join(dir, "ssh_host_ecdsa_key")) || exists(filepath.Join(dir, puttingBack+stamp)) || exists(filepath.Join(dir, puttingIn+stamp)) {
				t.Error("something of the old or of the restore is left")
			}
			if s := mustOpen(t, filepath.Join(dir, asidePrefix+stamp)); len(s.Named("mine")) != 1 {
				t.Errorf("what was there: %+v", s.Devices())
			}
		})
	}
}

func TestAStateThatIsCutOffIsDamaged(t *testing.T) {
	dir, s := somethingIn(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1; size < int(info.Size()); size += 1000 {
		if err := os.WriteFile(path, data[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, nil)
		if err == nil { // nothing was in what was cut off
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			checkSomething(t, dir)
		} else if !errors.Is(err, errDamaged) {
			t.Errorf("cut off after %d bytes: %v", size, err)
		}
	}
}

func TestAStateThatWasOverwrittenIsDamaged(t *testing.T) {
	dir, s := somethingIn(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good := fileOf(t, dir)
	page, damaged := os.Getpagesize(), 0
	for at := 2 * page; at < len(good); at += page {
		for _, fill := range []byte{0, 0x55, 0xff} {
			bad := bytes.Clone(good)
			copy(bad[at:], bytes.Repeat([]byte{fill}, page))
			other := stateDir(t)
			if err := errors.Join(os.Mkdir(other, 0o700), os.WriteFile(filepath.Join(other, fileName), bad, 0o600)); err != nil {
				t.Fatal(err)
			}
			s, err := Open(other, nil)
			if err == nil { // nothing was there that counts
				s.Close()
				checkDevices(t, other)
			} else if damaged++; !errors.Is(err, errDamaged) {
				t.Errorf("page %d full of %x: %v", at/page, fill, err)
			}
		}
	}
	if damaged == 0 {
		t.Error("nothing was damaged")
	}
}

func checkDevices(t *testing.T, dir string) {
	t.Helper()
	s := mustOpen(t, dir)
	defer s.Close()
	if len(s.Named("edge-1")) != 1 {
		t.Errorf("a device is lost, and nobody was told")
	}
}
