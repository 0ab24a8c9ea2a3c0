package callhome

import (
	"maps"
	"sync"
	"time"

	"callhome-gateway/auth"
)

const (
	// brokenWait is how long a link waits for x/crypto to end the connection;
	// brokenGrace is how much longer that may take before it counts as hanging.
	brokenWait  = time.Second
	brokenGrace = 5 * time.Second
	// maxBroken is how many connections of one device may have been left behind.
	maxBroken = 3
	// maxBrokenDevices bounds the devices of which that is remembered.
	maxBrokenDevices = 4096
)

// brokenConns counts the connections that x/crypto/ssh (v0.58.0) did not end.
// When a peer breaks the protocol with more than 16 packets behind the offence,
// the goroutine that reads packets waits for ever for somebody to take them,
// and whoever closes the connection waits for that goroutine. The socket is
// ours and is closed; about 60 KiB and three goroutines are lost each time.
type brokenConns struct {
	mu     sync.Mutex // guards counts
	counts map[auth.Identity]int
}

func newBrokenConns() *brokenConns { return &brokenConns{counts: make(map[auth.Identity]int)} }

// note counts one more and returns how many there are of the device.
func (b *brokenConns) note(id auth.Identity) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.counts[id]; known || len(b.counts) < maxBrokenDevices {
		b.counts[id]++
	}
	return b.counts[id]
}

func (s *Server) noteBroken(l *Link) {
	s.log.Error("a device broke the SSH protocol in a way that costs memory until the gateway restarts",
		"device", l.name, "identity", l.identity.Fingerprint, "times", s.broken.note(l.identity), "at_most", maxBroken)
}

// clear forgets the devices of whom match is true, and returns how many.
func (b *brokenConns) clear(match func(auth.Identity) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	had := len(b.counts)
	maps.DeleteFunc(b.counts, func(id auth.Identity, _ int) bool { return match(id) })
	return had - len(b.counts)
}

// tooMany reports whether the device is to be left alone. When more devices
// did it than are remembered, that is every one of which nothing is known.
func (b *brokenConns) tooMany(id auth.Identity) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, known := b.counts[id]
	return n >= maxBroken || !known && len(b.counts) >= maxBrokenDevices
}
