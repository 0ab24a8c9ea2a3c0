package gateway

import (
	"sync"
	"time"
)

// stallWatch reports operations that take longer than a limit. Its timer is
// set once in that time at most, not for every operation: setting one may wake
// a thread, which costs more than the operation.
type stallWatch struct {
	limit   time.Duration
	stalled func()

	mu    sync.Mutex  // guards the following
	since time.Time   // when the operation began; zero while there is none
	timer *time.Timer // nil while it is not set
}

func (w *stallWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limit, w.check)
	}
}

func (w *stallWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Time{}
}

// stop ends the watch when no operation will follow. A timer that is set keeps
// all in memory that it can reach.
func (w *stallWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// check runs when the timer fires. It sets it again for an operation that has
// begun meanwhile.
func (w *stallWatch) check() {
	if w.late() {
		w.stalled()
	}
}

func (w *stallWatch) late() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		w.timer = nil
		return false
	}
	if left := time.Until(w.since.Add(w.limit)); left > 0 {
		w.timer.Reset(left)
		return false
	}
	w.timer = nil
	return true
}
