package auth

import "time"

// Recent remembers for a while what has happened, up to a number of entries, of
// which old ones go first. The zero value must not be used; all methods may be
// called concurrently and take constant time.
type Recent[K comparable] struct {
	ttl time.Duration
	// left is for how long each is still remembered.
	left *Debts[K]
}

// NewRecent returns one that remembers each entry for the ttl.
func NewRecent[K comparable](ttl time.Duration, limit int) *Recent[K] {
	return &Recent[K]{ttl: ttl, left: NewDebts[K](limit)}
}

// Note remembers that it has happened, or has happened again.
func (r *Recent[K]) Note(what K) { r.left.Charge(what, r.ttl, r.ttl) }

// Has reports whether it has happened within the ttl.
func (r *Recent[K]) Has(what K) bool { return r.left.Owed(what) > 0 }
