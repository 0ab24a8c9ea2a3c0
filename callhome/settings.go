package callhome

import (
	"context"
	"fmt"
	"slices"
	"time"

	"callhome-gateway/auth"
)

// Settings are checked options that a Server can be given while it runs.
type Settings struct{ rules *rules }

// Check returns the options as Settings for Use, or what is wrong with them.
// The listeners are all that are configured, whether calls are accepted on them
// or not: what holds for the calls on each is looked up here by Name and
// Transport. One with a name that is not among them is gone; the main one, which
// has none, is then as ServeListener was given it.
func (s *Server) Check(o Options, listeners []Listener) (*Settings, error) {
	fixed := s.fixed
	o.Memory, o.Attach, o.Detach, o.Outcome, o.Log = fixed.Memory, fixed.Attach, fixed.Detach, fixed.Outcome, fixed.Log
	rules, err := newRules(o, s.learned)
	if err != nil {
		return nil, err
	}
	rules.listeners = make(map[listenerKey]*Listener)
	for _, l := range listeners {
		key := listenerKey{l.Name, l.Transport}
		if rules.listeners[key] != nil {
			return nil, fmt.Errorf("callhome: two listeners for %s are named %q", l.Transport, l.Name)
		}
		rules.listeners[key] = l.withDefaults(rules)
	}
	return &Settings{rules}, nil
}

// Use has all calls from now on decided by other settings, which Check of this
// server has returned, and those in progress too. Exactly the links end whose
// devices would not come in any more as they did, each for a reason that the log
// shows; it returns how many, without waiting for their end. Memory, Attach,
// Detach, Outcome, Log and the bounds stay as they were given to New.
func (s *Server) Use(set *Settings) (ended int) {
	s.using.Lock()
	defer s.using.Unlock()
	// A call makes its link known before it asks for the last time what the
	// rules say: either it sees these there, or the link is seen here.
	old := s.rules.Swap(set.rules)
	s.failures.Keep(max(0, set.rules.opts.FailureTTL))
	s.forgetRefusals(old.users, set.rules.users)
	s.sources.renew(set.rules.users)
	for _, link := range s.links.all() {
		if r := link.outdated(old, set.rules); r != nil {
			link.end(fmt.Errorf("the configuration changed: %w", r))
			ended++
		}
	}
	return ended
}

// forgetRefusals lets user entries that log in with something else now be tried
// again: a password that was corrected, for example.
func (s *Server) forgetRefusals(old, now map[string]*auth.User) {
	s.failures.Clear(time.Now(), func(f auth.Failure) bool {
		was := old[f.User]
		return was != nil && (now[f.User] == nil || !now[f.User].SameLogin(was))
	})
}

// outdated says why the link would not come to be any more as it is, if that is
// because of the rules: what the old ones would not have allowed either has
// changed by itself.
func (l *Link) outdated(old, now *rules) *rejection {
	_, r := now.keeps(l)
	if r == nil {
		return nil
	}
	if _, before := old.keeps(l); before != nil {
		return nil
	}
	return r
}

// keeps says what the device of a link is by these rules, or why it would not
// come in as it has. What only calls have to do with does not count: logins that
// it has refused, and which username is announced.
func (s *rules) keeps(l *Link) (*binding, *rejection) {
	p, _, r := s.outset(l.approach())
	if r != nil {
		return nil, r
	}
	b, users, r := s.candidates(p, l.proof())
	if r != nil {
		return nil, r
	}
	var hello *HelloOptions
	if b.entry != nil {
		hello = &b.entry.Hello
	}
	switch {
	case b.name != l.name:
		return nil, reject(RejectedUntrusted, "%s was given the name %s: it is let in under that when it calls again", l.name, b.name)
	case slices.ContainsFunc(users, func(user *auth.User) bool { return user.Name == l.user }) && !slices.ContainsFunc(users, l.loggedInAs):
		return nil, reject(RejectedWrongUser, "%s was logged in to as %s with the user entry %s, which has another username now: that is used when it calls again",
			l.name, Quote(l.username), l.user)
	case !slices.ContainsFunc(users, l.loggedInAs):
		return nil, reject(RejectedWrongUser, "%s was logged in to as %s with the user entry %s, and needs the user entry %s now: that is used when it calls again",
			l.name, Quote(l.username), l.user, userNames(users))
	case !l.hello.same(hello):
		return nil, reject(FailedHello, "%s gets another hello now: that is used when it calls again", l.name)
	}
	return b, nil
}

// loggedInAs reports whether the user entry is the one that has logged in. Its
// credentials may have changed since.
func (l *Link) loggedInAs(user *auth.User) bool {
	return user.Name == l.user && (user.Username == l.username || l.Transport() == string(TLS))
}

// approach is how the device of the link came in.
func (l *Link) approach() approach {
	a := approach{remote: l.remote.Addr(), transport: l.bearer.transport(), called: l.called, chosen: l.chosen, own: l.own}
	if l.claim != nil {
		a.claim = *l.claim
	}
	return a
}

// proof is what the device of the link has proved.
func (l *Link) proof() proof {
	if l.shown != nil {
		return *l.shown
	}
	return proof{identity: l.identity}
}

// Drain ends all links for that reason, no more than rate of them a second, so
// that their devices do not call the next gateway all at once; zero means no
// limit. It returns when the last has ended, or when ctx ends. No listener should
// be accepting calls any more: what still comes of those in progress ends too.
func (s *Server) Drain(ctx context.Context, rate int, reason error) {
	for links := s.links.all(); len(links) > 0; links = s.links.all() {
		due := time.Now()
		for _, link := range links {
			if !sleep(ctx, time.Until(due)) {
				return
			}
			link.end(reason)
			if rate > 0 {
				due = due.Add(time.Second / time.Duration(rate))
			}
		}
		for _, link := range links {
			select {
			case <-link.done:
			case <-ctx.Done():
				return
			}
		}
	}
}

// ClearFailures forgets the refused logins for which match is true, and returns
// how many. Devices that are kept out because they broke the SSH protocol, or
// because their links did not last, are let in again where it is true of a
// Failure without a User; they count too.
func (s *Server) ClearFailures(match func(auth.Failure) bool) int {
	device := func(id auth.Identity) bool { return match(auth.Failure{Identity: id}) }
	return s.failures.Clear(time.Now(), match) + s.broken.clear(device) + s.flaps.clear(device)
}
