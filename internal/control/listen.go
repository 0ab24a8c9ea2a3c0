package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const dialTimeout = 2 * time.Second

// Listen listens on a unix socket that only its owner may use, in a directory
// that only its owner may enter. A socket that an ended process left behind is
// replaced; one that answers is not.
func Listen(path string) (net.Listener, error) {
	if err := checkDirectory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf("the path of the control socket is too long (%d characters, about 100 are possible): choose a shorter state_dir than %s",
			len(path), filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("listening on the control socket: %w", err)
	}
	// Until here only the directory's mode has kept others out, and it has.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protecting the control socket: %w", err), l.Close())
	}
	return l, nil
}

func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the directory of the control socket: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others can enter %s (mode %04o), where the control socket goes: run chmod 700 on it", dir, info.Mode().Perm())
	}
	return nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the control socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the place of the control socket: move it away", path)
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another callhome-gateway answers on %s: stop it, or give this one another state_dir", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("finding out whether the control socket is in use: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the control socket of an ended process: %w", err)
	}
	return nil
}
