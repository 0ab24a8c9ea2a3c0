package callhome

import (
	"context"
	"time"
)

const (
	// probeTimeout is how long a link may leave our bytes unacknowledged
	// before a new call of its device may take over.
	probeTimeout  = 3 * time.Second
	probeInterval = 25 * time.Millisecond
)

// Probe reports whether the device is alive: whether its TCP acknowledges what
// we send within 3 s. A device that acknowledges is alive however busy it is.
// Probes of one link that overlap are one probe. When ctx ends first the link
// counts as alive.
func (l *Link) Probe(ctx context.Context) bool {
	l.mu.Lock()
	p := l.probing
	if p == nil {
		p = &probe{done: make(chan struct{})}
		if !l.spawnLocked(func() { l.probe(p) }) {
			l.mu.Unlock()
			return false
		}
		l.probing = p
	}
	l.mu.Unlock()
	select {
	case <-p.done:
		return p.alive
	case <-ctx.Done():
		return true
	}
}

// probe is one probe in progress; alive is valid when done is closed.
type probe struct {
	done  chan struct{}
	alive bool
}

func (l *Link) probe(p *probe) {
	p.alive = l.acknowledges()
	l.mu.Lock()
	l.probing = nil
	l.mu.Unlock()
	close(p.done)
}

// acknowledges provokes an acknowledgement and waits until the device's TCP shows life.
func (l *Link) acknowledges() bool {
	before, err := l.call.tcpState()
	if err != nil || l.liveness.byReply {
		return l.answers()
	}
	stop, ok := l.bearer.provoke()
	if !ok {
		return false
	}
	defer stop()
	now := before
	return l.watch(func() (alive, over bool) {
		now, err = l.call.tcpState()
		if err != nil || !now.established {
			return false, true // a reset or an end of the stream is a segment too
		}
		return true, now.segmentsIn != before.segmentsIn
	}, func() bool { return now.windowClosed() })
}

// answers is the probe where what TCP acknowledges is not known or says nothing
// about the device: it must answer. One that still owes an answer is at work,
// unless it is silent for too long; one that is not read from cannot show it.
func (l *Link) answers() bool {
	busy, before := l.bearer.owesAnswer(), l.call.lastRead.Load()
	if !l.spawn(l.bearer.ask) {
		return false
	}
	return l.watch(func() (alive, over bool) {
		return true, l.call.lastRead.Load() != before
	}, func() bool { return l.handling.Load() || busy && l.call.silence() < l.liveness.deadAfter })
}

// watch looks again and again until it is over, or the time for it is and late
// decides. A link that ends meanwhile is dead.
func (l *Link) watch(look func() (alive, over bool), late func() bool) bool {
	deadline := time.NewTimer(probeTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.ending:
			return false
		case <-deadline.C:
			return late()
		case <-tick.C:
			if alive, over := look(); over {
				return alive
			}
		}
	}
}
