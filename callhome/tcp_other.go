//go:build !linux

package callhome

import "errors"

// tcpState is not known on this system: liveness is judged by replies.
func (c *callConn) tcpState() (tcpState, error) {
	return tcpState{}, errors.ErrUnsupported
}
