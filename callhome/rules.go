package callhome

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"callhome-gateway/auth"
)

// rules are what decides about calls and links. They do not change: Use puts
// others in their place, and each decision is made by those that are in force
// then.
type rules struct {
	opts Options
	entryIndex
	learned
	// users are all user entries that are configured, by name.
	users map[string]*auth.User
	// anchors are all that are configured: what one of them has revoked is
	// revoked everywhere.
	anchors []*auth.Anchors
	// listeners are those that Check was given. It is nil for the rules of New:
	// what holds on each listener is what ServeListener was given then.
	listeners map[listenerKey]*Listener
	// own are the listeners that Check was not given, as ServeListener was given
	// them (*Listener), with their defaults (*Listener).
	own sync.Map
}

type listenerKey struct {
	name      string
	transport Transport
}

// learned is what calls have taught the server. It outlives the rules.
type learned struct {
	links    *table
	failures *auth.Failures
	sources  *sources
	misled   *auth.Recent[misledID]
	hunts    *hunts
	broken   *brokenConns
	flaps    *flaps
}

// newRules checks the options and returns the rules.
func newRules(o Options, l learned) (*rules, error) {
	s := &rules{opts: o.withDefaults(), learned: l, entryIndex: newEntryIndex()}
	s.opts.Entries = slices.Clone(o.Entries)
	for i := range s.opts.Entries {
		if err := s.addEntry(&s.opts.Entries[i]); err != nil {
			return nil, err
		}
	}
	s.addUsers()
	return s, nil
}

// addUsers collects the user entries, and the anchors that they hold, each once.
func (s *rules) addUsers() {
	s.users = make(map[string]*auth.User)
	seen := make(map[*auth.Anchors]bool)
	add := func(u *auth.User) {
		if u == nil {
			return
		}
		s.users[u.Name] = cmp.Or(s.users[u.Name], u)
		if u.TLS != nil && u.TLS.Anchors != nil && !seen[u.TLS.Anchors] {
			seen[u.TLS.Anchors] = true
			s.anchors = append(s.anchors, u.TLS.Anchors)
		}
	}
	for _, u := range s.opts.NamedUsers {
		add(u)
	}
	for _, u := range s.opts.Users {
		add(u)
	}
	for i := range s.opts.Entries {
		add(s.opts.Entries[i].User)
	}
}

// on returns what holds for the calls on the listener that ServeListener was
// given, or nil when there is no such listener any more. There is always a main
// one.
func (s *rules) on(called *Listener) *Listener {
	if given := s.listeners[listenerKey{called.Name, called.Transport}]; given != nil {
		return given
	}
	if s.listeners != nil && called.Name != "" {
		return nil
	}
	own, known := s.own.Load(called)
	if !known {
		own, _ = s.own.LoadOrStore(called, called.withDefaults(s))
	}
	return own.(*Listener)
}

// admits returns what holds for calls on the listener, or rejects those from
// this address.
func (s *rules) admits(called *Listener, remote netip.Addr) (*Listener, *rejection) {
	l := s.on(called)
	switch {
	case l == nil:
		return nil, reject(RejectedNetwork, "nobody may call here any more: there is no listener %s in the configuration", called.called())
	case !l.Networks.Permits(remote):
		return nil, reject(RejectedNetwork, "nobody may call from %s: allow and deny of the listener say who may", remote)
	}
	return l, nil
}

// approach is how a device comes in: what it is and may follows from this and
// from what it proves.
type approach struct {
	remote    netip.Addr
	transport Transport
	// called is the listener as ServeListener was given it.
	called *Listener
	// claim is what the device says that it is; nothing proves it.
	claim claim
	// chosen is the name of the user entry that the user-select hook chose, if
	// it did, and own that entry where it is none of the configured ones.
	chosen string
	own    *auth.User
}

// origin is where the device calls from and arrives.
func (a *approach) origin() origin { return origin{a.remote, a.called.Name} }

// outset begins a plan: what follows from the approach without asking anybody.
// It returns the entries at the address too.
func (s *rules) outset(a approach) (*plan, []*Entry, *rejection) {
	l, r := s.admits(a.called, a.remote)
	if r != nil {
		return nil, nil, r
	}
	avowal, r := s.avowed(a.claim, l)
	if r != nil {
		return nil, nil, r
	}
	p := &plan{approach: a, rules: s, listener: l, users: l.Users, avowal: avowal}
	matching := s.at(a.remote, a.transport, l)
	switch len(matching) {
	case 0:
		r = s.useChosen(p)
	case 1:
		p.entry = matching[0]
	}
	p.users = usable(p.users, a.transport)
	return p, matching, r
}

// useChosen has the user that the hook chose take the place of the
// callhome-users.
func (s *rules) useChosen(p *plan) *rejection {
	if p.chosen == "" || s.opts.UserSelect == nil {
		return nil
	}
	user := cmp.Or(p.own, s.users[p.chosen])
	if user == nil {
		return reject(RejectedNoUser, "the user-select hook chose the user entry %s, which the configuration does not have any more", p.chosen)
	}
	p.users = []*auth.User{user}
	return nil
}

// under returns the plan as it is by the rules that are in force now. What was
// announced stays.
func (s *rules) under(made *plan) (*plan, *rejection) {
	if made.rules == s {
		return made, nil
	}
	p, _, r := s.outset(made.approach)
	if r != nil {
		return nil, r
	}
	p.user, p.proposed = made.user, made.proposed
	return p, nil
}
