package auth

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// penaltyBurst failed logins are free, and then one every penaltyInterval.
	penaltyBurst    = 10
	penaltyInterval = 5 * time.Second
	// penaltySources bounds the memory that addresses can take.
	penaltySources = 4096
)

// penalties slow down those who guess. Each source has a debt of time, which
// every attempt raises and every success lowers again; who owes too much is
// refused before any password is hashed.
type penalties struct {
	mu   sync.Mutex // guards the following
	debt map[netip.Prefix]time.Time
}

// take charges one attempt to the source and reports whether it may be made.
// It is charged before its result is known, or many at once would be free.
func (p *penalties) take(source netip.Addr) bool {
	key, now := Network(source), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.debt[key]
	if due.Before(now) {
		due = now
	}
	if due.Sub(now) > (penaltyBurst-1)*penaltyInterval {
		return false
	}
	p.makeRoomLocked(now)
	p.debt[key] = due.Add(penaltyInterval)
	return true
}

// refund takes one attempt back: it succeeded, or was never decided.
func (p *penalties) refund(source netip.Addr) {
	key := Network(source)
	p.mu.Lock()
	defer p.mu.Unlock()
	if due, ok := p.debt[key]; ok {
		p.debt[key] = due.Add(-penaltyInterval)
	}
}

// makeRoomLocked forgets the sources that owe nothing, and any one when that
// is not enough.
func (p *penalties) makeRoomLocked(now time.Time) {
	if p.debt == nil {
		p.debt = make(map[netip.Prefix]time.Time)
	}
	if len(p.debt) < penaltySources {
		return
	}
	for key, due := range p.debt {
		if !due.After(now) {
			delete(p.debt, key)
		}
	}
	for key := range p.debt {
		if len(p.debt) < penaltySources {
			return
		}
		delete(p.debt, key)
	}
}
