package gateway

import "sync"

// ledger counts the rpcs that a device still has to answer on one session, so
// that what the gateway answers itself comes after the replies to what was
// sent before (RFC 6241 section 4.1: replies are in order).
type ledger struct {
	mu   sync.Mutex // guards the following
	open int
	idle chan struct{} // closed when open becomes 0; nil while nobody waits
}

// sent counts an rpc that is about to be sent.
func (l *ledger) sent() {
	l.mu.Lock()
	l.open++
	l.mu.Unlock()
}

// answered counts a reply that went to the manager whole. A device that sends
// more replies than it was asked for gains nothing by it.
func (l *ledger) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open > 0 {
		l.open--
	}
	if l.open == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// settled returns a channel that is closed once nothing is outstanding.
func (l *ledger) settled() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	if l.open == 0 {
		close(l.idle)
		l.idle = nil
	}
	return idle
}
