//go:build unix

package daemon

import "syscall"

// maxFiles returns how many files this process may have open, or 0.
func maxFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur)
}
