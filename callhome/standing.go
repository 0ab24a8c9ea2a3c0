package callhome

import (
	"net/netip"
	"sync"
	"time"

	"callhome-gateway/auth"
)

const (
	// badCall is what a call that came to nothing adds to the debt of its
	// source, and a device that gets in takes from it. It is less than the time
	// between two calls of a device that is held back, so that a single one
	// which never gets in makes no debtor of its network.
	badCall = 4 * time.Second
	// maxDebt bounds what a source owes, and penalised is from where on it is
	// second class: three bad calls in quick succession.
	maxDebt   = 2 * time.Minute
	penalised = 10 * time.Second
	// firstPins are the new devices of one source that are trusted on first use,
	// and then one more each pinInterval.
	firstPins   = 1024
	pinInterval = time.Minute
	// knownFor is how long a source is known behind its last device: one that
	// reboots in the middle of a flood comes back.
	knownFor = 24 * time.Hour
	// maxDebtors bounds the memory that strangers can take.
	maxDebtors = 16_384
)

// standings tell from which sources nothing good comes. All that follows for
// those is that others go first, that they are not held before they are closed,
// and that the log counts them. A source with a device that is connected has a
// good name: one bad device behind a NAT does not spoil it. A source from which a
// device was connected lately is known, and goes before strangers: in a flood
// nothing else tells devices from those.
type standings struct {
	debts *auth.Debts[netip.Prefix]
	known *auth.Recent[netip.Prefix] // the sources that a device was connected from

	mu    sync.Mutex // guards links
	links map[netip.Prefix]int
}

func newStandings() *standings {
	return &standings{
		debts: auth.NewDebts[netip.Prefix](maxDebtors), known: auth.NewRecent[netip.Prefix](knownFor, maxDebtors),
		links: make(map[netip.Prefix]int),
	}
}

func (s *standings) penalised(source netip.Prefix) bool {
	return s.debts.Owed(source) > penalised && !s.connected(source)
}

// knows reports whether a device is or was connected from there lately.
func (s *standings) knows(source netip.Prefix) bool {
	return s.connected(source) || s.known.Has(source)
}

func (s *standings) connected(source netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[source] > 0
}

// blame notes a call that came to nothing.
func (s *standings) blame(source netip.Prefix) { s.debts.Charge(source, badCall, maxDebt) }

// attached notes that a device of the source is connected, until detached.
func (s *standings) attached(source netip.Prefix) {
	s.debts.Pay(source, badCall)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[source]++
}

func (s *standings) detached(source netip.Prefix) {
	s.known.Note(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[source]--; s.links[source] == 0 {
		delete(s.links, source)
	}
}

// arrivalOf is what a call from the address counts as.
func (s *Server) arrivalOf(remote netip.Addr) auth.Arrival {
	sources := &s.rules.Load().opts.Sources
	a := auth.Arrival{Source: sources.Of(remote), Exempt: sources.Exempts(remote)}
	a.Penalised = !a.Exempt && s.standings.penalised(a.Source)
	a.Known = s.standings.knows(a.Source)
	return a
}

// blames reports whether a call that ended for this reason counts against its
// source: what is no device, or no device of ours. One that is known, and one
// that an operator will be asked about, does what it should.
func (c *call) blames(reason Reason) bool {
	switch reason {
	case FailedPreamble, FailedHandshake, TimedOut:
		return c.binding == nil
	case RejectedUntrusted, RejectedSelfSigned, RejectedWrongCA, RejectedWrongName, RejectedRevoked:
		return true
	}
	return c.evicted
}
