package store

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Backup writes all that the state directory holds and a restart needs, as it
// is at one moment, while the store is in use. There are private keys in it. A
// writer that is slow keeps nobody waiting.
func (s *Store) Backup(w io.Writer) error {
	if err := s.flush(); err != nil {
		return err
	}
	return backUp(s.dir, s.disk, w)
}

// BackupDir is Backup for a state directory that no gateway uses: it fails if
// one does.
func BackupDir(dir string, w io.Writer) error {
	if unfinished, err := unfinishedRestore(dir); err != nil || unfinished != "" {
		return cmp.Or(err, fmt.Errorf("a restore into %s was broken off: the next start finishes it, or the next restore", dir))
	}
	d, err := openBolt(filepath.Join(dir, fileName), true)
	if err != nil {
		return err
	}
	defer d.close()
	return backUp(dir, d, w)
}

// CheckBackup reads a backup to its end and returns what is wrong with it.
func CheckBackup(r io.Reader) error {
	return readArchive(r, func(archived, io.Reader) error { return nil })
}

func backUp(dir string, d disk, w io.Writer) error {
	contents, err := gather(dir, d)
	defer contents.close()
	if err != nil {
		return fmt.Errorf("backing up %s: %w", dir, err)
	}
	if err := contents.writeTo(w); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

// contents are what goes into one backup.
type contents struct {
	manifest manifest
	state    *os.File // a copy of the state file
	files    [][]byte // all others
}

// gather takes what is there at this moment. The state file is copied first: as
// long as it is being read, the disk cannot let it grow.
func gather(dir string, d disk) (*contents, error) {
	c := &contents{manifest: manifest{V: archiveVersion, Created: now()}}
	var err error
	if c.state, err = os.CreateTemp(dir, "backup-*"); err != nil {
		return c, err
	}
	_ = os.Remove(c.state.Name()) // where a file in use can be removed
	sum, size := sha256.New(), counter(0)
	if err := d.copyTo(io.MultiWriter(c.state, sum, &size)); err != nil {
		return c, err
	}
	c.manifest.Files = []archived{{Name: fileName, Size: int64(size), SHA256: hex.EncodeToString(sum.Sum(nil))}}
	if err := fs.WalkDir(os.DirFS(dir), ".", c.visit(dir)); err != nil {
		return c, err
	}
	return c, c.manifest.check()
}

type counter int64

func (n *counter) Write(p []byte) (int, error) {
	*n += counter(len(p))
	return len(p), nil
}

// visit adds a file that is kept. One that goes away meanwhile was not.
func (c *contents) visit(dir string) fs.WalkDirFunc {
	return func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir() && name != "." && !isKept(name+"/x"):
			return fs.SkipDir
		case entry.IsDir(), name == fileName, !isKept(name) && !keptTop(name), len(c.files) > maxArchived:
			return nil
		}
		return c.add(dir, name)
	}
}

func (c *contents) add(dir, name string) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxArchivedOne+1))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	c.manifest.Files = append(c.manifest.Files, archived{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	c.files = append(c.files, data)
	return nil
}

func (c *contents) writeTo(w io.Writer) error {
	text, err := json.MarshalIndent(c.manifest, "", "  ")
	if err != nil {
		return err
	}
	if _, err := c.state.Seek(0, io.SeekStart); err != nil {
		return err
	}
	readers := []io.Reader{bytes.NewReader(text), c.state}
	for _, data := range c.files {
		readers = append(readers, bytes.NewReader(data))
	}
	t := tar.NewWriter(w)
	for i, f := range slices.Concat([]archived{{Name: manifestName, Size: int64(len(text))}}, c.manifest.Files) {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: f.Size, Mode: 0o600, ModTime: c.manifest.Created}
		if err := t.WriteHeader(head); err != nil {
			return err
		}
		if _, err := io.Copy(t, readers[i]); err != nil {
			return err
		}
	}
	return t.Close()
}

func (c *contents) close() {
	if c.state != nil {
		_ = c.state.Close()
		_ = os.Remove(c.state.Name())
	}
}
