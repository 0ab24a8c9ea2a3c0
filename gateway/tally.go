package gateway

import (
	"sync"
	"time"
)

// tallyEvery is the least time between two reports of a tally.
const tallyEvery = 10 * time.Second

// tally counts what anybody can cause as often as they like, so that the log
// has one line for many: a stranger must not fill the disk with it.
type tally struct {
	mu   sync.Mutex // guards the following
	n    int
	last time.Time
}

// report counts one more. It returns how many there were since the last
// report, or 0 while that is recent.
func (t *tally) report(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	if !t.last.IsZero() && now.Sub(t.last) < tallyEvery {
		return 0
	}
	n := t.n
	t.n, t.last = 0, now
	return n
}

// add counts some more, for the next report.
func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += n
}
