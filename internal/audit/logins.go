package audit

import (
	"net/netip"
	"sync"
	"time"

	"callhome-gateway/gateway"
)

const (
	// loginBurst is how many refused logins have lines of their own at once, and
	// loginEvery how soon another may: who guesses passwords must not fill the disk.
	loginBurst = 1000
	loginEvery = time.Second
	// loginKinds is how many kinds of the others have a line each loginReport.
	loginKinds  = 64
	loginReport = time.Minute
)

// loginKind is what refused logins are told apart by where one line has to do for
// many.
type loginKind struct {
	source                  netip.Addr
	manager, device, reason string
}

// logins keeps count of refused logins, so that none is missing though not each
// has a line. The zero value is ready.
type logins struct {
	mu     sync.Mutex // guards the following
	spent  int        // of the burst
	since  time.Time  // when spent was last made less
	report time.Time  // when the kinds are due
	kinds  map[loginKind]*refusedLogins
	others refusedLogins // all that are of no kind that is kept
}

// note counts a refused login. It reports whether it has a line of its own.
func (n *logins) note(r gateway.LoginRecord) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.spent == 0 {
		n.since = r.Time
	}
	if again := int(r.Time.Sub(n.since) / loginEvery); again > 0 {
		n.spent = max(0, n.spent-again)
		n.since = n.since.Add(time.Duration(again) * loginEvery)
	}
	if n.spent < loginBurst {
		n.spent++
		return true
	}
	n.countLocked(r)
	return false
}

func (n *logins) countLocked(r gateway.LoginRecord) {
	if n.kinds == nil {
		n.kinds, n.report = make(map[loginKind]*refusedLogins), r.Time.Add(loginReport)
	}
	kind := loginKind{r.Source.Addr(), r.Manager, r.Device, r.Reason}
	switch known := n.kinds[kind]; {
	case known != nil:
		known.count++
	case len(n.kinds) < loginKinds:
		n.kinds[kind] = &refusedLogins{r, 1}
	default:
		n.others.Time = r.Time
		n.others.Reason = "several, of more than are told apart"
		n.others.count++
	}
}

// take returns the lines that are due.
func (n *logins) take(now time.Time) []any {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kinds == nil || now.Before(n.report) {
		return nil
	}
	return n.takeLocked()
}

func (n *logins) takeAll() []any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.takeLocked()
}

func (n *logins) takeLocked() (lines []any) {
	for _, known := range n.kinds {
		lines = append(lines, *known)
	}
	if n.others.count > 0 {
		lines = append(lines, n.others)
	}
	n.kinds, n.others = nil, refusedLogins{}
	return lines
}
