package auth

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// costly returns a bcrypt hash of that cost; it is compared with by a hasher
// only.
func costly(cost int) string {
	return fmt.Sprintf("$2a$%02d$OFNXICYPFRxSEH.qSyyz8e/BmSHc2a6ZfuBj8j6mpWe5NsWbLPJ8O", cost)
}

// hashTime is what a hash of cost 12 takes a hasher.
const hashTime = 256 * time.Millisecond

// hasher stands for bcrypt in a bubble of synctest: it takes the time of the
// cost, and "right" is right.
type hasher struct {
	mu    sync.Mutex // guards the following
	calls int
	steps int // all that were computed, 2^cost each
}

func (h *hasher) compare(hash, password []byte) error {
	cost, err := bcrypt.Cost(hash)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.calls++
	h.steps += 1 << cost
	h.mu.Unlock()
	time.Sleep(hashTime << cost >> 12)
	if !bytes.Equal(password, []byte("right")) {
		return bcrypt.ErrMismatchedHashAndPassword
	}
	return nil
}

func (h *hasher) did() (calls, steps int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls, h.steps
}

// desk is a decision about noc and ops, with password "right" and one hash at
// a time.
type desk struct {
	*Logins
	*hasher
	t *testing.T
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	l := newLogins(t,
		Manager{Name: "noc", PasswordHash: costly(12), Devices: []string{"edge-*"}},
		Manager{Name: "ops", PasswordHash: costly(12), Devices: []string{"*"}},
		Manager{Name: "cheap", PasswordHash: costly(5), Devices: []string{"edge-*"}},
		Manager{Name: "keys-only", Devices: []string{"*"}},
		Manager{Name: "nothing", PasswordHash: costly(12)})
	c := &desk{Logins: l, hasher: &hasher{}, t: t}
	l.queue.slots = 1
	l.hash = c.hasher.compare
	return c
}

func (c *desk) login(manager string, from netip.Addr, password string) error {
	_, err := c.Password(c.t.Context(), Attempt{Manager: manager, Device: "edge-1", Source: from}, []byte(password))
	return err
}

// guess tries n wrong passwords in turn.
func (c *desk) guess(manager string, from netip.Addr, n int) {
	for i := range n {
		if err := c.login(manager, from, fmt.Sprint("guess ", i)); err == nil {
			c.t.Fatal("a guess was right")
		}
	}
}

// stranger is one of many addresses.
func stranger(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func inBubble(t *testing.T, name string, f func(t *testing.T, c *desk)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, newDesk(t)) })
	})
}

func TestPenalties(t *testing.T) {
	inBubble(t, "ten guesses are free", func(t *testing.T, c *desk) {
		c.guess("noc", source(1), 9)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, "they are those of one manager from one source", func(t *testing.T, c *desk) {
		c.guess("noc", source(1), 12)
		for _, try := range []struct {
			manager string
			source  int
			want    error
		}{{"noc", 1, ErrPenalty}, {"ops", 1, nil}, {"noc", 2, nil}} {
			if err := c.login(try.manager, source(try.source), "right"); err != try.want {
				t.Errorf("%s from source %d: %v", try.manager, try.source, err)
			}
		}
	})
	inBubble(t, "they decay", func(t *testing.T, c *desk) {
		c.guess("noc", source(1), 12)
		time.Sleep(pairCost)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, "one source cannot guess under many names", func(t *testing.T, c *desk) {
		for i := range 1000 {
			c.guess(fmt.Sprint("name ", i), source(1), 1)
		}
		if calls, _ := c.did(); calls > 100+int(1000*hashTime/sourceCost)+1 {
			t.Errorf("%d guesses were hashed", calls)
		}
		c.penalties.sources.Charge(Sources{}.Of(source(1)), sourceBound, sourceBound)
		if err := c.login("noc", source(1), "right"); err != ErrPenalty {
			t.Errorf("then %v", err)
		}
		if err := c.login("noc", source(2), "right"); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		time.Sleep(2 * sourceCost)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Errorf("later: %v", err)
		}
	})
	inBubble(t, "success costs nothing", func(t *testing.T, c *desk) {
		for i := range 1000 {
			if err := c.login("noc", source(1), "right"); err != nil {
				t.Fatalf("login %d: %v", i, err)
			}
		}
	})
	inBubble(t, "keys that are only asked about are no failures", func(t *testing.T, c *desk) {
		for range 1000 {
			if _, err := c.Key(Attempt{Manager: "noc", Source: source(1)}, keyOf(t, 9)); err != ErrUnknownKey {
				t.Fatal(err)
			}
		}
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, "exempt sources pay", func(t *testing.T, c *desk) {
		c.sources.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		c.guess("noc", source(1), 12)
		if err := c.login("noc", source(1), "right"); err != ErrPenalty {
			t.Error(err)
		}
	})
	inBubble(t, "a source is what Sources say", func(t *testing.T, c *desk) {
		c.sources.V4Bits = 24
		c.guess("noc", source(1), 12)
		if err := c.login("noc", source(2), "right"); err != ErrPenalty {
			t.Error(err)
		}
	})
}

// Whoever sits behind the same NAT, or claims to be the same manager, does not
// shut out one that has logged in from there.
func TestGuessingShutsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Fatal(err)
		}
		c.guess("noc", source(1), 500)
		for i := range 500 {
			c.guess(fmt.Sprint("name ", i), source(1), 1)
		}
		before, _ := c.did()
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Error(err)
		}
		if calls, _ := c.did(); calls != before {
			t.Error("the password was hashed again")
		}
	})
}

// What is remembered of a password is no way round the penalties.
func TestGuessesAtWhatIsRememberedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Fatal(err)
		}
		var guesses sync.WaitGroup
		for i := range 3000 {
			guesses.Go(func() { c.login("noc", source(1), fmt.Sprint("guess ", i)) })
			if i%100 == 99 {
				guesses.Wait()
			}
		}
		g := guesser{Sources{}.Of(source(1)), c.cache.nameTag("noc")}
		if owed := c.penalties.pairs.Owed(g); owed < knockBound-10*time.Second {
			t.Errorf("3000 guesses cost %v", owed)
		}
		c.penalties.pairs.Charge(g, knockBound, knockBound)
		if err := c.login("noc", source(1), "right"); err != ErrPenalty {
			t.Errorf("after 3000 guesses: %v", err)
		}
		time.Sleep(2 * knockCost)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Errorf("a little later: %v", err)
		}
	})
}

// Nor where the source as a whole has guessed too much already.
func TestGuessesCountWhereTheSourceHasUsedUpItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Fatal(err)
		}
		own := Sources{}.Of(source(1))
		c.penalties.sources.Charge(own, 2*sourceBound, 2*sourceBound)
		var guesses sync.WaitGroup
		for i := range 100 {
			guesses.Go(func() { c.login("noc", source(1), fmt.Sprint("guess ", i)) })
		}
		guesses.Wait()
		if owed := c.penalties.pairs.Owed(guesser{own, c.cache.nameTag("noc")}); owed < 100*knockCost-hashTime {
			t.Errorf("100 guesses cost %v", owed)
		}
	})
}

// To the one who tries, a password that was not looked at is a wrong one.
func TestPenaltyTakesAsLongAsAWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		for i := range 3 * int(pairBound/pairCost) {
			begin := time.Now()
			c.guess("noc", source(1), 1)
			if took := time.Since(begin); took != hashTime {
				t.Fatalf("guess %d took %v", i, took)
			}
		}
	})
}

// Whatever is wrong, as much is hashed: the time tells nothing.
func TestFailuresHashTheSame(t *testing.T) {
	for _, try := range []struct{ manager, device, password string }{
		{"noc", "edge-1", "wrong"},
		{"noc", "edge-1", ""},
		{"noc", "edge-1", strings.Repeat("x", 1<<10)},
		{"noc", "core-1", "right"},
		{"noc", "core-1", "wrong"},
		{"noc", "no-such-device", "right"},
		{"cheap", "edge-1", "wrong"},
		{"cheap", "core-1", "right"},
		{"keys-only", "edge-1", "right"},
		{"nothing", "edge-1", "right"},
		{"nothing", "", "right"},
		{"nobody", "edge-1", "right"},
		{"nobody", "", "wrong"},
		{"", "edge-1", "right"},
		{strings.Repeat("x", 1<<10), "edge-1", "right"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newDesk(t)
			a := Attempt{Manager: try.manager, Device: try.device, Source: source(1)}
			for range 3 { // nothing about a failure is remembered
				_, before := c.did()
				begin := time.Now()
				if _, err := c.Password(t.Context(), a, []byte(try.password)); err == nil {
					t.Fatalf("%.20q came in", try)
				}
				if _, after := c.did(); after-before != 1<<12 || time.Since(begin) != hashTime {
					t.Errorf("%.20q: %d steps in %v", try, after-before, time.Since(begin))
				}
			}
		})
	}
}

// The seam that the tests above count at is bcrypt itself.
func TestBcryptHashes(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	for password, want := range map[string]error{"right": nil, "wrong": ErrWrongPassword} {
		if _, err := l.Password(t.Context(), Attempt{Manager: "noc"}, []byte(password)); err != want {
			t.Errorf("%s: %v", password, err)
		}
	}
}

// A password that was right is not hashed again for an hour after its last use;
// a wrong one, and one for a device that is not allowed, are every time.
func TestSuccessIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		hashes := func(device, password string) int {
			before, _ := c.did()
			c.Password(t.Context(), Attempt{Manager: "noc", Device: device, Source: source(1)}, []byte(password))
			after, _ := c.did()
			return after - before
		}
		for i, step := range []struct {
			after            time.Duration
			device, password string
			want             int
		}{
			{0, "edge-1", "right", 1},
			{0, "edge-2", "right", 0},
			{0, "edge-1", "wrong", 1},
			{0, "core-1", "right", 1},
			{loginCacheTTL * 2 / 3, "edge-1", "right", 0},
			{loginCacheTTL * 2 / 3, "edge-1", "right", 0},
			{loginCacheTTL, "edge-1", "right", 1},
		} {
			time.Sleep(step.after)
			if got := hashes(step.device, step.password); got != step.want {
				t.Errorf("step %d: %d hashes", i, got)
			}
		}
	})
}

// What one source has just logged in with is no hint for another's guesses.
func TestCacheIsPerSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		if err := c.login("noc", source(1), "right"); err != nil {
			t.Fatal(err)
		}
		c.guess("noc", source(2), 12)
		if err := c.login("noc", source(2), "right"); err != ErrPenalty {
			t.Errorf("a guesser: %v", err)
		}
	})
}

func TestLoginCacheIsBounded(t *testing.T) {
	c := newLoginCache()
	g, v := guesser{name: c.nameTag("noc")}, verdicts{hash: "hash"}
	for i := range 2 * loginCacheSize {
		c.once(t.Context(), c.tag(g, v, fmt.Append(nil, i)), func() error { return nil })
	}
	if len(c.right.left.due) > loginCacheSize || len(c.running) > 0 {
		t.Errorf("%d logins are remembered, %d in progress", len(c.right.left.due), len(c.running))
	}
	tag := c.tag(g, v, []byte("x"))
	for name, other := range map[string]loginTag{
		"a changed password": c.tag(g, verdicts{hash: "other"}, []byte("x")),
		"another manager":    c.tag(guesser{name: c.nameTag("ops")}, v, []byte("x")),
		"another source":     c.tag(guesser{source: Sources{}.Of(source(1)), name: g.name}, v, []byte("x")),
	} {
		if tag == other {
			t.Error(name, "has the same tag")
		}
	}
}

// atOnce tries the passwords at the same moment, from source 1.
func (c *desk) atOnce(manager string, passwords ...string) []error {
	errs := make([]error, len(passwords))
	var tries sync.WaitGroup
	for i, password := range passwords {
		tries.Go(func() { errs[i] = c.login(manager, source(1), password) })
	}
	tries.Wait()
	return errs
}

// A manager that starts opens all its devices at once.
func TestManyRightPasswordsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		for i, err := range c.atOnce("noc", slices.Repeat([]string{"right"}, 500)...) {
			if err != nil {
				t.Errorf("login %d: %v", i, err)
			}
		}
		if calls, _ := c.did(); calls != 1 || len(c.cache.running) != 0 {
			t.Errorf("%d hashes, and %d attempts are thought to be in progress", calls, len(c.cache.running))
		}
	})
}

// Guesses are charged before they are hashed, known or unknown the manager.
func TestManyGuessesAtOnce(t *testing.T) {
	var guesses []string
	for i := range 40 {
		guesses = append(guesses, fmt.Sprint("guess ", i))
	}
	for _, manager := range []string{"noc", "nobody"} {
		synctest.Test(t, func(t *testing.T) {
			c := newDesk(t)
			c.atOnce(manager, guesses...)
			if calls, _ := c.did(); calls != int(pairBound/pairCost) {
				t.Errorf("%d guesses for %s were hashed", calls, manager)
			}
		})
	}
}

// An attempt that gives up leaves those that wait for it to try themselves.
func TestGivingUpIsForOneOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		var tries sync.WaitGroup
		defer tries.Wait()
		tries.Go(func() { c.login("ops", source(2), "wrong") }) // is hashed
		synctest.Wait()
		ctx, giveUp := context.WithCancel(t.Context())
		tries.Go(func() {
			_, err := c.Password(ctx, Attempt{Manager: "noc", Device: "edge-1", Source: source(1)}, []byte("right"))
			if err != ErrLoginsBusy {
				t.Errorf("who gave up: %v", err)
			}
		})
		synctest.Wait()
		tries.Go(func() {
			if err := c.login("noc", source(1), "right"); err != nil {
				t.Errorf("who waited: %v", err)
			}
		})
		synctest.Wait()
		giveUp()
	})
}

// Who waits for its password to be hashed is said to wait, and only then.
func TestWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		for i, password := range []string{"wrong", "right", "right"} {
			var said []bool
			a := Attempt{Manager: "noc", Device: "edge-1", Source: source(1), Working: func(is bool) {
				if calls, _ := c.did(); is == (calls > i) {
					t.Error("the hash is done before it begins")
				}
				said = append(said, is)
			}}
			c.Password(t.Context(), a, []byte(password))
			if i < 2 && !slices.Equal(said, []bool{true, false}) || i == 2 && said != nil {
				t.Errorf("login %d: %v", i, said)
			}
		}
	})
}

// Where a connection comes from decides how it keeps its place.
func TestArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		c.sources.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.99/32")}
		own, all := Sources{}.Of(source(1)), netip.Prefix{}
		exempt := Sources{}.Of(source(99))
		expect := func(when string, n int, want Arrival) {
			t.Helper()
			a := c.Arrival(source(n))
			if a.Source != want.Source || a.Exempt != want.Exempt || a.Penalised != want.Penalised {
				t.Errorf("%s: %+v", when, a)
			}
		}
		expect("at first", 1, Arrival{Source: own, Penalised: true})
		c.guess("noc", source(1), 1)
		expect("after a guess", 1, Arrival{Source: all, Penalised: true})
		time.Sleep(tryCost)
		expect("a while later", 1, Arrival{Source: own, Penalised: true})
		c.Failed(source(1))
		expect("after a connection without a login", 1, Arrival{Source: all, Penalised: true})
		c.LoggedIn(source(1))
		expect("after a login", 1, Arrival{Source: own})
		c.guess("noc", source(99), 1)
		expect("exempt, after a guess", 99, Arrival{Source: exempt, Exempt: true, Penalised: true})
		time.Sleep(knownTTL)
		expect("after a day", 1, Arrival{Source: own, Penalised: true})
	})
}

func TestKnownSourcesAreBounded(t *testing.T) {
	l := newLogins(t)
	for i := range 2 * knownSize {
		l.LoggedIn(stranger(i))
	}
	if len(l.known.left.due) > knownSize {
		t.Errorf("%d sources are known", len(l.known.left.due))
	}
}

// Thousands of addresses guess without end. Whoever comes from where somebody
// has logged in before, or comes for the first time, hardly waits for them.
func TestGuessersFromEverywhereDelayNobody(t *testing.T) {
	const guessers, others = 2000, 10
	synctest.Test(t, func(t *testing.T) {
		c := newDesk(t)
		c.LoggedIn(source(1))
		ctx, stop := context.WithCancel(t.Context())
		var guessing sync.WaitGroup
		for i := range guessers {
			guessing.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					a := Attempt{Manager: "noc", Device: "edge-1", Source: stranger(i)}
					if _, err := c.Password(ctx, a, fmt.Append(nil, n)); err == nil {
						t.Error("a guess was right")
					}
					time.Sleep(10 * time.Second)
				}
			})
		}
		time.Sleep(20 * time.Second)
		for i := range others {
			time.Sleep(1234 * time.Millisecond)
			for who, from := range map[string]netip.Addr{"a known source": source(1), "a new source": source(100 + i)} {
				begin := time.Now()
				manager := []string{"noc", "ops"}[i%2]
				if err := c.login(manager, from, "right"); err != nil {
					t.Errorf("%s: %v", who, err)
				}
				if waited := time.Since(begin); waited > 3*hashTime {
					t.Errorf("%s waited %v", who, waited)
				}
			}
		}
		if n := len(c.queue.waiting); n > maxHashWaiting {
			t.Errorf("%d wait", n)
		}
		stop()
		guessing.Wait()
	})
}

func TestPenaltiesAreBounded(t *testing.T) {
	p := newPenalties()
	for i := range 2 * penaltyDebtors {
		g := guesser{source: Sources{}.Of(stranger(i))}
		p.begin(g.source)
		p.take(g)
	}
	for name, n := range map[string]int{"pairs": len(p.pairs.due), "sources": len(p.sources.due), "tries": len(p.tries.due)} {
		if n > penaltyDebtors {
			t.Errorf("%d %s are remembered", n, name)
		}
	}
}
