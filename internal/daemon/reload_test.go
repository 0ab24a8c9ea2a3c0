package daemon

import (
	"context"
	"os"
	"sync"
	"testing"

	"callhome-gateway/internal/config"
)

// reloading is a gateway whose configuration the test changes.
type reloading struct {
	house
	*daemon
	mu     sync.Mutex
	next   func(saved []config.Saved) (*config.Config, []string, error)
	hangup chan os.Signal
	drain  func()
	ended  chan error
}

// read has the gateway read this configuration from now on.
func (r *reloading) read(c *config.Config, warnings ...string) {
	r.readAs(func([]config.Saved) (*config.Config, []string, error) { return c, warnings, nil })
}

func (r *reloading) readAs(next func([]config.Saved) (*config.Config, []string, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = next
}

func startReloading(t *testing.T, c *config.Config, change func(*Options)) *reloading {
	t.Helper()
	r := &reloading{hangup: make(chan os.Signal, 1), ended: make(chan error, 1)}
	r.read(c)
	drain := make(chan struct{})
	r.drain = sync.OnceFunc(func() { close(drain) })
	ready := make(chan Addresses, 1)
	o := Options{Version: "test", Reload: r.hangup, Drain: drain, Ready: func(a Addresses) { ready <- a },
		Load: func(saved []config.Saved) (*config.Config, []string, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.next(saved)
		},
	}
	if change != nil {
		change(&o)
	}
	var err error
	if r.daemon, err = open(c, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(r.ended)
		r.ended <- r.daemon.run(ctx, c)
	}()
	r.house = awaitStart(t, r.ended, ready, cancel)
	if err := r.beginChange(ctx); err != nil { // when all runs
		t.Fatal(err)
	}
	r.endChange()
	return r
}

// startInside starts a gateway and lets the test look inside.
func startInside(t *testing.T, c *config.Config) (*daemon, house) {
	t.Helper()
	r := startReloading(t, c, nil)
	return r.daemon, r.house
}
