package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// A restore unpacks beside what is there. Once the directory of what was
// unpacked is named after the first step, all steps are done whatever happens: if
// need be by who opens the state next. Everything is within the state
// directory: that may be a mount point, and what is above it somebody else's.
const (
	unpacking   = "restore-0"       // not whole yet
	puttingBack = "restore-1-"      // what was there goes aside; a time follows
	puttingIn   = "restore-2-"      // what was unpacked takes its place
	asidePrefix = "before-restore-" // and the same time
	stampFormat = "20060102T150405Z"
)

// Restore puts a backup in the place of what dir holds, and makes dir if need
// be. It returns where it has put what was there; empty if nothing was. It fails,
// with nothing changed, if the backup is damaged or of a newer version, if a
// gateway runs there, or if another user owns dir.
func Restore(dir string, backup io.Reader) (aside string, err error) {
	if err := secureDir(dir); err != nil {
		return "", err
	}
	if err := finishRestore(dir); err != nil {
		return "", err
	}
	old, err := openBolt(filepath.Join(dir, fileName), true)
	if errors.Is(err, errInUse) {
		return "", err
	}
	if err == nil { // what cannot be opened is not in use
		defer old.close()
	}
	fresh := filepath.Join(dir, unpacking)
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700)); err != nil {
		return "", err
	}
	d, err := unpack(fresh, backup)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(fresh))
	}
	defer d.close() // until then no gateway starts on it
	return commitRestore(dir)
}

// unpack writes the backup into an empty directory, makes sure that it is whole
// and can be read, and returns the state file, open.
func unpack(dir string, backup io.Reader) (disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dirs := map[string]bool{".": true}
	err = readArchive(backup, func(f archived, r io.Reader) error {
		parent := path.Dir(f.Name)
		for d := parent; d != "."; d = path.Dir(d) {
			dirs[d] = true
		}
		if err := root.MkdirAll(parent, 0o700); err != nil {
			return err
		}
		return writeFile(root, f.Name, r)
	})
	if err != nil {
		return nil, err
	}
	for d := range dirs {
		if err := syncDir(filepath.Join(dir, filepath.FromSlash(d))); err != nil {
			return nil, err
		}
	}
	return openRestored(filepath.Join(dir, fileName))
}

func writeFile(root *os.Root, name string, r io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// openRestored opens a state file that a start must be able to read.
func openRestored(path string) (d disk, err error) {
	if d, err = openBolt(path, false); err != nil {
		return nil, err
	}
	v, err := storedVersion(d)
	switch {
	case err != nil:
	case v > version:
		err = newer(v, version)
	case v == version: // an older one is upgraded at the start
		err = d.load(newStore(d, nil).loadRecord)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the state in the backup: %w", err), d.close())
	}
	return d, nil
}

// commitRestore puts what was unpacked in its place, and returns where it has
// put what was there.
func commitRestore(dir string) (aside string, err error) {
	at := now()
	for exists(filepath.Join(dir, asidePrefix+at.Format(stampFormat))) {
		at = at.Add(time.Second)
	}
	stamp := at.Format(stampFormat)
	if err := os.Rename(filepath.Join(dir, unpacking), filepath.Join(dir, puttingBack+stamp)); err != nil {
		return "", err
	}
	if err := takeSteps(dir, puttingBack+stamp); err != nil {
		return "", fmt.Errorf("the restore is not finished, the next start or the next restore will: %w", err)
	}
	if aside = filepath.Join(dir, asidePrefix+stamp); !exists(aside) {
		return "", nil
	}
	return aside, nil
}

// finishRestore takes the steps that are left of one that was broken off.
func finishRestore(dir string) error {
	step, err := unfinishedRestore(dir)
	if err != nil || step == "" {
		return err
	}
	path := filepath.Join(dir, step, fileName)
	if !exists(path) {
		path = filepath.Join(dir, fileName)
	}
	d, err := openBolt(path, true)
	if err != nil {
		return fmt.Errorf("finishing a restore: %w", err)
	}
	defer d.close()
	if err := takeSteps(dir, step); err != nil {
		return fmt.Errorf("finishing a restore: %w", err)
	}
	return nil
}

// unfinishedRestore returns the name of the directory that a restore has left.
func unfinishedRestore(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), puttingBack) || strings.HasPrefix(e.Name(), puttingIn) {
			return e.Name(), nil
		}
	}
	return "", nil
}

// takeSteps does what is left, from the step that the directory is named after.
// Each can be taken again where it was broken off.
func takeSteps(dir, step string) error {
	if stamp, first := strings.CutPrefix(step, puttingBack); first {
		if err := moveKept(dir, filepath.Join(dir, asidePrefix+stamp)); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(dir, step), filepath.Join(dir, puttingIn+stamp)); err != nil {
			return err
		}
		step = puttingIn + stamp
	}
	if err := moveKept(filepath.Join(dir, step), dir); err != nil {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(dir, step)), syncDir(dir))
}

// moveKept moves what belongs to a backup from one directory to another, which
// is made if there is anything. It is on disk afterwards.
func moveKept(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keptTop(e.Name()) {
			continue
		}
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	if exists(to) {
		err = syncDir(to)
	}
	return errors.Join(err, syncDir(from))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
