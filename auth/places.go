package auth

import (
	"net/netip"
	"sync"
)

const (
	// placesShare is the part of all places that one source may have.
	placesShare = 4
	// minPlaces is what a source may have at least.
	minPlaces = 4
)

// Places bounds what is in progress for strangers, in all and for each source,
// so that one source does not shut out all others. Its methods may be called
// concurrently.
type Places struct {
	limit, share int

	mu       sync.Mutex // guards the following
	total    int
	bySource map[netip.Prefix]int
}

// NewPlaces returns a number of free places. One source may have a quarter of
// them, and 4 at least.
func NewPlaces(limit int) *Places {
	return &Places{limit: limit, share: max(minPlaces, limit/placesShare), bySource: make(map[netip.Prefix]int)}
}

// Enter takes a place for the source and reports whether there was one.
func (p *Places) Enter(source netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total >= p.limit || p.bySource[source] >= p.share {
		return false
	}
	p.total++
	p.bySource[source]++
	return true
}

// Leave gives a place back that Enter has taken.
func (p *Places) Leave(source netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.bySource[source]--; p.bySource[source] == 0 {
		delete(p.bySource, source)
	}
}

// Taken returns how many places are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// Network is what an address counts as where sources are bounded: one host has
// a whole /64 of IPv6.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address at all: they share one
	}
	return prefix
}
