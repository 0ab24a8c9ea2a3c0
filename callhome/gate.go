package callhome

import (
	"container/list"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"callhome-gateway/auth"
)

const (
	// maxQueued is how long a call may wait for its turns. A device has given
	// up on an older one (libnetconf2 after 10 s of silence), and serving it
	// would waste the key exchange of one that still waits.
	maxQueued = 8 * time.Second
	// minQueued is for what came in late: a device that was slow to speak.
	minQueued = time.Second
	// maxFirstTurns are what an honest handshake needs, more than twice over.
	// One that asks for more goes on in the second class.
	maxFirstTurns = 8
	// secondClass is the part of the turns that is for the second class even
	// where the first waits.
	secondClass = 8
	// retryPlaces is when handshakes that found no place are tried again: by
	// then others may keep the gateway waiting for too long.
	retryPlaces = 50 * time.Millisecond
)

var errQueuedTooLong = errors.New("too many handshakes are in progress")

// gate bounds handshakes in two ways. Their number, since each takes memory:
// when there are enough, one whose device keeps us waiting makes room (see
// auth.Places). And the processors: a handshake computes when it has a turn,
// and has none while it waits for its device, so that slow and silent devices
// cost no turns, and ten thousand that call at once queue instead of all being
// slow.
//
// Turns go round among the sources, first to handshakes that have begun: they
// end the sooner. Those of known sources begin before others. Penalised sources are second class: they get a turn when no
// other wants one, and one in eight in any case.
type gate struct {
	handshakes *auth.Places

	// mu guards the following, and the tickets while they wait. auth.Places'
	// lock comes inside it.
	mu       sync.Mutex
	idle     int // turns that nobody has
	granted  uint64
	begun    *lanes
	known    *lanes // they are starting too
	starting *lanes
	second   *lanes
	retrying bool
}

func newGate(handshakes, perSource int) *gate {
	return &gate{
		handshakes: auth.NewSharedPlaces(handshakes, perSource),
		idle:       runtime.GOMAXPROCS(0),
		begun:      newLanes(),
		known:      newLanes(),
		starting:   newLanes(),
		second:     newLanes(),
	}
}

// ticket is one handshake at the gate. Only the goroutine that carries it on
// uses it, one after the other.
type ticket struct {
	gate    *gate
	arrival auth.Arrival
	// patience is how much longer it may wait, in all.
	patience time.Duration
	// ready has the turn that was granted.
	ready chan struct{}
	// has says that it has a turn, and turns is how many it has had. Both are
	// the gate's while it waits.
	has   bool
	turns int
	// greets says that the first turn is for a greeting only, before the device
	// has said anything: there is no need of a place for that.
	greets bool
	// place is nil until it has begun.
	place *auth.Place

	// Where it waits; nil when it does not.
	queue *lanes
	lane  *lane
	at    *list.Element
}

// ticket is for a call that was accepted at called.
func (g *gate) ticket(arrival auth.Arrival, called time.Time) *ticket {
	return &ticket{gate: g, arrival: arrival, patience: maxQueued - time.Since(called), ready: make(chan struct{}, 1)}
}

func (t *ticket) laneKey() laneKey {
	if t.arrival.Exempt {
		return laneKey{t.arrival.Source, t}
	}
	return laneKey{source: t.arrival.Source}
}

// take waits for a turn. It fails with errQueuedTooLong when the handshake has
// waited for too long in all, or with the cause of ctx.
func (t *ticket) take(ctx context.Context) error {
	if t.grantedAtOnce() {
		return nil
	}
	begin := time.Now()
	defer func() { t.patience -= time.Since(begin) }()
	ctx, cancel := context.WithTimeoutCause(ctx, max(t.patience, minQueued), errQueuedTooLong)
	defer cancel()
	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
	}
	if t.withdraw() {
		return context.Cause(ctx)
	}
	<-t.ready // at the last moment
	return nil
}

func (t *ticket) grantedAtOnce() bool {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queueLocked(t).push(t)
	g.grantLocked()
	if t.has {
		<-t.ready
	}
	return t.has
}

// withdraw takes the ticket out of its queue, unless it has its turn already.
func (t *ticket) withdraw() bool {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	if t.has {
		return false
	}
	t.queue.remove(t)
	return true
}

func (g *gate) queueLocked(t *ticket) *lanes {
	switch {
	case t.arrival.Penalised, t.turns >= maxFirstTurns:
		return g.second
	case t.place != nil:
		return g.begun
	case t.arrival.Known:
		return g.known
	}
	return g.starting
}

// grantLocked gives out the turns that nobody has.
func (g *gate) grantLocked() {
	for g.idle > 0 {
		t := g.nextLocked()
		if t == nil {
			break
		}
		g.idle--
		g.granted++
		t.turns++
		t.has = true
		t.ready <- struct{}{}
	}
	if g.idle > 0 && !g.retrying && !(g.known.empty() && g.starting.empty() && g.second.empty()) {
		g.retrying = true
		time.AfterFunc(retryPlaces, g.retry)
	}
}

func (g *gate) nextLocked() *ticket {
	classes := [...]*lanes{g.begun, g.known, g.starting, g.second}
	if g.granted%secondClass == secondClass-1 {
		classes = [...]*lanes{g.second, g.begun, g.known, g.starting}
	}
	for _, class := range classes {
		if t := class.next(g.mayBeginLocked); t != nil {
			return t
		}
	}
	return nil
}

// mayBeginLocked finds a place for a handshake that has none.
func (g *gate) mayBeginLocked(t *ticket) bool {
	if t.greets && t.turns == 0 {
		return true
	}
	if t.place == nil {
		if t.place = g.handshakes.Enter(t.arrival); t.place != nil {
			t.place.Waiting(false)
		}
	}
	return t.place != nil
}

func (g *gate) retry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retrying = false
	g.grantLocked()
}

// pause gives the turn back, because the device must say something now.
func (t *ticket) pause() {
	if t.place != nil {
		t.place.Waiting(true)
	}
	t.giveBack()
}

// resume is take for a handshake that was paused.
func (t *ticket) resume(ctx context.Context) error {
	if t.place != nil {
		t.place.Waiting(false)
	}
	return t.take(ctx)
}

// leave gives back all that the ticket has. It may be called again.
func (t *ticket) leave() {
	if t.place != nil {
		t.place.Leave()
	}
	t.giveBack()
}

// evicted reports whether the handshake had to go for another. It may be asked
// of no ticket at all.
func (t *ticket) evicted() bool { return t != nil && t.place != nil && t.place.Evicted() }

func (t *ticket) giveBack() {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.has {
		t.has = false
		g.idle++
	}
	g.grantLocked()
}
