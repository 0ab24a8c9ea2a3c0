package callhome

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
)

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("192.0.2.2")
)

// oneTurn is a gate with one turn, which the test has.
func oneTurn(handshakes, perSource int) *gate {
	g := newGate(handshakes, perSource)
	g.idle = 0
	return g
}

// free gives the test's turn back.
func (g *gate) free() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle++
	g.grantLocked()
}

func (g *gate) left() bool {
	return !g.begun.empty() || !g.known.empty() || !g.starting.empty() || !g.second.empty() || g.handshakes.Taken() != 0
}

// arriving is one handshake of a test: "a1" is the first of source a, "a1?"
// one of a penalised source, "a1!" of an exempt one, "a1*" of a known one.
func arriving(g *gate, name string) *ticket {
	source := netip.AddrFrom4([4]byte{192, 0, 2, name[0]})
	return g.ticket(auth.Arrival{
		Source: auth.Sources{}.Of(source), Penalised: strings.HasSuffix(name, "?"), Exempt: strings.HasSuffix(name, "!"),
		Known: strings.HasSuffix(name, "*"), Evict: func() {},
	}, time.Now())
}

func TestTurnsGoRoundAmongSources(t *testing.T) {
	for _, c := range []struct{ name, waiting, want string }{
		{"in the order of arrival", "a1 b1 c1", "a1 b1 c1"},
		{"each source in turn", "a1 a2 a3 b1 b2 c1", "a1 b1 c1 a2 b2 a3"},
		{"each of an exempt source in turn", "b1 b2 a1! a2! a3!", "b1 a1! a2! a3! b2"},
		{"the begun before the new ones", "a1 b1 c1+ d1+", "c1+ d1+ a1 b1"},
		{"the known before other new ones", "a1 b1* c1+ d1", "c1+ b1* a1 d1"},
		{"the penalised last", "a1? b1 c1? d1", "b1 d1 a1? c1?"},
		{"the penalised one in eight", "a1? b1 c1 d1 e1 f1 g1 h1 i1 j1", "b1 c1 d1 e1 f1 g1 h1 a1? i1 j1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := oneTurn(100, 100)
				var got []string
				for _, name := range strings.Fields(c.waiting) {
					ticket := arriving(g, name)
					if strings.HasSuffix(name, "+") {
						ticket.place = g.handshakes.Enter(ticket.arrival)
					}
					go func() {
						if err := ticket.take(t.Context()); err != nil {
							t.Errorf("%s: %v", name, err)
						}
						got = append(got, name)
						ticket.leave()
						ticket.leave()
					}()
					synctest.Wait()
				}
				g.free()
				synctest.Wait()
				if want := strings.Fields(c.want); !slices.Equal(got, want) {
					t.Errorf("turns %v, want %v", got, want)
				}
				if g.left() || g.idle != 1 {
					t.Errorf("something is left, or %d turns", g.idle)
				}
			})
		})
	}
}

func TestHandshakeThatWaitsForItsDeviceHasNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := oneTurn(4, 4)
		g.free()
		slow, other := arriving(g, "a1"), arriving(g, "b1")
		for _, step := range []func() error{
			func() error { return slow.take(t.Context()) },
			func() error { slow.pause(); return other.take(t.Context()) },
			func() error { other.leave(); return slow.resume(t.Context()) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		slow.leave()
		if g.left() {
			t.Error("something is left")
		}
	})
}

func TestQueuedForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := oneTurn(4, 4)
		early := g.ticket(arriving(g, "a1").arrival, time.Now().Add(-3*time.Second))
		for _, wait := range []time.Duration{maxQueued - 3*time.Second, minQueued} { // in all, and at least
			begin := time.Now()
			if err := early.take(t.Context()); err != errQueuedTooLong || time.Since(begin) != wait {
				t.Errorf("%v after %s, want %s", err, time.Since(begin), wait)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := arriving(g, "b1").take(ctx); err != context.Canceled {
			t.Errorf("the server stops: %v", err)
		}
		if g.left() {
			t.Error("something is left")
		}
	})
}

// A source has its share of the handshakes; what is beyond waits in its own
// lane, until its slowest has kept the gateway waiting for too long.
func TestOneSourceDoesNotTakeAllHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := oneTurn(8, 2)
		g.idle = 4
		first, second := arriving(g, "a1"), arriving(g, "a2")
		for _, ticket := range []*ticket{first, second} {
			_ = ticket.take(t.Context())
			ticket.pause()
		}
		third := arriving(g, "a3")
		begin := time.Now()
		done := make(chan time.Duration)
		go func() {
			if err := third.take(t.Context()); err != nil {
				t.Error(err)
			}
			done <- time.Since(begin)
		}()
		synctest.Wait()
		other := arriving(g, "b1")
		if err := other.take(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("another source: %v after %s", err, time.Since(begin))
		}
		if waited := <-done; waited < 2*time.Second || waited > 2*time.Second+retryPlaces || !first.evicted() || second.evicted() {
			t.Errorf("after %s, evicted %t and %t", waited, first.evicted(), second.evicted())
		}
		for _, ticket := range []*ticket{first, second, third, other} {
			ticket.leave()
		}
		if g.left() || g.idle != 4 {
			t.Errorf("something is left, or %d turns", g.idle)
		}
	})
}

func TestEndlessHandshakeGoesOnInTheSecondClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := oneTurn(8, 8)
		g.free()
		ticket := arriving(g, "a1")
		for range maxFirstTurns {
			if err := ticket.resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			if g.queueLocked(ticket) == g.second != (ticket.turns == maxFirstTurns) {
				t.Errorf("after %d turns: second class %t", ticket.turns, g.queueLocked(ticket) == g.second)
			}
			ticket.pause()
		}
		ticket.leave()
	})
}
