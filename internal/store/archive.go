package store

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// A backup is a tar file: the manifest, and then what that lists, in the same
// order. Nothing in it is believed that the manifest does not say.
const (
	archiveVersion = 1
	manifestName   = "manifest.json"

	maxManifest    = 1 << 20
	maxArchived    = 1024      // files
	maxArchivedOne = 256 << 10 // bytes of one, but for the state file
	maxArchivedDB  = 4 << 30
)

// kept are the names in the state directory that a restart needs, beside the
// state file: the rest is made anew.
var kept = []string{fileName, "ssh_host_*_key", "tls_server.pem", "certmagic"}

type manifest struct {
	V       int        `json:"v"`
	Created time.Time  `json:"created"`
	Files   []archived `json:"files"`
}

// archived is one file of a backup.
type archived struct {
	Name   string `json:"name"` // below the state directory, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// check bounds what a backup may hold.
func (m manifest) check() error {
	if len(m.Files) > maxArchived {
		return fmt.Errorf("it has %d files, and may have %d", len(m.Files), maxArchived)
	}
	state, seen := false, map[string]bool{}
	for _, f := range m.Files {
		if !isKept(f.Name) || seen[f.Name] {
			return fmt.Errorf("there is no place for %.80q in the state directory", f.Name)
		}
		most := int64(maxArchivedOne)
		if f.Name == fileName {
			state, most = true, maxArchivedDB
		}
		if f.Size < 0 || f.Size > most {
			return fmt.Errorf("%q has %d bytes, and may have %d", f.Name, f.Size, most)
		}
		seen[f.Name] = true
	}
	if !state {
		return fmt.Errorf("it has no %s", fileName)
	}
	return nil
}

// isKept reports whether a file of that name belongs to a backup.
func isKept(name string) bool {
	top, rest, below := strings.Cut(name, "/")
	return fs.ValidPath(name) && !strings.ContainsAny(name, "\\:\x00") && keptTop(top) && below == (top == "certmagic") && (rest != "") == below
}

// keptTop reports whether something of that name in the state directory belongs
// to a backup.
func keptTop(name string) bool {
	for _, pattern := range kept {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// errNoBackup says that a file is something else.
var errNoBackup = errors.New("this is no backup of callhome-gateway")

// readArchive has take read each file of a backup, and fails if anything is not
// as its manifest says; what was taken until then must be thrown away. take need
// not read to the end.
func readArchive(r io.Reader, take func(archived, io.Reader) error) error {
	t := tar.NewReader(r)
	m, err := readManifest(t)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := readArchived(t, f, take); err != nil {
			return fmt.Errorf("the backup is damaged: %s: %w", f.Name, err)
		}
	}
	if _, err := t.Next(); err != io.EOF {
		return fmt.Errorf("the backup is damaged: it goes on after its last file (%w)", err)
	}
	return nil
}

func readManifest(t *tar.Reader) (m manifest, err error) {
	head, err := t.Next()
	if err != nil || head.Name != manifestName || head.Typeflag != tar.TypeReg || head.Size > maxManifest {
		return m, errNoBackup
	}
	text, err := io.ReadAll(t)
	if err != nil {
		return m, fmt.Errorf("the backup is damaged: its manifest: %w", err)
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil || h.V < 1 {
		return m, errNoBackup
	}
	if h.V > archiveVersion {
		return m, fmt.Errorf("the backup is of a newer callhome-gateway (backup version %d, known is %d): restore it with that one", h.V, archiveVersion)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("the backup is damaged: its manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("the backup is damaged: %w", err)
	}
	return m, nil
}

func readArchived(t *tar.Reader, f archived, take func(archived, io.Reader) error) error {
	head, err := t.Next()
	if err == io.EOF {
		return errors.New("it is missing")
	}
	if err != nil {
		return err
	}
	if head.Name != f.Name || head.Typeflag != tar.TypeReg || head.Size != f.Size {
		return fmt.Errorf("%.80q is in its place, of type %q, with %d bytes", head.Name, head.Typeflag, head.Size)
	}
	sum := sha256.New()
	content := io.TeeReader(t, sum)
	if err := take(f, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return errors.New("its checksum is wrong")
	}
	return nil
}
