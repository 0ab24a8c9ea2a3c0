package callhome

import (
	"net/netip"
	"sync"
)

// callShare is the part of all calls that one source may have.
const callShare = 4

// callCounter bounds the calls in progress, in all and from each source, so
// that one source that only opens connections does not shut out the others.
type callCounter struct {
	limit int

	mu      sync.Mutex // guards the following
	all     int
	sources map[netip.Prefix]int
}

func newCallCounter(limit int) *callCounter {
	return &callCounter{limit: limit, sources: make(map[netip.Prefix]int)}
}

// enter counts a call, if there may be one more.
func (c *callCounter) enter(source netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.limit || c.sources[source] >= max(1, c.limit/callShare) {
		return false
	}
	c.all++
	c.sources[source]++
	return true
}

// leave counts the end of a call that entered.
func (c *callCounter) leave(source netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.sources[source]--; c.sources[source] == 0 {
		delete(c.sources, source)
	}
}

func (c *callCounter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// network returns what counts as one source: an IPv4 address, or the /64 that
// a subscriber of IPv6 has.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address, in tests over a pipe
	}
	return prefix
}
