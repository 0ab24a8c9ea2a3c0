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
	seen   map[refusedLogin]*repeats
	others tally
}

// repeats is what became of one kind of refusal since it was last logged.
type repeats struct {
	last time.Time
	n    int
}

// note counts a refusal. It returns whether it is to be logged, and how many
// like it were not; where it is not, how many of all kinds a line is due for,
// or 0.
func (r *refusedLogins) note(kind refusedLogin, now time.Time) (line bool, before, others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.seen[kind]
	switch {
	case known == nil && !r.addLocked(kind, now):
		return false, 0, r.others.report(now)
	case known == nil:
		return true, 0, 0
	case now.Sub(known.last) < refusalEvery:
		known.n++
		return false, 0, 0
	}
	before, known.last, known.n = known.n, now, 0
	return true, before, 0
}

// addLocked remembers a new kind. It reports false when that would be one too
// many.
func (r *refusedLogins) addLocked(kind refusedLogin, now time.Time) bool {
	if len(r.seen) >= maxRefusals {
		for old, known := range r.seen {
			if now.Sub(known.last) >= refusalEvery {
				r.others.add(known.n)
				delete(r.seen, old)
			}
		}
	}
	if len(r.seen) >= maxRefusals {
		return false
	}
	if r.seen == nil {
		r.seen = make(map[refusedLogin]*repeats)
	}
	r.seen[kind] = &repeats{last: now}
	return true
}

// logRefusedLogin notes that a manager was not let in. The values say who it
// says it is.
func (e *endpoint) logRefusedLogin(kind refusedLogin, source netip.Addr, values ...any) {
	line, before, others := e.g.refused.note(kind, time.Now())
	if others > 0 {
		e.g.opts.Log.Warn("more logins of managers are refused than the log tells one by one",
			"refused", others, "remote", source, "port", e.port)
	}
	if !line {
		return
	}
	values = append(values, "port", e.port, "remote", source, "reason", kind.why)
	if before > 0 {
		values = append(values, "repeated", before)
	}
	e.g.opts.Log.Warn("a manager's login was refused", values...)
}
