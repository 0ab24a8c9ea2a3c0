package auth

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func prefixOf(address string) netip.Prefix { return Sources{}.Of(netip.MustParseAddr(address)) }

// crowd is what takes places in a test, each with a name, and who was evicted.
type crowd struct {
	places  *Places
	present map[string]*Place
	evicted []string
}

func newCrowd(limit int) *crowd {
	return &crowd{places: NewPlaces(limit), present: make(map[string]*Place)}
}

// enter lets one in. The name begins with its source; an exempt source ends in
// "!", a penalised one in "?", a known one in "*".
func (c *crowd) enter(name string) bool {
	source, _, _ := strings.Cut(name, "/")
	address := netip.AddrFrom4([4]byte{192, 0, 2, source[0]})
	place := c.places.Enter(Arrival{
		Source: Sources{}.Of(address), Exempt: strings.HasSuffix(source, "!"), Penalised: strings.HasSuffix(source, "?"), Known: strings.HasSuffix(source, "*"),
		Evict: func() { c.evicted = append(c.evicted, name) },
	})
	if place != nil {
		c.present[name] = place
	}
	return place != nil
}

func TestWhoKeepsUsWaitingMakesRoom(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		// steps are names to enter, one a second; "-name" is served, "~" marks
		// that no time passes before the next, and "!" that it gets no place.
		steps   string
		evicted string
	}{
		{"the oldest of all", 4, "a b c d e f", "a b"},
		{"the oldest of the largest source", 8, "x a/1 a/2 a/3 b/1 b/2 c/1 c/2 d", "a/1"},
		{"not who waits for us", 4, "a b c d -a -b e", "c"},
		{"nobody where all wait for us", 4, "a b c d -a -b -c -d refused:e", ""},
		{"its own oldest at its share", 16, "a/1 a/2 a/3 a/4 b a/5 a/6", "a/1 a/2"},
		{"not its own young ones at its share", 16, "a/1 ~a/2 ~a/3 ~a/4 ~refused:a/5 ~b", ""},
		{"not its own that wait for us", 16, "a/1 a/2 a/3 a/4 -a/1 -a/2 -a/3 -a/4 refused:a/5 b", ""},
		{"no share for an exempt source", 8, "a!/1 a!/2 a!/3 a!/4 a!/5 a!/6 b/1 b/2 b/3", "b/1"},
		{"one of an exempt source where it waits longest", 6, "a!/1 a!/2 a!/3 a!/4 b c d", "a!/1"},
		{"nobody who has just begun to wait", 4, "~a ~b ~c ~d ~refused:e", ""},
		{"the oldest of a small source before a young one of the largest", 6, "x y a/1 ~a/2 ~a/3 ~a/4 ~b", "x"},
		{"the penalised first, at once", 4, "a b c? d ~e", "c?"},
		{"a stranger for one who is known, at once", 4, "~a ~b ~c* ~d ~e*", "a"},
		{"the known last", 4, "a* b c d e f g", "b c d"},
		{"the known as well where there are no others", 4, "a* b* c* d* e", "a*"},
		{"nobody who is known for a stranger at once", 4, "~a* ~b* ~c* ~d* ~refused:e", ""},
		{"nobody of a good name for the penalised where others of those wait", 4, "k a? ~b? ~c? ~refused:d? e?", "a?"},
		{"the penalised by no preference over one another", 4, "~a? ~b? ~c ~d ~refused:e?", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crowd := newCrowd(c.limit)
				for _, step := range strings.Fields(c.steps) {
					name, atOnce := strings.CutPrefix(step, "~")
					if !atOnce {
						time.Sleep(time.Second)
					}
					name, refused := strings.CutPrefix(name, "refused:")
					if served, ok := strings.CutPrefix(name, "-"); ok {
						crowd.present[served].Waiting(false)
					} else if crowd.enter(name) == refused {
						t.Fatalf("%s: let in %t", step, refused)
					}
				}
				if got := strings.Join(crowd.evicted, " "); got != c.evicted {
					t.Errorf("evicted %q, want %q", got, c.evicted)
				}
				for _, name := range crowd.evicted {
					if place := crowd.present[name]; !place.Evicted() {
						t.Errorf("%s does not know that it was evicted", name)
					}
				}
			})
		})
	}
}

func TestWaitingGoesOnBehindABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowd := newCrowd(4)
		for _, name := range []string{"a", "b", "c", "d"} {
			crowd.enter(name)
			time.Sleep(time.Second)
		}
		crowd.present["a"].Waiting(true) // it does already
		crowd.present["b"].Waiting(false)
		crowd.present["b"].Waiting(true)
		crowd.present["d"].Waiting(false) // we keep it waiting for a while
		time.Sleep(time.Second)
		crowd.present["d"].Waiting(true)
		for _, name := range []string{"e", "f", "g", "h"} {
			crowd.enter(name)
			time.Sleep(time.Second)
		}
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(crowd.evicted, want) {
			t.Errorf("evicted %v, want %v", crowd.evicted, want)
		}
	})
}

// A little that comes now and then keeps no place.
func TestWhoSaysALittleAgainAndAgainMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowd := newCrowd(4)
		for _, name := range []string{"a", "b", "c", "d"} {
			crowd.enter(name)
		}
		for range 2 * firstPatience / minPatience {
			time.Sleep(minPatience / 2)
			for _, place := range crowd.present {
				place.Waiting(false)
				place.Waiting(true)
			}
		}
		for _, name := range []string{"e", "f", "g", "h"} {
			if !crowd.enter(name) {
				t.Errorf("%s gets no place", name)
			}
		}
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(crowd.evicted, want) {
			t.Errorf("evicted %v, want %v", crowd.evicted, want)
		}
	})
}

func TestPatienceFollowsWhatHonestOnesTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowd := newCrowd(4)
		full := func(wait time.Duration) (evicts bool) {
			t.Helper()
			for _, place := range crowd.present {
				place.Leave()
			}
			before := len(crowd.evicted)
			for _, name := range []string{"a", "b", "c", "d"} {
				crowd.enter(name)
			}
			time.Sleep(wait)
			crowd.enter("e")
			return len(crowd.evicted) > before
		}
		if full(firstPatience-1) || !full(firstPatience) {
			t.Errorf("the first patience is %s", crowd.places.patience)
		}
		for range 500 {
			full(firstPatience)
		}
		if !full(minPatience + 10*time.Millisecond) {
			t.Errorf("after many evictions the patience is %s", crowd.places.patience)
		}
		crowd.present["c"].Leave()
		honest := crowd.places.Enter(Arrival{Source: prefixOf("198.51.100.1"), Evict: func() {}})
		time.Sleep(400 * time.Millisecond)
		honest.Waiting(false)
		honest.Vouch()
		honest.Leave()
		if full(800*time.Millisecond-1) || !full(800*time.Millisecond) {
			t.Errorf("after one that took 400 ms the patience is %s", crowd.places.patience)
		}
	})
}

func TestPlacesAreGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowd := newCrowd(4)
		for i := range 5 {
			time.Sleep(time.Second)
			crowd.enter(fmt.Sprintf("a/%d", i))
		}
		for _, place := range crowd.present { // one was evicted
			place.Leave()
			place.Leave()
			place.Waiting(true)
		}
		p := crowd.places
		if p.Taken() != 0 || len(p.sources) != 0 || len(p.ranked) != 0 || p.waiting.Len() != 0 {
			t.Errorf("%d places, %d sources, %d ranked and %d that wait are left", p.Taken(), len(p.sources), len(p.ranked), p.waiting.Len())
		}
	})
}

func TestOneNetworkDoesNotTakeAllPlaces(t *testing.T) {
	for _, c := range []struct {
		limit, share int
	}{{256, 64}, {8, 4}, {3, 3}} {
		p := NewPlaces(c.limit)
		taken := 0
		for p.Enter(Arrival{Source: prefixOf(fmt.Sprintf("2001:db8::%x", taken+1))}) != nil {
			taken++
		}
		if taken != c.share {
			t.Errorf("of %d places one network has %d", c.limit, taken)
		}
		for i := byte(0); p.Enter(Arrival{Source: prefixOf(netip.AddrFrom4([4]byte{192, 0, 2, i}).String())}) != nil; i++ {
			taken++
		}
		if taken != c.limit || p.Taken() != c.limit {
			t.Errorf("%d places are taken, not %d", taken, c.limit)
		}
	}
}

// Whatever is done at once, the books are right afterwards.
func TestPlacesInARace(t *testing.T) {
	p := NewPlaces(64)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 2000 {
				source := netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(40))})
				place := p.Enter(Arrival{Source: Sources{}.Of(source), Exempt: random.IntN(8) == 0, Penalised: random.IntN(4) == 0, Evict: func() {}})
				if place == nil {
					continue
				}
				place.Waiting(random.IntN(2) == 0)
				place.Waiting(random.IntN(2) == 0)
				place.Leave()
			}
		})
	}
	wg.Wait()
	if p.Taken() != 0 || len(p.sources) != 0 || len(p.ranked) != 0 || p.waiting.Len() != 0 {
		t.Errorf("%d places, %d sources, %d ranked and %d that wait are left", p.Taken(), len(p.sources), len(p.ranked), p.waiting.Len())
	}
}

// A flood of thousands a second must cost next to nothing.
func BenchmarkFlood(b *testing.B) {
	p := NewPlaces(4096)
	for i := range b.N {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p.Enter(Arrival{Source: Sources{}.Of(address), Penalised: i%2 == 0, Evict: func() {}})
	}
}
