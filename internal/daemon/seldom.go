package daemon

import (
	"sync"
	"time"
)

// seldom lets something be said once in a while only.
type seldom struct {
	every time.Duration

	mu     sync.Mutex // guards the following
	last   time.Time
	unsaid int
}

// say reports whether it may be said now, and how often it was not since the
// last time.
func (s *seldom) say(now time.Time) (unsaid int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < s.every {
		s.unsaid++
		return 0, false
	}
	unsaid, s.unsaid, s.last = s.unsaid, 0, now
	return unsaid, true
}
