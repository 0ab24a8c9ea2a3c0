package gateway

import (
	"net/netip"
	"sync"
)

// admission bounds the connections that have not logged in yet. One source
// may have half of the places: it must not shut out all others.
type admission struct {
	limit int

	mu       sync.Mutex // guards the following
	total    int
	bySource map[netip.Addr]int
}

func newAdmission(limit int) *admission {
	return &admission{limit: limit, bySource: make(map[netip.Addr]int)}
}

// enter takes a place and reports whether there was one.
func (a *admission) enter(source netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= a.limit || a.bySource[source] >= max(1, a.limit/2) {
		return false
	}
	a.total++
	a.bySource[source]++
	return true
}

func (a *admission) leave(source netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.bySource[source]--; a.bySource[source] == 0 {
		delete(a.bySource, source)
	}
}
