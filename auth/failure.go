package auth

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// maxFailures bounds the table: a fleet of ten thousand devices whose first
// user entry is wrong still fits. Beyond it the oldest entry makes room.
const maxFailures = 20_000

// Failure is a user entry that a device refused.
type Failure struct {
	Identity Identity
	// User is the user entry's name.
	User  string
	Since time.Time
	// Expires is the zero time when the failure does not expire.
	Expires time.Time
}

// Failures remembers which user entries a device refused, so that they are not
// tried on it again. It is kept by identity: one bad device behind a NAT never
// spoils its neighbours. Its methods may be called concurrently.
type Failures struct {
	mu    sync.Mutex    // guards the following
	ttl   time.Duration // zero: for as long as the process lives
	marks map[failureKey]time.Time
}

type failureKey struct {
	identity Identity
	user     string
}

// NewFailures returns an empty table whose entries expire after ttl; a ttl of
// zero keeps them.
func NewFailures(ttl time.Duration) *Failures {
	return &Failures{ttl: ttl, marks: make(map[failureKey]time.Time)}
}

// Mark notes that the device with this identity refused the user entry.
func (f *Failures) Mark(id Identity, user string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := failureKey{id, user}
	if _, known := f.marks[key]; !known && len(f.marks) >= maxFailures {
		f.evictLocked(now)
	}
	f.marks[key] = now
}

// Failed reports whether the user entry is marked for this identity.
func (f *Failures) Failed(id Identity, user string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, marked := f.marks[failureKey{id, user}]
	return marked && !f.expiredLocked(since, now)
}

// Keep has all entries expire after another ttl.
func (f *Failures) Keep(ttl time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ttl = ttl
}

// Clear forgets the marks for which match is true, and returns how many had not
// expired.
func (f *Failures) Clear(now time.Time, match func(Failure) bool) int {
	cleared := 0
	for _, failure := range f.List(now) {
		if match(failure) {
			f.mu.Lock()
			delete(f.marks, failureKey{failure.Identity, failure.User})
			f.mu.Unlock()
			cleared++
		}
	}
	return cleared
}

// List returns the marks that have not expired, ordered by identity and user.
func (f *Failures) List(now time.Time) []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Failure, 0, len(f.marks))
	for key, since := range f.marks {
		if f.expiredLocked(since, now) {
			delete(f.marks, key)
			continue
		}
		failure := Failure{Identity: key.identity, User: key.user, Since: since}
		if f.ttl > 0 {
			failure.Expires = since.Add(f.ttl)
		}
		list = append(list, failure)
	}
	slices.SortFunc(list, func(a, b Failure) int {
		if c := strings.Compare(a.Identity.Fingerprint, b.Identity.Fingerprint); c != 0 {
			return c
		}
		return strings.Compare(a.User, b.User)
	})
	return list
}

func (f *Failures) expiredLocked(since, now time.Time) bool {
	return f.ttl > 0 && now.Sub(since) >= f.ttl
}

// evictLocked drops what has expired, and the oldest mark when nothing has.
func (f *Failures) evictLocked(now time.Time) {
	var oldest failureKey
	var oldestTime time.Time
	for key, since := range f.marks {
		if f.expiredLocked(since, now) {
			delete(f.marks, key)
			continue
		}
		if oldestTime.IsZero() || since.Before(oldestTime) {
			oldest, oldestTime = key, since
		}
	}
	if len(f.marks) >= maxFailures {
		delete(f.marks, oldest)
	}
}
