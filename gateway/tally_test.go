package gateway

import (
	"testing"
	"time"
)

func TestTallyReportsOnceInAWhile(t *testing.T) {
	var c tally
	now := time.Unix(1_700_000_000, 0)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {0, 0}, {9 * time.Second, 0}, {time.Second, 3}, {time.Second, 0}, {time.Minute, 2}} {
		now = now.Add(step.after)
		if got := c.report(now); got != step.want {
			t.Errorf("after %s: %d, want %d", step.after, got, step.want)
		}
	}
}
