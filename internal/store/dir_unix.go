//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func openToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// checkOwner refuses a directory of somebody else: its owner could replace
// what is in it, approvals and host keys included.
func checkOwner(dir string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("the state directory %s belongs to uid %d, not to uid %d that this runs as: run it as the owner, or choose another state_dir",
		dir, st.Uid, os.Geteuid())
}

// syncDir has the names in the directory survive a crash.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
