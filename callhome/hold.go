package callhome

import (
	"context"
	"io"
	"time"
)

// maxHeldBytes is how much a held device may still send before it is closed.
const maxHeldBytes = 64 << 10

// hold keeps a rejected call open and idle for the reject delay, because
// libnetconf2 and others redial at once when they are closed at once. It
// returns early when the device goes away, and does nothing when as many as
// allowed are held already.
func (s *Server) hold(ctx context.Context, c *callConn) {
	if s.opts.RejectDelay <= 0 {
		return
	}
	select {
	case s.held <- struct{}{}:
		defer func() { <-s.held }()
	default:
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
	defer stop()
	if c.Conn.SetDeadline(time.Now().Add(s.opts.RejectDelay)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, maxHeldBytes))
	}
}

// holds reports whether a call that ended for this reason is held. A device
// that needs another user is not: it is wanted back at once. Nor is what spoke
// no SSH or TLS, or nothing at all: it is no device, or it has given up. One
// whose certificate was revoked, or whose network may not call, is closed at once.
func (r Reason) holds() bool {
	switch r {
	case Accepted, RejectedNetwork, RejectedWrongUser, RejectedRevoked, FailedPreamble, TimedOut:
		return false
	}
	return true
}
