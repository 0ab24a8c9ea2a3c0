package auth

import "time"

// recent remembers for a while what has happened, up to a number of entries, of
// which old ones go first. Its methods may be called concurrently and take
// constant time.
type recent[K comparable] struct {
	ttl time.Duration
	// left is for how long each is still remembered.
	left *Debts[K]
}

func newRecent[K comparable](ttl time.Duration, limit int) *recent[K] {
	return &recent[K]{ttl: ttl, left: NewDebts[K](limit)}
}

// note remembers that it has happened, or has happened again.
func (r *recent[K]) note(what K) { r.left.Charge(what, r.ttl, r.ttl) }

// has reports whether it has happened within that time.
func (r *recent[K]) has(what K) bool { return r.left.Owed(what) > 0 }
