package callhome

import (
	"net/netip"
	"sync"
	"time"

	"callhome-gateway/auth"
)

const (
	// maxAwaited bounds the addresses for which something is remembered.
	maxAwaited = 16_384
	// awaitFor is how long a username stays awaited: a device that needs it
	// calls again within seconds.
	awaitFor = 10 * time.Minute
)

// sources remembers for each calling address what helps to choose a username
// before the handshake shows who calls: the identity last seen from there, and
// the users that devices behind it turned out to need. Best effort: behind a
// NAT an address is many devices.
type sources struct {
	mu     sync.Mutex // guards byAddr and what it holds
	byAddr map[netip.Addr]*source
}

type source struct {
	used time.Time
	last auth.Identity
	// awaited are the users to try on the next calls, in turn with the one
	// that would be chosen anyway.
	awaited []awaitedUser
	turn    int
}

type awaitedUser struct {
	user  *auth.User
	until time.Time
}

func newSources() *sources { return &sources{byAddr: make(map[netip.Addr]*source)} }

// lastSeen returns the identity last seen from the address, or the zero one.
func (s *sources) lastSeen(addr netip.Addr) auth.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src := s.byAddr[addr]; src != nil {
		return src.last
	}
	return auth.Identity{}
}

// saw notes that the identity called from the address.
func (s *sources) saw(addr netip.Addr, id auth.Identity, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.getLocked(addr, now).last = id
}

// await adds a user to those that are tried on calls from the address.
func (s *sources) await(addr netip.Addr, user *auth.User, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.getLocked(addr, now)
	for i := range src.awaited {
		if src.awaited[i].user == user {
			src.awaited[i].until = now.Add(awaitFor)
			return
		}
	}
	src.awaited = append(src.awaited, awaitedUser{user, now.Add(awaitFor)})
	src.turn = len(src.awaited) - 1 // the device that needs it calls back first
}

// choose returns the user for a call from the address: the usual one, or in
// turn with it one that is awaited.
func (s *sources) choose(addr netip.Addr, usual *auth.User, now time.Time) *auth.User {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byAddr[addr]
	if src == nil {
		return usual
	}
	src.expireLocked(now)
	if len(src.awaited) == 0 {
		return usual
	}
	turn := src.turn % (len(src.awaited) + 1)
	src.turn = turn + 1
	if turn == len(src.awaited) && usual != nil {
		return usual
	}
	return src.awaited[turn%len(src.awaited)].user
}

// served notes that a device from the address got its login with the user,
// which is no longer awaited.
func (s *sources) served(addr netip.Addr, user *auth.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byAddr[addr]
	if src == nil {
		return
	}
	for i := range src.awaited {
		if src.awaited[i].user == user {
			src.awaited = append(src.awaited[:i], src.awaited[i+1:]...)
			return
		}
	}
}

// allAwaited returns the users that are awaited, by address.
func (s *sources) allAwaited(now time.Time) map[netip.Addr][]*auth.User {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[netip.Addr][]*auth.User)
	for addr, src := range s.byAddr {
		src.expireLocked(now)
		for _, a := range src.awaited {
			all[addr] = append(all[addr], a.user)
		}
	}
	return all
}

func (src *source) expireLocked(now time.Time) {
	kept := src.awaited[:0]
	for _, a := range src.awaited {
		if now.Before(a.until) {
			kept = append(kept, a)
		}
	}
	clear(src.awaited[len(kept):])
	src.awaited = kept
}

// getLocked returns the entry of the address, making room for a new one by
// dropping those that were not used for a while, or else an arbitrary one.
func (s *sources) getLocked(addr netip.Addr, now time.Time) *source {
	src := s.byAddr[addr]
	if src == nil {
		if len(s.byAddr) >= maxAwaited {
			s.evictLocked(now)
		}
		src = &source{}
		s.byAddr[addr] = src
	}
	src.used = now
	return src
}

func (s *sources) evictLocked(now time.Time) {
	for addr, src := range s.byAddr {
		if now.Sub(src.used) > awaitFor {
			delete(s.byAddr, addr)
		}
	}
	for addr := range s.byAddr {
		if len(s.byAddr) < maxAwaited {
			return
		}
		delete(s.byAddr, addr)
	}
}
