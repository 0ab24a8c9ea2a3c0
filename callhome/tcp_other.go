//go:build !linux

package callhome

import (
	"errors"
	"time"
)

// tcpState is not known on this system: liveness is judged by replies.
func (c *callConn) tcpState() (tcpState, error) {
	return tcpState{}, errors.ErrUnsupported
}

func (c *callConn) setKeepAlive(time.Duration, int) {}

func (c *callConn) setKeepAliveIdle(time.Duration) {}
