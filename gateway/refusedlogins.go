package gateway

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// refusalEvery is the least time between two lines about the same refusal.
	refusalEvery = time.Minute
	// maxRefusals is how many different refusals have lines in that time.
	maxRefusals = 64
)

// refusedLogin is what refused logins are told apart by in the log.
type refusedLogin struct {
	source   netip.Prefix
	who, why string
}

// refusedLogins keep the log of refused logins short: a line for the first of its
// kind and then one a minute that counts, and for kinds beyond those that are
// remembered a line for all. The zero value is empty.
type refusedLogins struct {
	mu     sync.Mutex // guards the following
	seen   map[refusedLogin]*tally
	others tally
}

// note counts a refusal. It returns whether it is to be logged, and how many
// like it were not; where it is not, how many of all kinds a line is due for,
// or 0.
func (r *refusedLogins) note(kind refusedLogin, now time.Time) (line bool, before, others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[kind] == nil && !r.addLocked(kind, now) {
		return false, 0, r.others.report(now)
	}
	n := r.seen[kind].report(now)
	return n > 0, max(0, n-1), 0
}

// addLocked remembers a new kind. It reports false when that would be one too
// many.
func (r *refusedLogins) addLocked(kind refusedLogin, now time.Time) bool {
	if len(r.seen) >= maxRefusals {
		for old, known := range r.seen {
			if n, due := known.take(now); due {
				r.others.add(n)
				delete(r.seen, old)
			}
		}
	}
	if len(r.seen) >= maxRefusals {
		return false
	}
	if r.seen == nil {
		r.seen = make(map[refusedLogin]*tally)
	}
	r.seen[kind] = &tally{every: refusalEvery}
	return true
}

// recordRefusal tells the Recorder of each login that was refused.
func (e *endpoint) recordRefusal(source netip.AddrPort, manager, device, reason string) {
	if e.g.opts().Recorder == nil {
		return
	}
	e.g.opts().Recorder.LoginRefused(LoginRecord{
		Time: time.Now(), Transport: e.transport, Source: source,
		Manager: bounded(manager), Device: bounded(device), Reason: reason,
	})
}

// logRefusedLogin notes that a manager was not let in. The values say who it
// says it is.
func (e *endpoint) logRefusedLogin(kind refusedLogin, source netip.Addr, values ...any) {
	line, before, others := e.g.refused.note(kind, time.Now())
	if others > 0 {
		e.g.opts().Log.Warn("more logins of managers are refused than the log tells one by one",
			"refused", others, "remote", source, "port", e.port)
	}
	if !line {
		return
	}
	values = append(values, "port", e.port, "remote", source, "reason", kind.why)
	if before > 0 {
		values = append(values, "repeated", before)
	}
	e.g.opts().Log.Warn("a manager's login was refused", values...)
}
