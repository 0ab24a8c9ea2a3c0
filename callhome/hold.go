package callhome

import (
	"context"
	"time"
)

// maxHeldBytes is how much a held device may still send before it is closed.
const maxHeldBytes = 64 << 10

// hold keeps a rejected call open and idle for the reject delay, because
// libnetconf2 and others redial at once when they are closed at once. It
// returns early when the device goes away, or when the place is needed for
// another call, and does nothing when the source has its share of them.
func (c *call) hold(ctx context.Context) {
	s, conn := c.server, c.conn.Conn
	delay := s.rules.Load().opts.RejectDelay
	if delay <= 0 {
		return
	}
	end := func() { _ = conn.Close() }
	c.arrival.Evict = end
	place := s.held.Enter(c.arrival)
	if place == nil {
		return
	}
	defer place.Leave()
	stop := context.AfterFunc(ctx, end)
	defer stop()
	if conn.SetDeadline(time.Now().Add(delay)) != nil {
		return
	}
	var ignored [512]byte
	for had := 0; had < maxHeldBytes; {
		n, err := conn.Read(ignored[:])
		if err != nil {
			return
		}
		had += n
	}
}

// holds reports whether the call, which ended for this reason, is held. None
// is whose source comes with nothing good, nor one that kept us waiting.
func (c *call) holds(reason Reason) bool {
	return reason.holds() && !c.arrival.Penalised && !c.evicted
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
