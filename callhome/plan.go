package callhome

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/auth"
)

// plan is what stage A of the accept procedure decides on the address of a
// call, before a byte is sent: x/crypto fixes the username before the device's
// identity is known.
type plan struct {
	remote netip.Addr
	// entry is the session entry that the address alone tells: there is
	// exactly one with that address. Otherwise nil.
	entry *Entry
	// user gives the username that is announced.
	user *auth.User
	// users are those that may be used for devices whose entry or approval
	// names none: the callhome-users, or the one that the hook chose.
	users []*auth.User
	// hostKeyTypes are the key types to ask the device for, in order.
	hostKeyTypes []string
}

// plan is stage A.
func (s *Server) plan(ctx context.Context, info CallInfo) (*plan, *rejection) {
	remote := info.Remote.Addr()
	p := &plan{remote: remote, users: s.opts.Users}
	matching := s.entriesAt(remote)
	var usual *auth.User
	switch {
	case len(matching) == 0:
		if r := s.askUserSelect(ctx, info, p); r != nil {
			return nil, r
		}
		usual = s.usualUser(remote, p.users)
	case len(matching) == 1:
		p.entry = matching[0]
		fallthrough
	default:
		usual = matching[0].User
		if usual == nil {
			usual = s.usualUser(remote, p.users)
		}
	}
	p.hostKeyTypes = s.hostKeyTypes(p.entry)
	if p.user = s.sources.choose(remote, usual, time.Now()); p.user == nil {
		return nil, reject(RejectedNoUser, "no session entry matches %s and callhome.users is empty: add a session for the device, or a callhome-user", remote)
	}
	return p, nil
}

// entriesAt returns the entries whose address matches, of the narrowest network
// that does.
func (s *Server) entriesAt(remote netip.Addr) []*Entry {
	var matching []*Entry
	for _, e := range s.entries {
		if !e.Address.IsValid() || !e.Address.Contains(remote) {
			continue
		}
		switch {
		case len(matching) > 0 && e.Address.Bits() < matching[0].Address.Bits():
			continue
		case len(matching) > 0 && e.Address.Bits() > matching[0].Address.Bits():
			matching = nil
		}
		matching = append(matching, e)
	}
	return matching
}

// askUserSelect lets the hook choose the user or reject the call.
func (s *Server) askUserSelect(ctx context.Context, info CallInfo, p *plan) *rejection {
	if s.opts.UserSelect == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, userSelectTimeout)
	defer cancel()
	selection, err := s.opts.UserSelect(ctx, info)
	switch {
	case err != nil:
		return reject(RejectedHook, "the user-select hook failed: %v", err)
	case selection.Reject:
		return reject(RejectedHook, "the user-select hook rejected the call: %s", Quote(selection.Reason))
	case selection.User != nil:
		p.users = []*auth.User{selection.User}
	}
	return nil
}

// usualUser is the user to announce to a device of which only the address is
// known: the first that has not failed for the device last seen from there,
// else the first. With no callhome-users it is that of the first entry which
// is matched by identity.
func (s *Server) usualUser(remote netip.Addr, users []*auth.User) *auth.User {
	if len(users) == 0 {
		return s.firstEntryUser()
	}
	if last := s.sources.lastSeen(remote); !last.IsZero() {
		if user := s.firstNotFailed(last, users); user != nil {
			return user
		}
	}
	return users[0]
}

// firstEntryUser also looks at the users that approvals may name: which one is
// right shows at stage B.
func (s *Server) firstEntryUser() *auth.User {
	for _, e := range s.entries {
		if !e.Address.IsValid() && e.User != nil {
			return e.User
		}
	}
	if len(s.opts.NamedUsers) == 0 {
		return nil
	}
	return s.opts.NamedUsers[slices.Min(slices.Collect(maps.Keys(s.opts.NamedUsers)))]
}

func (s *Server) firstNotFailed(id auth.Identity, users []*auth.User) *auth.User {
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
// key. All others show the first type in a fixed order, always the same.
func (s *Server) hostKeyTypes(e *Entry) []string {
	if e == nil {
		return hostKeyTypes
	}
	var known []string
	for _, pin := range e.Pins {
		if pin.Type == "" {
			return s.hunts.types(e.Name)
		}
		known = append(known, pin.Type)
	}
	if len(e.Pins) == 0 {
		for _, device := range s.opts.Memory.Named(e.Name) {
			known = append(known, device.Identity.Type)
		}
	}
	if len(known) == 0 {
		return hostKeyTypes
	}
	slices.Sort(known)
	return slices.Compact(known)
}
