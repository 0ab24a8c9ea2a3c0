package callhome

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
)

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("192.0.2.2")
	netA  = auth.Network(addrA)
	netB  = auth.Network(addrB)
)

func TestOneSourceDoesNotTakeAllHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4, 2)
		var leave []func()
		for range 2 {
			l, err := g.enter(t.Context(), netA, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		start := time.Now()
		if _, err := g.enter(t.Context(), netA, time.Now()); err != errQueuedTooLong || time.Since(start) != maxQueued {
			t.Errorf("a third call of the source: %v after %s", err, time.Since(start))
		}
		other, err := g.enter(t.Context(), netB, time.Now())
		if err != nil {
			t.Fatalf("another source: %v", err)
		}
		for _, l := range append(leave, other) {
			l()
			l() // giving back twice is giving back once
		}
		if len(g.sources) != 0 || len(g.slots) != 0 {
			t.Errorf("%d sources and %d slots are left", len(g.sources), len(g.slots))
		}
	})
}

func TestQueuedCallGetsTheNextSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1)
		leave, _ := g.enter(t.Context(), netA, time.Now())
		time.AfterFunc(5*time.Second, leave)
		next, err := g.enter(t.Context(), netA, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		next()
		ctx, cancel := context.WithCancel(t.Context())
		leave, _ = g.enter(t.Context(), netA, time.Now())
		cancel()
		if _, err := g.enter(ctx, netA, time.Now()); err != context.Canceled {
			t.Errorf("entered although the server stopped: %v", err)
		}
		leave()
	})
}
