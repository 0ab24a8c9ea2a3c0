package gateway

import (
	"cmp"
	"sync"
	"time"
)

// tallyEvery is the least time between two reports of a tally that sets no other.
const tallyEvery = 10 * time.Second

// tally counts what anybody can cause as often as they like, so that the log
// has one line for many: a stranger must not fill the disk with it.
type tally struct {
	every time.Duration

	mu   sync.Mutex // guards the following
	n    int
	last time.Time
}

// report counts one more. It returns how many there were since the last
// report, or 0 while that is recent.
func (t *tally) report(now time.Time) int {
	t.add(1)
	n, _ := t.take(now)
	return n
}

// add counts some more, for the next report.
func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += n
}

// take returns how many there were since the last report, unless that is recent.
func (t *tally) take(now time.Time) (n int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.last.IsZero() && now.Sub(t.last) < cmp.Or(t.every, tallyEvery) {
		return 0, false
	}
	n, t.n, t.last = t.n, 0, now
	return n, true
}
