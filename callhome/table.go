package callhome

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// table holds the live links: at most one a device. What the rest of the
// program knows of who holds a device it knows from here, so that several
// gateways can share the table later.
type table struct {
	mu    sync.Mutex // guards links and epoch
	links map[string]*Link
	epoch uint64
}

func newTable() *table { return &table{links: make(map[string]*Link)} }

// holder returns the live link of a device, or nil.
func (t *table) holder(name string) *Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.links[name]
}

// all returns the live links.
func (t *table) all() []*Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.links))
}

// claim makes l the link of its device and gives it its epoch. It fails when
// another link than the one to take over from holds the device.
func (t *table) claim(l, over *Link) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if current := t.links[l.name]; current != nil && current != over {
		return false
	}
	t.epoch++
	l.epoch = t.epoch
	t.links[l.name] = l
	return true
}

// release removes l, unless another link has taken over since.
func (t *table) release(l *Link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.links[l.name] == l {
		delete(t.links, l.name)
	}
}

// inUse decides about a call of a device that may have a link already. A dead
// link is returned, to be taken over from once the call has logged in; until
// then it stays, so that a neighbour behind the NAT cannot end it.
func (s *Server) inUse(ctx context.Context, name string) (dead *Link, r *rejection) {
	current := s.links.holder(name)
	if current == nil {
		return nil, nil
	}
	if current.Probe(ctx) {
		return nil, reject(RejectedInUse, "%s is connected already, since %s from %s, and that connection is alive",
			name, current.since.Format("2006-01-02 15:04:05"), current.remote)
	}
	return current, nil
}
