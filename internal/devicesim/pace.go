package devicesim

import (
	"context"
	"sync"
	"time"
)

// pacer spaces events evenly over all who wait for it.
type pacer struct {
	interval time.Duration

	mu   sync.Mutex // guards next
	next time.Time
}

// newPacer allows rate events a second.
func newPacer(rate float64) *pacer {
	return &pacer{interval: time.Duration(float64(time.Second) / rate)}
}

// wait returns when it is the caller's turn, or ctx ends.
func (p *pacer) wait(ctx context.Context) error {
	if !sleep(ctx, p.reserve(time.Now())) {
		return ctx.Err()
	}
	return nil
}

// reserve takes the next turn and returns the time until it.
func (p *pacer) reserve(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn := p.next
	if turn.Before(now) {
		turn = now
	}
	p.next = turn.Add(p.interval)
	return turn.Sub(now)
}
