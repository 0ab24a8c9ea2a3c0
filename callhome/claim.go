package callhome

import (
	"net/netip"
	"strings"
	"time"

	"callhome-gateway/auth"
)

// avowal is a host key that a secret vouches for, before the device has shown
// it. It travels in clear and can be repeated by anybody who has heard it: it
// counts only for a device that then proves the key.
type avowal struct {
	key auth.Identity
	// entry is the one whose secret it is; nil for the listener's.
	entry *Entry
}

// avowed checks the HMAC of a claim. The result is nil where there is none, or
// no secret to check it with: the claim is only a hint then.
func (s *rules) avowed(c claim, l *Listener) (*avowal, *rejection) {
	a, secret, whose := &avowal{key: c.hostKey}, l.DeviceSecret, "the listener"
	if e := s.byDeviceID[c.deviceID]; e != nil && e.DeviceSecret != "" {
		a.entry, secret, whose = e, e.DeviceSecret, "session "+e.Name
	}
	switch {
	case c.mac == nil || secret == "":
		return nil, nil
	case !c.madeWith(secret):
		return nil, reject(RejectedUntrusted, "the device calls itself %s, but the HMAC of its HOST-KEY was not made with the device_secret of %s: both ends must have the same secret", Quote(c.deviceID), whose)
	}
	return a, nil
}

// avowedEntry is the entry whose secret vouches for the device's key, or nil.
func (p *plan) avowedEntry() *Entry {
	if p.avowal == nil {
		return nil
	}
	return p.avowal.entry
}

// toldUser is the user that the claim of a device leads to, if any. An avowed
// key leads as far as stage B will come with it, a mere claim to the entry that
// expects its DEVICE-ID, where the address tells no entry.
func (s *rules) toldUser(p *plan) *auth.User {
	if p.avowal != nil {
		b, users, r := s.candidates(p, proof{identity: p.avowal.key})
		if r != nil {
			return nil // stage B says so, when the device has proved the key
		}
		user, _ := s.notRefused(b, users)
		return user
	}
	e := s.byDeviceID[p.claim.deviceID]
	if e == nil || e.User == nil || p.entry != nil || !canUse(e.User, SSH) || outOfPlace(e, p) != nil || s.misled.Has(misledID{p.remote, p.claim.deviceID}) {
		return nil
	}
	return e.User
}

// changedAvowal rejects a device that does not show the key which its HMAC is
// over.
func (b *binding) changedAvowal(p *plan) *rejection {
	if e := p.avowal.entry; e != nil {
		b.name, b.entry = e.Name, e
	}
	return reject(RejectedKeyChanged, "the device calls itself %s and shows the %s key %s, but the HOST-KEY that its secret vouches for is the %s key %s: somebody may stand between, or repeat what the device said",
		Quote(p.claim.deviceID), b.identity.Type, b.identity, p.avowal.key.Type, p.avowal.key)
}

// identifyAvowed handles a key that the secret of an entry vouches for. The
// secret is in the configuration, so it counts for more than what was approved:
// a device that was given a new key is let in again. Pins it does not widen.
func (s *rules) identifyAvowed(b *binding, e *Entry, p *plan) (*binding, []*auth.User, *rejection) {
	b.name, b.entry = e.Name, e
	if len(e.Pins) > 0 {
		return b, nil, s.changedKey(e, b.identity)
	}
	return b, s.usersOf(e, p), outOfPlace(e, p)
}

// identifyFleet handles a key that the listener's secret vouches for, and that
// is not known yet. Every device of the fleet has the secret, so the name that
// this one gives itself is its own only if nobody has it; from then on it is
// bound to the key.
func (s *rules) identifyFleet(b *binding, p *plan) (*binding, []*auth.User, *rejection) {
	e, name := s.byDeviceID[p.claim.deviceID], strings.ToLower(p.claim.deviceID)
	switch {
	case e != nil:
	case !auth.ValidName(name):
		return b, nil, reject(RejectedWrongName, "the HMAC is right, but the DEVICE-ID %s cannot name a device (letters, digits and hyphens, at most 63): change it, or give the device a session with this device_id", Quote(p.claim.deviceID))
	case p.entry != nil && p.entry.Name == name && p.entry.DeviceID == "":
		e = p.entry
	case s.byName[name] != nil:
		b.name = name
		return b, nil, reject(RejectedKeyChanged, "a device that has the listener's secret calls itself as session %s is named: if it is the same device, give the session the device_id %s", name, Quote(p.claim.deviceID))
	}
	b.name, b.entry, b.unpinned = name, e, true
	if e == nil {
		return b, p.users, s.nameBound(b)
	}
	b.name = e.Name
	if len(e.HostPrincipals) > 0 {
		return b, nil, reject(RejectedKeyChanged, "a device that has the listener's secret calls itself as session %s expects, which is known by the principals of its host certificate: if the device has none, give the session a device_secret instead", e.Name)
	}
	if r := s.changedKey(e, b.identity); r != nil {
		return b, nil, r
	}
	return b, s.usersOf(e, p), outOfPlace(e, p)
}

// nameBound rejects a device of the fleet that calls itself by the name of
// another, which was approved, named before, or is named by its certificate.
func (s *rules) nameBound(b *binding) *rejection {
	known := s.opts.Memory.Voucher(b.name)
	if named := s.opts.Memory.Named(b.name); len(named) > 0 {
		known = named[0].Identity
	}
	if known.IsZero() {
		return nil
	}
	return reject(RejectedKeyChanged, "%s shows the %s key %s, but is known by %s: if the device was replaced or given a new key, forget it",
		b.name, b.identity.Type, b.identity, known)
}

// proposedName is the name that an unknown device may be approved under unless
// the operator wants another: what the hook gave it, else the name of the
// session that expects its DEVICE-ID and knows no other proof, else the
// DEVICE-ID. It is empty where somebody has that name.
func (s *rules) proposedName(p *plan) string {
	e, name := s.byDeviceID[p.claim.deviceID], strings.ToLower(p.claim.deviceID)
	switch {
	case p.proposed != "":
		e, name = nil, strings.ToLower(p.proposed)
	case e != nil && (e.proves() || outOfPlace(e, p) != nil):
		return ""
	case e != nil:
		name = e.Name
	}
	if !auth.ValidName(name) || s.byName[name] != e || s.nameKnown(name) {
		return ""
	}
	return name
}

// nameKnown reports whether a device has the name, connected or not.
func (s *rules) nameKnown(name string) bool {
	memory := s.opts.Memory
	return len(memory.Named(name)) > 0 || !memory.Voucher(name).IsZero() || s.links.holder(name) != nil
}

// misledID is a device that needs another user than that of the entry to which
// its DEVICE-ID leads, by the address that it calls from: two devices may have
// the same, if one was configured by a copy of the other.
type misledID struct {
	addr netip.Addr
	id   string
}

const (
	// maxMisled is far more than there can be by mistake. What is forgotten costs
	// a call each.
	maxMisled = 4096
	misledFor = 24 * time.Hour
)
