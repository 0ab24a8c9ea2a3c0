package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// secureDir makes sure that dir exists and that only its owner can enter it.
// A directory that others can enter is not tightened unless it is empty: a
// state_dir that points at /var/lib by mistake must not lock everyone out of it.
func secureDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the state directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("checking the state directory: %w", err)
	}
	if err := checkOwner(dir, info); err != nil {
		return err
	}
	if !openToOthers(info) {
		return nil
	}
	if info.Mode()&os.ModeSticky == 0 && isEmpty(dir) {
		return os.Chmod(dir, 0o700)
	}
	return fmt.Errorf("others can enter the state directory %s (mode %04o): run chmod 700 on it, or choose another state_dir",
		dir, info.Mode().Perm())
}

func isEmpty(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	return len(names) == 0 && !errors.Is(err, fs.ErrPermission)
}
