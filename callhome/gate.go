package callhome

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// maxQueued is how long a call may wait for its handshake. A device has given
// up on an older one (libnetconf2 after 10 s of silence), and serving it would
// waste the key exchange of one that still waits.
const maxQueued = 8 * time.Second

var errQueuedTooLong = errors.New("too many handshakes are in progress")

// gate bounds the key exchanges in progress, in all and for each source, so
// that ten thousand devices which call at once queue instead of all being slow.
type gate struct {
	slots     chan struct{}
	perSource int

	mu      sync.Mutex // guards sources
	sources map[netip.Prefix]*sourceSlots
}

// sourceSlots are the slots of one source. It is in the map while used > 0,
// where waiting calls count as well.
type sourceSlots struct {
	slots chan struct{}
	used  int
}

func newGate(total, perSource int) *gate {
	return &gate{
		slots:     make(chan struct{}, total),
		perSource: perSource,
		sources:   make(map[netip.Prefix]*sourceSlots),
	}
}

// enter waits for a slot until the call that came in at called is too old, and
// for a second at least. The source's own slots come first: the calls of one
// busy source wait among themselves, not in front of everybody else's. The
// returned function gives the slot back; calling it again does nothing.
func (g *gate) enter(ctx context.Context, source netip.Prefix, called time.Time) (leave func(), err error) {
	wait := max(time.Until(called.Add(maxQueued)), time.Second)
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errQueuedTooLong)
	defer cancel()
	own := g.join(source)
	if err := acquire(ctx, own.slots); err != nil {
		g.part(source)
		return nil, err
	}
	if err := acquire(ctx, g.slots); err != nil {
		<-own.slots
		g.part(source)
		return nil, err
	}
	return sync.OnceFunc(func() {
		<-g.slots
		<-own.slots
		g.part(source)
	}), nil
}

func acquire(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *gate) join(source netip.Prefix) *sourceSlots {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.sources[source]
	if own == nil {
		own = &sourceSlots{slots: make(chan struct{}, g.perSource)}
		g.sources[source] = own
	}
	own.used++
	return own
}

func (g *gate) part(source netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if own := g.sources[source]; own != nil {
		if own.used--; own.used == 0 {
			delete(g.sources, source)
		}
	}
}
