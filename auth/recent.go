package auth

import (
	"sync"
	"time"
)

// recentSample is how many entries are looked at to find one to forget.
const recentSample = 8

// recent remembers for a while what has happened, up to a number of entries.
// Its methods may be called concurrently and take constant time.
type recent[K comparable] struct {
	ttl   time.Duration
	limit int

	mu    sync.Mutex // guards until
	until map[K]time.Time
}

func newRecent[K comparable](ttl time.Duration, limit int) *recent[K] {
	return &recent[K]{ttl: ttl, limit: limit, until: make(map[K]time.Time)}
}

// note remembers that it has happened, or has happened again.
func (r *recent[K]) note(what K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.until[what]; !known && len(r.until) >= r.limit {
		r.forgetLocked()
	}
	r.until[what] = time.Now().Add(r.ttl)
}

// has reports whether it has happened within that time.
func (r *recent[K]) has(what K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.until[what])
}

// forgetLocked drops the oldest of some entries: the order in which a map is
// gone through begins anywhere.
func (r *recent[K]) forgetLocked() {
	var oldest K
	var first time.Time
	seen := 0
	for what, until := range r.until {
		if seen == 0 || until.Before(first) {
			oldest, first = what, until
		}
		if seen++; seen == recentSample {
			break
		}
	}
	delete(r.until, oldest)
}
