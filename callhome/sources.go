package callhome

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"callhome-gateway/auth"
)

const (
	// maxSources bounds the origins for which something is remembered.
	maxSources = 16_384
	// The devices that are awaited, at one origin and at all. Only those that are
	// known come to be awaited: strangers cannot fill the table.
	maxAwaited      = 1_024
	maxAwaitedInAll = 65_536
	// awaitFor is how long a device is awaited.
	awaitFor = 10 * time.Minute
)

// origin is where calls come from and arrive: fleets that call different
// listeners have nothing to do with each other.
type origin struct {
	addr     netip.Addr
	listener string
}

// sources remembers for each origin what helps to choose a username before the
// handshake shows who calls: the identity last seen there, and the devices that
// turned out to need another. Best effort: behind a NAT an address is many
// devices, and each call can announce one username only.
//
// A device that was told a wrong username is closed at once and calls again
// after its redial interval, which is much the same for all devices of an origin.
// So it is due one interval after it was rejected, give or take what the
// intervals seen there have varied by. A call gets the user that most of the
// devices due at its time need. The calls that follow get the same one for as
// long as a device that needs it is due: five usernames are done one after the
// other, where changing between them would reach one call in five. When nobody
// is due, first calls are likely, and get the usual user; in turn with the users
// of devices that are overdue, whose intervals may have grown.
type sources struct {
	mu       sync.Mutex // guards the following and what it holds
	byOrigin map[origin]*source
	awaited  int // in all
}

type source struct {
	used time.Time
	last auth.Identity
	// awaited are in the order of their rejection.
	awaited []awaited
	// current is the user that the devices which are due get, and turn counts
	// the calls while some are overdue.
	current *auth.User
	turn    int
	// redial is the mean time from a rejection to the next call, and spread how
	// far it is off, both as RFC 6298 estimates round trips; zero at first.
	redial, spread time.Duration
}

// awaited is a device that needs another user than it was announced.
type awaited struct {
	identity auth.Identity
	user     *auth.User
	since    time.Time
}

func newSources() *sources { return &sources{byOrigin: make(map[origin]*source)} }

// lastSeen returns the identity last seen at the origin, or the zero one.
func (s *sources) lastSeen(at origin) auth.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src := s.byOrigin[at]; src != nil {
		return src.last
	}
	return auth.Identity{}
}

// saw notes that the identity has shown itself in a call that came in at called.
// It is not awaited any more.
func (s *sources) saw(at origin, id auth.Identity, called, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.getLocked(at, now)
	src.last = id
	i := slices.IndexFunc(src.awaited, func(a awaited) bool { return a.identity == id })
	if i < 0 {
		return
	}
	src.learn(called.Sub(src.awaited[i].since))
	src.awaited = slices.Delete(src.awaited, i, i+1)
	s.awaited--
}

// await notes that a device was rejected because it needs this user.
func (s *sources) await(at origin, id auth.Identity, user *auth.User, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.getLocked(at, now)
	if len(src.awaited) >= maxAwaited || s.awaited >= maxAwaitedInAll && len(src.awaited) > 0 {
		src.awaited = slices.Delete(src.awaited, 0, 1)
		s.awaited--
	}
	if s.awaited < maxAwaitedInAll {
		src.awaited = append(src.awaited, awaited{id, user, now})
		s.awaited++
	}
}

// choose returns the user to announce to a call; usual is for devices that
// nothing is known of.
func (s *sources) choose(at origin, usual *auth.User, now time.Time) *auth.User {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byOrigin[at]
	if src == nil {
		return usual
	}
	s.expireLocked(src, now)
	due, overdue := src.expected(now)
	switch {
	case len(due) > 0:
		if !slices.Contains(due, src.current) {
			src.current = mostFrequent(due)
		}
		return src.current
	case len(overdue) > 0:
		if src.turn++; src.turn%2 == 0 && usual != nil {
			return usual
		}
		return overdue[src.turn/2%len(overdue)]
	}
	return usual
}

// expected returns the users of the devices that are due, and of those that
// should have called by now. Until one has called again all are due.
func (src *source) expected(now time.Time) (due, overdue []*auth.User) {
	off := max(3*src.spread, src.redial/10)
	for _, a := range src.awaited {
		switch late := now.Sub(a.since) - src.redial; {
		case src.redial == 0, late.Abs() <= off:
			due = append(due, a.user)
		case late > 0:
			overdue = append(overdue, a.user)
		}
	}
	return due, overdue
}

// learn takes a measured redial interval into account.
func (src *source) learn(interval time.Duration) {
	interval = max(interval, 1)
	if src.redial == 0 {
		src.redial, src.spread = interval, interval/4
		return
	}
	off := interval - src.redial
	src.redial += off / 8
	src.spread += (off.Abs() - src.spread) / 4
}

// mostFrequent returns the user that is there most often, the first of several.
func mostFrequent(users []*auth.User) *auth.User {
	counts := make(map[*auth.User]int)
	for _, user := range users {
		counts[user]++
	}
	most := users[0]
	for _, user := range users {
		if counts[user] > counts[most] {
			most = user
		}
	}
	return most
}

// allAwaited returns the users that are awaited, by address, each once.
func (s *sources) allAwaited(now time.Time) map[netip.Addr][]*auth.User {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[netip.Addr][]*auth.User)
	for at, src := range s.byOrigin {
		s.expireLocked(src, now)
		for _, a := range src.awaited {
			if !slices.Contains(all[at.addr], a.user) {
				all[at.addr] = append(all[at.addr], a.user)
			}
		}
	}
	return all
}

// renew has the users that are awaited be those of the same name in users.
func (s *sources) renew(users map[string]*auth.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	renewed := func(user *auth.User) *auth.User {
		if user == nil {
			return nil
		}
		return cmp.Or(users[user.Name], user)
	}
	for _, src := range s.byOrigin {
		src.current = renewed(src.current)
		for i := range src.awaited {
			src.awaited[i].user = renewed(src.awaited[i].user)
		}
	}
}

// expireLocked drops the devices that have been awaited for too long.
func (s *sources) expireLocked(src *source, now time.Time) {
	kept := slices.IndexFunc(src.awaited, func(a awaited) bool { return now.Sub(a.since) < awaitFor })
	if kept < 0 {
		kept = len(src.awaited)
	}
	src.awaited = slices.Delete(src.awaited, 0, kept)
	s.awaited -= kept
}

// getLocked returns the entry of the origin, and makes room for a new one.
func (s *sources) getLocked(at origin, now time.Time) *source {
	src := s.byOrigin[at]
	if src == nil {
		if len(s.byOrigin) >= maxSources {
			s.evictLocked(now)
		}
		src = &source{}
		s.byOrigin[at] = src
	}
	src.used = now
	return src
}

// evictLocked drops the origins that were not used for a while, and arbitrary
// ones until an eighth is free: looking at all for each new one takes too long.
func (s *sources) evictLocked(now time.Time) {
	for at, src := range s.byOrigin {
		if now.Sub(src.used) > awaitFor {
			s.dropLocked(at)
		}
	}
	for at := range s.byOrigin {
		if len(s.byOrigin) <= maxSources*7/8 {
			return
		}
		s.dropLocked(at)
	}
}

func (s *sources) dropLocked(at origin) {
	s.awaited -= len(s.byOrigin[at].awaited)
	delete(s.byOrigin, at)
}
