package daemon

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"callhome-gateway/auth"
)

// hookTurns lets few questions be asked at a time. Turns go round among the
// sources of the calls: strangers at one address hold up nobody elsewhere. Each
// call of an exempt source counts for itself.
type hookTurns struct {
	most    int
	sources auth.Sources

	mu   sync.Mutex // guards the following
	free int
	// waiting has the questions of each source that has any, in the order in
	// which they came, and next the sources.
	waiting map[netip.AddrPort][]*hookTurn
	next    []netip.AddrPort
}

// hookTurn is one question that waits; granted is closed when it may be asked.
type hookTurn struct{ granted chan struct{} }

func newHookTurns(most int, sources auth.Sources) *hookTurns {
	return &hookTurns{most: most, sources: sources, free: most, waiting: make(map[netip.AddrPort][]*hookTurn)}
}

func (h *hookTurns) sourceOf(remote netip.AddrPort) netip.AddrPort {
	if h.sources.Exempts(remote.Addr()) {
		return remote
	}
	return netip.AddrPortFrom(h.sources.Of(remote.Addr()).Addr(), 0)
}

// take waits for a turn, which must be given back with leave, or until ctx ends.
func (h *hookTurns) take(ctx context.Context, remote netip.AddrPort) error {
	source, t := h.sourceOf(remote), &hookTurn{granted: make(chan struct{})}
	h.mu.Lock()
	if h.free > 0 {
		h.free--
		h.mu.Unlock()
		return nil
	}
	if len(h.waiting[source]) == 0 {
		h.next = append(h.next, source)
	}
	h.waiting[source] = append(h.waiting[source], t)
	h.mu.Unlock()
	select {
	case <-t.granted:
		return nil
	case <-ctx.Done():
	}
	if !h.withdraw(source, t) {
		h.leave() // it was granted at the last moment
	}
	return ctx.Err()
}

// withdraw takes a question out that nobody waits for any more, unless it has
// its turn.
func (h *hookTurns) withdraw(source netip.AddrPort, t *hookTurn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.waiting[source], t)
	if i < 0 {
		return false
	}
	h.waiting[source] = slices.Delete(h.waiting[source], i, i+1)
	if len(h.waiting[source]) == 0 {
		delete(h.waiting, source)
		i = slices.Index(h.next, source)
		h.next = slices.Delete(h.next, i, i+1)
	}
	return true
}

func (h *hookTurns) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.next) == 0 {
		h.free++
		return
	}
	source := h.next[0]
	h.next = h.next[1:]
	own := h.waiting[source]
	close(own[0].granted)
	if own = own[1:]; len(own) == 0 {
		delete(h.waiting, source)
		return
	}
	h.waiting[source] = own
	h.next = append(h.next, source)
}
