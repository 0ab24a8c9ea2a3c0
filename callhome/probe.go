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

// acknowledges sends something and waits until the device's TCP shows life.
func (l *Link) acknowledges() bool {
	before, err := l.call.tcpState()
	if err != nil || l.liveness.byReply {
		return l.answers()
	}
	// Sent from a goroutine of its own: where the device's window is full the
	// write blocks, and that is no sign of death.
	if !l.spawn(func() { l.poke() }) {
		return false
	}
	deadline := time.NewTimer(probeTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.ending:
			return false
		case <-tick.C:
			now, err := l.call.tcpState()
			if err != nil || !now.established {
				return false // a reset or an end of the stream is a segment too
			}
			if now.segmentsIn != before.segmentsIn {
				return true
			}
		case <-deadline.C:
			now, err := l.call.tcpState()
			return err == nil && now.windowClosed()
		}
	}
}

// answers is the probe where what TCP acknowledges is not known or says nothing
// about the device: it must answer a global request. One that still owes an
// answer is at work, unless it is silent for too long.
func (l *Link) answers() bool {
	busy, before := l.pinging.Load(), l.call.lastRead.Load()
	if !l.spawn(l.ping) {
		return false
	}
	deadline := time.NewTimer(probeTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.ending:
			return false
		case <-deadline.C:
			return busy && l.call.silence() < l.liveness.deadAfter
		case <-tick.C:
			if l.call.lastRead.Load() != before {
				return true
			}
		}
	}
}

// tcpState is what the kernel knows of a connection's other end.
type tcpState struct {
	established bool
	segmentsIn  uint32
	window      uint32 // what the device would take, in bytes
	probesOut   uint8  // window probes that it has not answered
	unsent      bool
	// waiting says that something was sent, or is to be, that the device has
	// not acknowledged; silence is the time since it last acknowledged or sent.
	waiting bool
	silence time.Duration
}

// windowClosed tells a device that takes no data at present but answers when it
// is asked, one question perhaps being on its way: the kernel asks ever more
// rarely, so that a time without a segment proves nothing.
func (t tcpState) windowClosed() bool { return t.unsent && t.window == 0 && t.probesOut <= 1 }
