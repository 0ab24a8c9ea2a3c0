package gateway

import (
	"net/netip"
	"sync"
)

// admission bounds the connections that have not logged in yet. One network
// may have a quarter of the places: it must not shut out all others.
type admission struct {
	limit, share int

	mu       sync.Mutex // guards the following
	total    int
	bySource map[netip.Prefix]int
}

// minShare is what a source may have at least: managers log in several at once.
const minShare = 4

func newAdmission(limit int) *admission {
	return &admission{limit: limit, share: max(minShare, limit/4), bySource: make(map[netip.Prefix]int)}
}

// enter takes a place and reports whether there was one.
func (a *admission) enter(source netip.Prefix) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= a.limit || a.bySource[source] >= a.share {
		return false
	}
	a.total++
	a.bySource[source]++
	return true
}

func (a *admission) leave(source netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.bySource[source]--; a.bySource[source] == 0 {
		delete(a.bySource, source)
	}
}
