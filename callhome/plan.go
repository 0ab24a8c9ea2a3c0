package callhome

import (
	"context"
	"slices"
	"time"

	"callhome-gateway/auth"
)

// plan is what stage A of the accept procedure decides on the address of a
// call, before a byte is sent: x/crypto fixes the username before the device's
// identity is known. TLS has none.
type plan struct {
	approach
	// rules are those by which it was made.
	rules *rules
	// listener is what holds on the one that was called.
	listener *Listener
	// entry is the session entry that the address alone tells: there is
	// exactly one with that address. Otherwise nil.
	entry *Entry
	// user gives the username that is announced on SSH; nil on TLS.
	user *auth.User
	// users are those that may be used for devices whose entry or approval
	// names none: the callhome-users, or the one that the hook chose, as far as
	// they have a credential for the transport.
	users []*auth.User
	// proposed is what the hook would call the device; nothing proves it.
	proposed string
	// avowal is the host key that the HMAC of the claim vouches for, or nil.
	avowal *avowal
	// told says that user follows from the claim.
	told bool
	// hostKeyTypes are the key types to ask the device for, in order.
	hostKeyTypes []string
	// certificates says that the device is asked for a certificate of its host
	// key first.
	certificates bool
	// legacy says that the device is offered old algorithms, after all others.
	// Whether it may use them shows at stage B.
	legacy bool
}

// plan is stage A, by the rules that are in force now.
func (s *Server) plan(ctx context.Context, info CallInfo, called *Listener, c claim) (*plan, *rejection) {
	return s.rules.Load().plan(ctx, info, called, c)
}

func (s *rules) plan(ctx context.Context, info CallInfo, called *Listener, c claim) (*plan, *rejection) {
	p, matching, r := s.outset(approach{remote: info.Remote.Addr(), transport: info.Transport, called: called, claim: c})
	if r == nil && len(matching) == 0 {
		r = s.askUserSelect(ctx, info, p)
	}
	if r != nil {
		return nil, r
	}
	if p.transport == TLS {
		return p, checkTLSUsers(p)
	}
	p.hostKeyTypes = s.hostKeyTypes(p)
	p.certificates = s.wantsCertificate(p, matching)
	if p.user = s.toldUser(p); p.user != nil {
		p.told = true
	} else if p.user = s.sources.choose(p.origin(), s.usualUser(p, matching), time.Now()); p.user == nil {
		return nil, reject(RejectedNoUser, "no session entry matches %s and callhome.users is empty: add a session for the device, or a callhome-user", p.remote)
	}
	p.legacy = s.offersLegacy(p, matching)
	return p, nil
}

// checkTLSUsers rejects a call over TLS when nothing could log in to it.
func checkTLSUsers(p *plan) *rejection {
	if len(p.users) > 0 || p.listener.outlook.tlsUser {
		return nil
	}
	return reject(RejectedNoUser, "no user entry has a tls block: add one with a client certificate for the devices that call over TLS")
}

// usable returns the users that have a credential for the transport.
func usable(users []*auth.User, t Transport) []*auth.User {
	return those(users, func(user *auth.User) bool { return canUse(user, t) })
}

// those returns the users of whom it is true.
func those(users []*auth.User, is func(*auth.User) bool) []*auth.User {
	return slices.DeleteFunc(slices.Clone(users), func(user *auth.User) bool { return !is(user) })
}

// canUse reports whether the user may log in over the transport. One without
// any credential is for SSH: a device may let everybody in.
func canUse(user *auth.User, t Transport) bool {
	if t == TLS {
		return user.TLS != nil
	}
	return user.TLS == nil || user.Password != "" || len(user.Keys) > 0
}

// askUserSelect lets the hook choose the user or reject the call.
func (s *rules) askUserSelect(ctx context.Context, info CallInfo, p *plan) *rejection {
	if s.opts.UserSelect == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.UserSelectTimeout)
	defer cancel()
	selection, err := s.opts.UserSelect(ctx, info)
	switch {
	case err != nil:
		return reject(RejectedHook, "the user-select hook failed: %v", err)
	case selection.Reject:
		return reject(RejectedHook, "the user-select hook rejected the call: %s", Quote(selection.Reason))
	case selection.User != nil && !canUse(selection.User, p.transport):
		return reject(RejectedHook, "the user-select hook chose the user entry %s, which has no credential for calls over %s", selection.User.Name, p.transport)
	case selection.User != nil:
		p.choose(selection.User)
	}
	p.proposed = selection.Name
	return nil
}

// choose notes the user that the hook chose.
func (p *plan) choose(user *auth.User) {
	p.chosen, p.users = user.Name, []*auth.User{user}
	if p.rules.users[user.Name] != user {
		p.own = user
	}
}

// usualUser is the user to announce to a device of which only the address is
// known: that of the first entry there; else the first that has not failed for
// the device last seen from there; else the first. With no callhome-users it is
// that of the first entry which is matched by identity.
func (s *rules) usualUser(p *plan, matching []*Entry) *auth.User {
	if len(matching) > 0 && matching[0].User != nil && canUse(matching[0].User, SSH) {
		return matching[0].User
	}
	if len(p.users) == 0 {
		return p.listener.outlook.lastResort
	}
	if last := s.sources.lastSeen(p.origin()); !last.IsZero() {
		if user := s.firstNotFailed(last, p.users); user != nil {
			return user
		}
	}
	return p.users[0]
}

func (s *rules) firstNotFailed(id auth.Identity, users []*auth.User) *auth.User {
	now := time.Now()
	for _, user := range users {
		if !s.failures.Failed(id, user.Name, now) {
			return user
		}
	}
	return nil
}

// hostKeyTypes returns the key types to ask for. A device that is known by its
// address is asked for the types that are pinned or approved only: one that
// has several keys would else show another, and that would look like a changed
// key; so is one whose HMAC vouches for a key. All others show the first type in
// a fixed order, always the same.
func (s *rules) hostKeyTypes(p *plan) []string {
	e := p.entry
	switch {
	case p.avowal != nil:
		return []string{p.avowal.key.Type}
	case e == nil:
		return hostKeyTypes
	}
	var known []string
	for _, id := range s.identitiesOf(e) {
		switch {
		case id.Type == "": // a bare fingerprint
			return s.hunts.types(e.Name)
		case pinTransport(id) == SSH:
			known = append(known, id.Type)
		}
	}
	if len(known) == 0 {
		return hostKeyTypes
	}
	slices.Sort(known)
	return slices.Compact(known)
}
