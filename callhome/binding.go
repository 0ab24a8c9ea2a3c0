package callhome

import (
	"fmt"
	"net/netip"
	"strings"

	"callhome-gateway/auth"
)

// binding is what stage B decides when the identity of a call is known: which
// device it is and which credential it gets.
type binding struct {
	identity auth.Identity
	name     string
	// entry is the session entry of that name, or nil.
	entry *Entry
	user  *auth.User
	// firstUse says that the identity is not known at all: it is pinned once
	// the login has succeeded.
	firstUse bool
	// unvouched says that nobody has vouched for the identity, now or since it
	// was pinned on first use: it gets a password only where that is allowed.
	unvouched bool
}

// bind is stage B. It decides and changes nothing: x/crypto asks again at
// every rekey.
func (s *Server) bind(p *plan, id auth.Identity) (*binding, *rejection) {
	b, users, r := s.identify(p, id)
	if r != nil {
		return b, r
	}
	if b.user, r = s.credential(b, users); r != nil {
		return b, r
	}
	if s.broken.tooMany(id) {
		return b, reject(RejectedLimit, "%s has broken the SSH protocol %d times, and each time cost memory: it is let in again after a restart of the gateway", b.name, maxBroken)
	}
	if b.user.Username != p.user.Username {
		return b, reject(RejectedWrongUser,
			"%s needs the user entry %s, but %s was announced: the right one is used when it calls again", b.name, b.user.Name, p.user.Name)
	}
	return b, nil
}

// identify finds out which device has the identity, and which users it may be
// logged in to with.
func (s *Server) identify(p *plan, id auth.Identity) (*binding, []*auth.User, *rejection) {
	b := &binding{identity: id}
	if e := s.entryPinning(id); e != nil {
		b.name, b.entry = e.Name, e
		return b, s.usersOf(e, p), outOfPlace(e, p.remote)
	}
	if device, ok := s.opts.Memory.Approved(id); ok {
		return s.identifyApproved(b, device, p)
	}
	if p.entry != nil {
		b.name, b.entry = p.entry.Name, p.entry
		if r := s.changedKey(p.entry, id); r != nil {
			return b, nil, r
		}
	}
	return s.identifyUnknown(b, p)
}

// identifyApproved handles an identity that is in the store. What the
// configuration says of its name goes first.
func (s *Server) identifyApproved(b *binding, device auth.Device, p *plan) (*binding, []*auth.User, *rejection) {
	b.name, b.entry, b.unvouched = device.Name, s.byName[device.Name], device.FirstUse
	if e := b.entry; e != nil {
		if len(e.Pins) > 0 {
			return b, nil, reject(RejectedKeyChanged, "the key %s was approved as %s, but session %s now pins other keys: add it to host_keys, or forget the device", b.identity, e.Name, e.Name)
		}
		if r := outOfPlace(e, p.remote); r != nil {
			return b, nil, r
		}
	}
	if device.User == "" {
		return b, s.usersOf(b.entry, p), nil
	}
	user := s.opts.NamedUsers[device.User]
	if user == nil {
		return b, nil, reject(RejectedNoUser, "%s was approved with the user entry %s, which the configuration does not have any more", device.Name, device.User)
	}
	return b, []*auth.User{user}, nil
}

// identifyUnknown handles an identity that nobody has vouched for.
func (s *Server) identifyUnknown(b *binding, p *plan) (*binding, []*auth.User, *rejection) {
	switch s.opts.Trust {
	case auth.TrustPinned:
		return b, nil, reject(RejectedUntrusted, "the key %s is not pinned on any session entry, and trust is \"pinned\"", b.identity)
	case auth.TrustApprove:
		return b, nil, reject(RejectedPending, "the key %s is not known: compare it with the device's own, then approve it (device approve)", b.identity)
	}
	b.firstUse, b.unvouched = true, true
	if b.name == "" {
		b.name = firstUseName(b.identity)
	}
	return b, s.usersOf(b.entry, p), nil
}

// usersOf returns the users of an entry; without one, or where it names none,
// those of the plan.
func (s *Server) usersOf(e *Entry, p *plan) []*auth.User {
	if e != nil && e.User != nil {
		return []*auth.User{e.User}
	}
	return p.users
}

// credential chooses the first user that this identity has not refused.
func (s *Server) credential(b *binding, users []*auth.User) (*auth.User, *rejection) {
	if b.unvouched {
		if users = usableOnFirstUse(users); len(users) == 0 {
			return nil, reject(RejectedUntrusted, "the key %s is trusted on first use only, and no user entry has a key or first_use_password = true", b.identity)
		}
	}
	if len(users) == 0 {
		return nil, reject(RejectedNoUser, "%s has no user entry, and callhome.users is empty", b.name)
	}
	user := s.firstNotFailed(b.identity, users)
	if user == nil {
		return nil, reject(RejectedNoUser, "%s has refused every user entry for it (%s): correct the credentials; %s", b.name, userNames(users), s.nextTry())
	}
	return user, nil
}

// nextTry says when a refused user entry is tried again.
func (s *Server) nextTry() string {
	if s.opts.FailureTTL < 0 {
		return "a restart of the gateway lets them be tried again (failure_ttl is 0)"
	}
	return fmt.Sprintf("each is tried again %s after it was refused (failure_ttl), or after a restart of the gateway", s.opts.FailureTTL)
}

// changedKey tells a device that is known by its entry's address and shows a
// key that is not the one it is known by.
func (s *Server) changedKey(e *Entry, id auth.Identity) *rejection {
	known := e.Pins
	if len(known) == 0 {
		for _, device := range s.opts.Memory.Named(e.Name) {
			known = append(known, device.Identity)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return reject(RejectedKeyChanged, "%s shows the %s key %s, but is known by %s: if the device was replaced or given a new key, correct its host_keys, or forget it and approve it again",
		e.Name, id.Type, id, fingerprints(known))
}

// outOfPlace rejects an identity of an entry that is limited to an address.
func outOfPlace(e *Entry, remote netip.Addr) *rejection {
	if !e.Address.IsValid() || e.Address.Contains(remote) {
		return nil
	}
	return reject(RejectedUntrusted, "the key is that of session %s, which is limited to %s, but called from %s", e.Name, e.Address, remote)
}

func (s *Server) entryPinning(id auth.Identity) *Entry { return s.byPin[id.Fingerprint] }

func usableOnFirstUse(users []*auth.User) []*auth.User {
	var usable []*auth.User
	for _, user := range users {
		if len(user.Keys) > 0 || user.FirstUsePassword {
			usable = append(usable, user)
		}
	}
	return usable
}

// firstUseName is the name of a device that nobody named: "dev-" and the first
// 16 hex digits of its fingerprint.
func firstUseName(id auth.Identity) string {
	return fmt.Sprintf("dev-%x", id.Digest()[:8])
}

func userNames(users []*auth.User) string {
	names := make([]string, len(users))
	for i, user := range users {
		names[i] = user.Name
	}
	return strings.Join(names, ", ")
}

func fingerprints(ids []auth.Identity) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.Fingerprint
	}
	return strings.Join(list, ", ")
}
