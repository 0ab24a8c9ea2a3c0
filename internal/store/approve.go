package store

import (
	"cmp"
	"fmt"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// Approval is an operator's decision about one device.
type Approval struct {
	// Device says which: a fingerprint, the beginning of one (8 characters at
	// least, or 12 hex digits of a certificate's; with or without "SHA256:") of a
	// device that has called, or the name of a known device.
	Device string
	// Name is what it shall be called. If empty, it keeps its name, or gets
	// that of the session entry it matched.
	Name string
	// User names the user entry to log in with. If empty, that of an already
	// approved device stays, one that replaces another gets that of the other, and
	// all others get the callhome-users.
	User string
	// Replace lets the device take the name from the identities that have it, or
	// from the CA that gave it: the name, and with it the port.
	Replace bool
}

// Approve makes an identity a known device: a pending one, or any if its whole
// fingerprint is given; or it gives an approved or pinned one another name or user. It returns the device, and what was
// replaced: the devices as they were that have lost their name. Their links
// should be ended, and what else goes by a name that nobody has any more. The
// error is one of auth's, or the disk's.
func (s *Store) Approve(a Approval) (device auth.Device, replaced []auth.Device, err error) {
	s.change.Lock()
	defer s.change.Unlock()
	found, err := s.find(a.Device)
	if err != nil {
		return auth.Device{}, nil, fmt.Errorf("approving: %w", err)
	}
	if device, err = a.of(found); err != nil {
		return auth.Device{}, nil, fmt.Errorf("approving %s: %w", found.Identity, err)
	}
	if err := s.nameFree(device); err != nil && !a.Replace {
		return auth.Device{}, nil, fmt.Errorf("approving %s as %q: %w: choose another name, forget that device, or use --replace", device.Identity, device.Name, err)
	}
	r, err := s.replacedBy(device)
	if err != nil {
		return auth.Device{}, nil, err
	}
	for _, old := range s.holders(device) {
		device.User = cmp.Or(device.User, old.User)
	}
	if err := s.remember(device, r); err != nil {
		return auth.Device{}, nil, fmt.Errorf("approving %s: %w", device.Identity, err)
	}
	return device, r.devices, nil
}

// of returns the device as it is after the approval.
func (a Approval) of(d auth.Device) (auth.Device, error) {
	d.FirstUse, d.Since = false, now()
	if a.User != "" {
		d.User = a.User
	}
	if a.Name != "" {
		d.Name = a.Name
	}
	if d.Name == "" {
		return d, fmt.Errorf("%w: it has no name yet, give it one with --name", auth.ErrBadName)
	}
	name, err := cleanName(d.Name)
	d.Name = name
	return d, err
}

// replacedBy returns what goes when the device is approved: the others that
// have its name, and itself under the name that it has had until now.
func (s *Store) replacedBy(d auth.Device) (r removal, err error) {
	r.devices, r.unvouched = s.holders(d), d.Name
	old, ok := s.Approved(d.Identity)
	if !ok || old.Name == d.Name {
		return r, nil
	}
	r.devices = append(r.devices, old)
	if len(s.Named(old.Name)) == 1 {
		r.name = old.Name
		r.ports, err = s.forgottenPorts(old.Name)
	}
	return r, err
}

// nameFree fails if another device has the name.
func (s *Store) nameFree(d auth.Device) error {
	if taken := s.holders(d); len(taken) > 0 {
		return fmt.Errorf("%w: %s is %s", auth.ErrNameTaken, d.Name, taken[0].Identity)
	}
	return nil
}

// holders returns those that have the device's name and another identity; of one
// that only its certificate names that is the CA's key.
func (s *Store) holders(d auth.Device) []auth.Device {
	named := s.Named(d.Name)
	var others []auth.Device
	for _, o := range named {
		if o.Identity.Fingerprint != d.Identity.Fingerprint {
			others = append(others, o)
		}
	}
	if ca := s.Voucher(d.Name); len(named) == 0 && !ca.IsZero() && !s.cameInAs(d) {
		others = append(others, auth.Device{Name: d.Name, Identity: ca})
	}
	return others
}

// cameInAs reports whether the device was the last to call by its name, and was
// let in.
func (s *Store) cameInAs(d auth.Device) bool {
	seen, _ := s.Seen(d.Name)
	return seen.Outcome.Reason == callhome.Accepted && seen.Outcome.Identity.Fingerprint == d.Identity.Fingerprint
}

// find returns the one device that ref means. Pending ones win: it is them
// that an approval is about.
func (s *Store) find(ref string) (auth.Device, error) {
	if d, found, err := s.findPending(ref); found || err != nil {
		return d, err
	}
	if d, found, err := pick(s.Devices(), ref, hasName, hasFingerprint); found || err != nil {
		return d, err
	}
	if id, whole := wholeFingerprint(ref); whole { // it has not called, or was rejected for its key
		return auth.Device{Identity: id}, nil
	}
	return auth.Device{}, UnknownDevice(ref)
}

// findPending returns the pending device that ref means. It is not called by
// the name of the session entry whose address it called from: so would a
// neighbour behind the same NAT be, and nobody would have looked at its key.
func (s *Store) findPending(ref string) (d auth.Device, found bool, err error) {
	var list []auth.Device
	for _, p := range s.Pending() {
		list = append(list, auth.Device{Name: p.Name, Identity: p.Identity})
	}
	return pick(list, ref, hasFingerprint)
}

// UnknownDevice is the error about a device that nobody knows.
func UnknownDevice(ref string) error {
	return fmt.Errorf("%.80q: %w: \"callhome-gateway device list\" shows their names, and the fingerprints of those that wait for approval (at least %d characters are needed, or %d hex digits of a certificate's)",
		ref, auth.ErrUnknownDevice, auth.MinFingerprint, auth.MinFingerprintHex)
}

// pick returns the device in the list that ref means by the first of the
// matches that finds any.
func pick(list []auth.Device, ref string, matches ...func(auth.Device, string) bool) (d auth.Device, found bool, err error) {
	for _, match := range matches {
		n := 0
		for _, candidate := range list {
			if match(candidate, ref) {
				d, n = candidate, n+1
			}
		}
		if n == 1 {
			return d, true, nil
		}
		if n > 1 {
			return auth.Device{}, false, fmt.Errorf("%.80q: %w (%d): give the whole fingerprint of the one you mean", ref, auth.ErrAmbiguous, n)
		}
	}
	return auth.Device{}, false, nil
}

func hasName(d auth.Device, ref string) bool {
	return ref != "" && d.Name == strings.ToLower(ref)
}

func hasFingerprint(d auth.Device, ref string) bool { return d.Identity.Matches(ref) }

// Reject removes a pending identity, named as in Approval.Device, and returns
// it. If the device calls again it is pending again.
func (s *Store) Reject(ref string) (auth.Pending, error) {
	s.change.Lock()
	defer s.change.Unlock()
	d, found, err := s.findPending(ref)
	if err != nil {
		return auth.Pending{}, fmt.Errorf("rejecting: %w", err)
	}
	if !found {
		return auth.Pending{}, fmt.Errorf("rejecting %.80q: %w among the pending ones: an approved device is removed by \"callhome-gateway device forget\"", ref, auth.ErrUnknownDevice)
	}
	return s.dropPending(d.Identity.Fingerprint)
}
