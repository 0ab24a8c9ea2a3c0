package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func keyOf(t *testing.T, seed byte) ssh.PublicKey {
	t.Helper()
	private := ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newLogins(t *testing.T, managers ...Manager) *Logins {
	t.Helper()
	l, err := NewLogins(LoginOptions{Managers: managers})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func source(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func TestPassword(t *testing.T) {
	l := newLogins(t,
		Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"edge-*"}},
		Manager{Name: "keys-only", Devices: []string{"*"}},
		Manager{Name: "nothing", PasswordHash: hashOf(t, "right")})
	for i, c := range []struct {
		manager, device, password string
		want                      error
	}{
		{"noc", "edge-1", "right", nil},
		{"noc", "EDGE-1", "right", nil},
		{"noc", "edge-that-does-not-exist", "right", nil},
		{"noc", "", "right", nil},
		{"noc", "edge-1", "wrong", ErrWrongPassword},
		{"noc", "edge-1", "", ErrWrongPassword},
		{"noc", "core-1", "right", ErrDeviceDenied},
		{"noc", "core-1", "wrong", ErrWrongPassword},
		{"NOC", "edge-1", "right", ErrUnknownManager},
		{"", "edge-1", "right", ErrUnknownManager},
		{"keys-only", "edge-1", "", ErrWrongPassword},
		{"keys-only", "edge-1", "right", ErrWrongPassword},
		{"nothing", "", "right", ErrDeviceDenied},
	} {
		attempt := Attempt{Manager: c.manager, Device: c.device, Source: source(i)}
		m, err := l.Password(t.Context(), attempt, []byte(c.password))
		if !errors.Is(err, c.want) || (err == nil) != (m != nil) {
			t.Errorf("%s/%s on %q: %v, want %v", c.manager, c.password, c.device, err, c.want)
		}
		if m != nil && m.Name != c.manager {
			t.Errorf("%s: logged in as %s", c.manager, m.Name)
		}
	}
}

func TestKey(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", AuthorizedKeys: []ssh.PublicKey{keyOf(t, 1), keyOf(t, 2)}, Devices: []string{"edge-*"}})
	for _, c := range []struct {
		manager, device string
		key             byte
		want            error
	}{
		{"noc", "edge-1", 1, nil},
		{"noc", "edge-1", 2, nil},
		{"noc", "edge-1", 3, ErrUnknownKey},
		{"noc", "core-1", 1, ErrDeviceDenied},
		{"other", "edge-1", 1, ErrUnknownManager},
	} {
		_, err := l.Key(Attempt{Manager: c.manager, Device: c.device}, keyOf(t, c.key))
		if !errors.Is(err, c.want) {
			t.Errorf("%s with key %d on %s: %v, want %v", c.manager, c.key, c.device, err, c.want)
		}
	}
}

func TestCertificate(t *testing.T) {
	l := newLogins(t,
		Manager{Name: "noc", CertificateNames: []string{"Alice@example.net", "noc", "noc.example"}, Devices: []string{"edge-*"}},
		Manager{Name: "other", Devices: []string{"*"}},
		Manager{Name: "nothing"})
	for _, c := range []struct {
		name, device, manager string
		want                  error
	}{
		{"noc", "edge-1", "noc", nil},
		{"Alice@example.net", "edge-1", "noc", nil},
		{"noc.example", "", "noc", nil},
		{"other", "core-1", "other", nil},
		{"noc.example", "core-1", "", ErrDeviceDenied},
		{"nothing", "", "", ErrDeviceDenied},
		{"alice@example.net", "edge-1", "", ErrUnknownManager},
		{"NOC", "edge-1", "", ErrUnknownManager},
		{"", "edge-1", "", ErrUnknownManager},
	} {
		m, err := l.Certificate(Attempt{Manager: c.name, Device: c.device, Source: source(1)})
		if !errors.Is(err, c.want) || (err == nil) != (m != nil) || m != nil && m.Name != c.manager {
			t.Errorf("%s on %q: %v, %v; want %v", c.name, c.device, m, err, c.want)
		}
	}
	// A name of a certificate is none to log in to SSH with.
	if _, err := l.Key(Attempt{Manager: "noc.example"}, keyOf(t, 1)); err != ErrUnknownManager {
		t.Error(err)
	}
}

func TestNewLoginsRefusesCertificateNames(t *testing.T) {
	for want, managers := range map[string][]Manager{
		"share the certificate name \"x\"":     {{Name: "a", CertificateNames: []string{"x"}}, {Name: "b", CertificateNames: []string{"y", "x"}}},
		"share the certificate name \"a\"":     {{Name: "a"}, {Name: "b", CertificateNames: []string{"a"}}},
		"share the certificate name \"b\"":     {{Name: "a", CertificateNames: []string{"b"}}, {Name: "b"}},
		"\"\" cannot be a certificate name":    {{Name: "a", CertificateNames: []string{""}}},
		"\"\\n\" cannot be a certificate name": {{Name: "a", CertificateNames: []string{"\n"}}},
	} {
		if _, err := NewLogins(LoginOptions{Managers: managers}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Keys that are only asked about cost nothing, however many an agent holds.
func TestKeyQueriesAreNoFailures(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	attempt := Attempt{Manager: "noc", Device: "edge-1", Source: source(1)}
	for range 10 * penaltyBurst {
		l.Key(attempt, keyOf(t, 9))
	}
	if _, err := l.Password(t.Context(), attempt, []byte("right")); err != nil {
		t.Error(err)
	}
}

func TestPenaltyIsPerSourceAndDecays(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	synctest.Test(t, func(t *testing.T) {
		l := freshLogins(l)
		guesser := Attempt{Manager: "noc", Device: "edge-1", Source: source(1)}
		for i := range penaltyBurst {
			if _, err := l.Password(t.Context(), guesser, []byte("guess")); err != ErrWrongPassword {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		if _, err := l.Password(t.Context(), guesser, []byte("right")); err != ErrPenalty {
			t.Errorf("after %d guesses: %v, want %v", penaltyBurst, err, ErrPenalty)
		}
		neighbour := guesser
		neighbour.Source = source(2)
		if _, err := l.Password(t.Context(), neighbour, []byte("right")); err != nil {
			t.Errorf("from another address: %v", err)
		}
		time.Sleep(penaltyInterval + time.Millisecond)
		if _, err := l.Password(t.Context(), guesser, []byte("right")); err != nil {
			t.Errorf("after a while: %v", err)
		}
	})
}

// Success costs nothing: a manager may log in as often as it likes.
func TestSuccessIsNoPenalty(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	attempt := Attempt{Manager: "noc", Device: "edge-1", Source: source(1)}
	for i := range 10 * penaltyBurst {
		if _, err := l.Password(t.Context(), attempt, []byte("right")); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
}

func TestPenaltySources(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::ffff"},
		{"fe80::1%eth0", "fe80::2"},
	} {
		if Network(netip.MustParseAddr(c.a)) != Network(netip.MustParseAddr(c.b)) {
			t.Errorf("%s and %s should count as one", c.a, c.b)
		}
	}
	if Network(source(1)) == Network(source(2)) {
		t.Error("two IPv4 addresses count as one")
	}
}

func TestPenaltiesAreBounded(t *testing.T) {
	var p penalties
	for i := range 2 * penaltySources {
		p.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(p.debt) > penaltySources {
		t.Errorf("%d sources are remembered", len(p.debt))
	}
}

// The second login with the same password is not hashed; a wrong one, one for
// a device that is not allowed, and one that is a minute old are.
func TestSuccessIsCached(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"edge-*"}})
	synctest.Test(t, func(t *testing.T) {
		l := freshLogins(l)
		login := func(device, password string) error {
			_, err := l.Password(t.Context(), Attempt{Manager: "noc", Device: device, Source: source(1)}, []byte(password))
			return err
		}
		if err := login("edge-1", "right"); err != nil {
			t.Fatal(err)
		}
		l.hashing <- struct{}{} // from here on whatever hashes waits
		if err := login("edge-2", "right"); err != nil {
			t.Error(err)
		}
		for _, c := range []struct{ device, password string }{{"edge-1", "wrong"}, {"core-1", "right"}} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := l.Password(ctx, Attempt{Manager: "noc", Device: c.device, Source: source(1)}, []byte(c.password))
			if cancel(); err != ErrLoginsBusy {
				t.Errorf("%s on %s: %v, want it to be hashed", c.password, c.device, err)
			}
		}
		time.Sleep(loginCacheTTL)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Password(ctx, Attempt{Manager: "noc", Device: "edge-1"}, []byte("right")); err != ErrLoginsBusy {
			t.Errorf("after a minute: %v, want it to be hashed", err)
		}
	})
}

// atOnce tries the passwords while nothing can be hashed, and then lets them.
// A password is tried from source 1, by a manager that asks for edge-1.
func atOnce(t *testing.T, l *Logins, manager string, passwords ...string) []error {
	l.hashing <- struct{}{}
	errs := make([]error, len(passwords))
	var tries sync.WaitGroup
	for i, password := range passwords {
		tries.Go(func() {
			_, errs[i] = l.Password(t.Context(), Attempt{Manager: manager, Device: "edge-1", Source: source(1)}, []byte(password))
		})
	}
	synctest.Wait()
	<-l.hashing
	tries.Wait()
	return errs
}

func freshLogins(l *Logins) *Logins {
	return &Logins{managers: l.managers, decoy: l.decoy, hashing: make(chan struct{}, 1), cache: newLoginCache()}
}

// A manager that starts opens all its devices at once.
func TestManyRightPasswordsAtOnce(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	synctest.Test(t, func(t *testing.T) {
		l := freshLogins(l)
		for i, err := range atOnce(t, l, "noc", slices.Repeat([]string{"right"}, 4*penaltyBurst)...) {
			if err != nil {
				t.Errorf("login %d: %v", i, err)
			}
		}
		if len(l.cache.running) != 0 {
			t.Error("an attempt is still thought to be in progress")
		}
	})
}

// Guesses are charged before they are hashed, known or unknown the manager.
func TestManyGuessesAtOnce(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	var guesses []string
	for i := range 4 * penaltyBurst {
		guesses = append(guesses, fmt.Sprint("guess ", i))
	}
	for _, manager := range []string{"noc", "nobody"} {
		synctest.Test(t, func(t *testing.T) {
			hashed := 0
			for _, err := range atOnce(t, freshLogins(l), manager, guesses...) {
				if err != ErrPenalty {
					hashed++
				}
			}
			if hashed != penaltyBurst {
				t.Errorf("%d guesses for %s were hashed", hashed, manager)
			}
		})
	}
}

// An attempt that gives up leaves those that wait for it to try themselves.
func TestGivingUpIsForOneOnly(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	synctest.Test(t, func(t *testing.T) {
		l := freshLogins(l)
		l.hashing <- struct{}{}
		login := func(ctx context.Context) <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := l.Password(ctx, Attempt{Manager: "noc", Device: "edge-1", Source: source(1)}, []byte("right"))
				done <- err
			}()
			synctest.Wait()
			return done
		}
		ctx, giveUp := context.WithCancel(t.Context())
		first, second := login(ctx), login(t.Context())
		giveUp()
		if err := <-first; err != ErrLoginsBusy {
			t.Errorf("who gave up: %v", err)
		}
		<-l.hashing
		if err := <-second; err != nil {
			t.Errorf("who waited: %v", err)
		}
	})
}

// What one source has just logged in with is no hint for another's guesses.
func TestCacheIsPerSource(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"*"}})
	synctest.Test(t, func(t *testing.T) {
		l := freshLogins(l)
		login := func(n int, password string) error {
			_, err := l.Password(t.Context(), Attempt{Manager: "noc", Device: "edge-1", Source: source(n)}, []byte(password))
			return err
		}
		if err := login(1, "right"); err != nil {
			t.Fatal(err)
		}
		for i := range penaltyBurst {
			login(1, fmt.Sprint(i))
			login(2, fmt.Sprint(i))
		}
		if err := login(2, "right"); err != ErrPenalty {
			t.Errorf("a guesser: %v", err)
		}
		if err := login(1, "right"); err != nil {
			t.Errorf("who has logged in before: %v", err)
		}
	})
}

func TestLoginCacheIsBounded(t *testing.T) {
	c := newLoginCache()
	a, v := Attempt{Manager: "noc"}, verdicts{hash: "hash"}
	for i := range 2 * loginCacheSize {
		c.once(t.Context(), c.tag(a, v, fmt.Append(nil, i)), func() error { return nil })
	}
	if len(c.until) > loginCacheSize || len(c.running) > 0 {
		t.Errorf("%d logins are remembered, %d in progress", len(c.until), len(c.running))
	}
	if c.tag(a, v, []byte("x")) == c.tag(a, verdicts{hash: "other"}, []byte("x")) {
		t.Error("a changed password leaves the old one in the cache")
	}
}

// All failures take as many steps as the most expensive hash.
func TestFailuresCostTheSame(t *testing.T) {
	const decoy = "$2a$12$OFNXICYPFRxSEH.qSyyz8e/BmSHc2a6ZfuBj8j6mpWe5NsWbLPJ8O"
	for _, hash := range []string{decoy, strings.Replace(decoy, "$12$", "$11$", 1), strings.Replace(decoy, "$12$", "$04$", 1)} {
		steps := 0
		for _, h := range append(padding(hash, decoy), hash) {
			cost, err := bcrypt.Cost([]byte(h))
			if err != nil {
				t.Fatal(err)
			}
			steps += 1 << cost
		}
		if steps != 1<<12 {
			t.Errorf("a failure of %s takes %d steps", hash, steps)
		}
	}
}

func TestNewLoginsRefuses(t *testing.T) {
	good := Manager{Name: "noc", PasswordHash: hashOf(t, "x")}
	for name, managers := range map[string][]Manager{
		"defined twice": {good, good},
		"bcrypt":        {{Name: "noc", PasswordHash: "secret"}},
		"cost":          {{Name: "noc", PasswordHash: strings.Replace(good.PasswordHash, "$04$", "$20$", 1)}},
		"a name has":    {{Name: "NOC"}},
	} {
		if _, err := NewLogins(LoginOptions{Managers: managers}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not say %q", err, name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v shows the hash", err)
		}
	}
}
