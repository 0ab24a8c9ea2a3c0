package callhome

import (
	"net/netip"
	"testing"
	"time"

	"callhome-gateway/auth"
)

func TestAwaitedUsersAreTriedInTurn(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	usual, b, c := &auth.User{Name: "usual"}, &auth.User{Name: "b"}, &auth.User{Name: "c"}
	s := newSources()
	choose := func() string { return s.choose(addrA, usual, now).Name }
	if got := choose(); got != "usual" {
		t.Fatalf("first call: %s", got)
	}
	s.await(addrA, b, now)
	s.await(addrA, c, now)
	s.await(addrA, b, now) // again: still one
	seen := map[string]int{}
	if got := choose(); got != "c" {
		t.Errorf("the call after a device turned out to need c: %s", got)
	}
	for range 6 {
		seen[choose()]++
	}
	if seen["usual"] != 2 || seen["b"] != 2 || seen["c"] != 2 {
		t.Errorf("six calls: %v", seen)
	}
	if got := s.choose(addrB, usual, now); got != usual {
		t.Errorf("another address got %s", got.Name)
	}
	s.served(addrA, b)
	s.served(addrA, c)
	if got := choose(); got != "usual" {
		t.Errorf("after both were served: %s", got)
	}
	s.await(addrA, b, now)
	if got := s.choose(addrA, usual, now.Add(awaitFor)); got != usual {
		t.Errorf("after the wait has expired: %s", got.Name)
	}
}

func TestSourcesAreBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newSources()
	id := auth.Identity{Fingerprint: "SHA256:x"}
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxAwaited + 10 {
		s.saw(addr, id, now)
		addr = addr.Next()
	}
	if len(s.byAddr) > maxAwaited {
		t.Errorf("%d addresses are remembered", len(s.byAddr))
	}
	if s.lastSeen(addr.Prev()) != id {
		t.Error("the newest was not remembered")
	}
}
