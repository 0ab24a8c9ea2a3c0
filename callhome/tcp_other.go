//go:build !linux

package callhome

import (
	"errors"
	"syscall"
	"time"
)

// tcpState is not known on this system: liveness is judged by replies.
func (c *callConn) tcpState() (tcpState, error) {
	return tcpState{}, errors.ErrUnsupported
}

// setUserTimeout reports that this system has no such setting.
func (c *callConn) setUserTimeout(time.Duration) bool { return false }

// isOutOfResources reports whether Accept may succeed again later.
func isOutOfResources(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED)
}
