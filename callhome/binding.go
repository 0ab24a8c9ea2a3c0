package callhome

import (
	"context"
	"fmt"
	"slices"
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
	// voucher is the key of the CA that gave the device its name; zero for others.
	voucher auth.Identity
	// ca is the key of the CA that vouches for what the device shows; zero where
	// nobody has to.
	ca auth.Identity
	// proposed is the name to approve an unknown device under; it has no name.
	proposed string
	// unpinned says that the identity is not known: it is pinned once the login
	// has succeeded.
	unpinned bool
	// unvouched says that nobody has vouched for the identity, now or since it
	// was pinned on first use: it gets a password only where that is allowed.
	unvouched bool
}

// trusted reports whether somebody has vouched for the device, or at least it
// is not here for the first time.
func (b *binding) trusted() bool { return !b.unpinned || !b.unvouched }

// verdict is what stage B and the table of links say of a device that has
// proved its identity.
type verdict struct {
	binding  *binding
	rejected *rejection
	// over is the dead link of the same device that the call takes over from.
	over *Link
}

// decide is stage B, and what the table of links says.
func (s *Server) decide(ctx context.Context, p *plan, proved proof) (v verdict) {
	if v.binding, v.rejected = s.bind(p, proved); v.rejected != nil {
		return v
	}
	if v.rejected = s.flaps.rejects(v.binding); v.rejected == nil {
		v.over, v.rejected = s.inUse(ctx, v.binding.name)
	}
	return v
}

// bind is stage B, by the rules that are in force now. It decides and changes
// nothing, and may be asked again and again; over TLS also before the identity
// is proved.
func (s *Server) bind(made *plan, proved proof) (*binding, *rejection) {
	rules := s.rules.Load()
	p, r := rules.under(made)
	if r != nil {
		return &binding{identity: proved.identity}, r
	}
	return rules.bind(p, proved)
}

func (s *rules) bind(p *plan, proved proof) (*binding, *rejection) {
	b, users, r := s.candidates(p, proved)
	if r != nil {
		return b, r
	}
	if b.user, r = s.notRefused(b, users); r != nil || p.transport == TLS {
		return b, r
	}
	if s.broken.tooMany(b.identity) {
		return b, reject(RejectedLimit, "%s has broken the SSH protocol %d times, and each time cost memory: it is let in again after a restart of the gateway, or when its failures are cleared (failure clear)", b.name, maxBroken)
	}
	if b.user.Username != p.user.Username {
		return b, reject(RejectedWrongUser,
			"%s needs the user entry %s, but %s was announced: the right one is used when it calls again", b.name, b.user.Name, p.user.Name)
	}
	return b, nil
}

// candidates finds out which device has the identity, and the users of whom one
// may be used for it.
func (s *rules) candidates(p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	b, users, r := s.identify(p, proved)
	if r != nil {
		return b, nil, r
	}
	if users, r = b.withOldAlgorithms(users, proved); r != nil {
		return b, nil, r
	}
	users, r = b.usable(p, users)
	return b, users, r
}

// identify finds out which device has the identity, and which users it may be
// logged in to with.
func (s *rules) identify(p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	id := proved.identity
	b := &binding{identity: id}
	if p.transport == TLS {
		return s.identifyCertificate(b, p, proved)
	}
	if p.avowal != nil && p.avowal.key != id {
		return b, nil, b.changedAvowal(p)
	}
	if e := s.byPin[pinKey(id)]; e != nil {
		b.name, b.entry = e.Name, e
		return b, s.usersOf(e, p), outOfPlace(e, p)
	}
	device, approved := s.opts.Memory.Approved(id)
	switch e := p.avowedEntry(); {
	case e != nil && device.Name != e.Name:
		return s.identifyAvowed(b, e, p)
	case approved:
		return s.identifyApproved(b, device, p)
	case p.avowal != nil:
		return s.identifyFleet(b, p)
	}
	return s.identifyCertified(b, p, proved)
}

// identifyApproved handles an identity that is in the store. What the
// configuration says of its name goes first.
func (s *rules) identifyApproved(b *binding, device auth.Device, p *plan) (*binding, []*auth.User, *rejection) {
	b.name, b.entry, b.unvouched = device.Name, s.byName[device.Name], device.FirstUse && p.avowal == nil
	if e := b.entry; e != nil {
		if len(e.Pins) > 0 {
			return b, nil, reject(RejectedKeyChanged, "the %s %s was approved as %s, but session %s now pins others: add it to the session's pins, or forget the device", kindOf(b.identity), b.identity, e.Name, e.Name)
		}
		if r := outOfPlace(e, p); r != nil {
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
func (s *rules) identifyUnknown(b *binding, p *plan) (*binding, []*auth.User, *rejection) {
	switch *p.listener.Trust {
	case auth.TrustPinned:
		return b, nil, reject(RejectedUntrusted, "the %s %s is not pinned on any session entry, and trust is \"pinned\"", kindOf(b.identity), b.identity)
	case auth.TrustApprove:
		b.proposed = s.proposedName(p)
		return b, nil, reject(RejectedPending, "the %s %s is not known: compare it with the device's own, then approve it (device approve)", kindOf(b.identity), b.identity)
	}
	b.unpinned, b.unvouched = true, true
	if b.name == "" {
		b.name = firstUseName(b.identity)
	}
	return b, s.usersOf(b.entry, p), nil
}

// usersOf returns the users of an entry; without one, or where it names none,
// those of the plan.
func (s *rules) usersOf(e *Entry, p *plan) []*auth.User {
	if e != nil && e.User != nil {
		return []*auth.User{e.User}
	}
	return p.users
}

// usable returns those of the users that have a credential for the device.
func (b *binding) usable(p *plan, given []*auth.User) ([]*auth.User, *rejection) {
	users := usable(given, p.transport)
	if len(given) > 0 && len(users) == 0 {
		return nil, reject(RejectedNoUser, "%s calls over %s, for which its user entry (%s) has no credential", b.name, p.transport, userNames(given))
	}
	if b.unvouched && p.transport == SSH { // a certificate gives nothing away
		if users = usableOnFirstUse(users); len(users) == 0 {
			return nil, reject(RejectedUntrusted, "the key %s is trusted on first use only, and no user entry has a key or first_use_password = true", b.identity)
		}
	}
	if len(users) == 0 {
		return nil, reject(RejectedNoUser, "%s has no user entry, and callhome.users is empty", b.name)
	}
	return users, nil
}

// notRefused chooses the first user that this identity has not refused.
func (s *rules) notRefused(b *binding, users []*auth.User) (*auth.User, *rejection) {
	user := s.firstNotFailed(b.identity, users)
	if user == nil {
		return nil, reject(RejectedNoUser, "%s has refused every user entry for it (%s): correct the credentials; %s", b.name, userNames(users), s.nextTry())
	}
	return user, nil
}

// nextTry says when a refused user entry is tried again.
func (s *rules) nextTry() string {
	const sooner = "when it has changed, after failure clear, or after a restart of the gateway"
	if s.opts.FailureTTL < 0 {
		return "each is tried again " + sooner + " (failure_ttl is 0)"
	}
	return fmt.Sprintf("each is tried again %s after it was refused (failure_ttl), %s", s.opts.FailureTTL, sooner)
}

// changedKey tells a device that is known by its entry's address and shows an
// identity that is not the one it is known by. It may be known by one of the
// other transport only: then it has changed as well, since nobody has said that
// it may call over both.
func (s *rules) changedKey(e *Entry, id auth.Identity) *rejection {
	known := s.identitiesOf(e)
	if len(e.Pins) == 0 {
		if len(e.CertificateNames) > 0 && pinTransport(id) == SSH {
			return reject(RejectedKeyChanged, "%s shows the %s key %s, but is known by the names of its TLS certificate: pin its host_keys if it may call over SSH too", e.Name, id.Type, id)
		}
		if len(e.HostPrincipals) > 0 && pinTransport(id) == TLS {
			return reject(RejectedKeyChanged, "%s shows the certificate %s, but is known by the principals of its SSH host certificate: pin its certificates if it may call over TLS too", e.Name, id)
		}
	}
	switch {
	case len(known) == 0:
		return nil
	case !slices.ContainsFunc(known, func(pin auth.Identity) bool { return pinTransport(pin) == pinTransport(id) }):
		return reject(RejectedKeyChanged, "%s calls over %s with the %s %s, but is known by what it proves over %s only (%s): pin this too if it may call so",
			e.Name, pinTransport(id), kindOf(id), id, pinTransport(known[0]), fingerprints(known))
	case pinTransport(id) == TLS:
		return reject(RejectedKeyChanged, "%s shows the certificate %s, but is known by %s: if the device was replaced or given a new certificate, correct its pins, or forget it and approve it again",
			e.Name, id, fingerprints(known))
	}
	return reject(RejectedKeyChanged, "%s shows the %s key %s, but is known by %s: if the device was replaced or given a new key, correct its host_keys, or forget it and approve it again",
		e.Name, id.Type, id, fingerprints(known))
}

// identitiesOf returns those that the entry pins or, if it pins none, that were
// approved under its name.
func (s *rules) identitiesOf(e *Entry) []auth.Identity {
	if len(e.Pins) > 0 {
		return e.Pins
	}
	var approved []auth.Identity
	for _, device := range s.opts.Memory.Named(e.Name) {
		approved = append(approved, device.Identity)
	}
	return approved
}

// outOfPlace rejects an identity of an entry that is limited to an address, to
// a transport or to a listener.
func outOfPlace(e *Entry, p *plan) *rejection {
	switch {
	case !e.takes(p.transport):
		return reject(RejectedUntrusted, "the device is that of session %s, which is limited to %s, but called over %s", e.Name, e.Transport, p.transport)
	case !e.listensOn(p.listener):
		return reject(RejectedUntrusted, "the device is that of session %s, which is limited to the listener %s, but called %s", e.Name, e.Listener, p.listener.called())
	case e.Address.IsValid() && !e.Address.Contains(p.remote):
		return reject(RejectedUntrusted, "the device is that of session %s, which is limited to %s, but called from %s", e.Name, e.Address, p.remote)
	}
	return nil
}

func usableOnFirstUse(users []*auth.User) []*auth.User {
	return those(users, func(user *auth.User) bool { return len(user.Keys) > 0 || user.FirstUsePassword })
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
