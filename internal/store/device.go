package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"
)

const deviceTable = "devices"

type deviceRecord struct {
	V           int       `json:"v"`
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Fingerprint string    `json:"fingerprint"`
	User        string    `json:"user,omitempty"`
	FirstUse    bool      `json:"first_use,omitempty"`
	Since       time.Time `json:"since"`
}

func (s *Store) loadDevice(value []byte) error {
	r, err := decode[deviceRecord](value)
	if err != nil {
		return err
	}
	s.putDeviceLocked(auth.Device{
		Name:     r.Name,
		Identity: auth.Identity{Type: r.Type, Fingerprint: r.Fingerprint},
		User:     r.User,
		FirstUse: r.FirstUse,
		Since:    r.Since,
	})
	return nil
}

func encodeDevice(d auth.Device) (change, error) {
	return encode(deviceTable, d.Identity.Fingerprint, deviceRecord{
		V: version, Name: d.Name, Type: d.Identity.Type, Fingerprint: d.Identity.Fingerprint,
		User: d.User, FirstUse: d.FirstUse, Since: d.Since,
	})
}

// putDeviceLocked adds the device, or replaces the one with its identity.
func (s *Store) putDeviceLocked(d auth.Device) {
	s.dropDeviceLocked(d.Identity.Fingerprint)
	s.devices[d.Identity.Fingerprint] = d
	s.named[d.Name] = append(slices.Clip(s.named[d.Name]), d)
}

func (s *Store) dropDeviceLocked(fingerprint string) {
	old, ok := s.devices[fingerprint]
	if !ok {
		return
	}
	delete(s.devices, fingerprint)
	// A new slice, since Named has handed out the old one.
	var rest []auth.Device
	for _, d := range s.named[old.Name] {
		if d.Identity.Fingerprint != fingerprint {
			rest = append(rest, d)
		}
	}
	if rest == nil {
		delete(s.named, old.Name)
		return
	}
	s.named[old.Name] = rest
}

// Approved implements auth.Memory.
func (s *Store) Approved(id auth.Identity) (auth.Device, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.devices[id.Fingerprint]
	return d, ok
}

// Named implements auth.Memory. The slice must not be modified.
func (s *Store) Named(name string) []auth.Device {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.named[strings.ToLower(name)]
}

// Devices returns all approved and pinned devices, ordered by name.
func (s *Store) Devices() []auth.Device {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]auth.Device, 0, len(s.devices))
	for _, d := range s.devices {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b auth.Device) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Since.Compare(b.Since), cmp.Compare(a.Identity.Fingerprint, b.Identity.Fingerprint))
	})
	return list
}

// Pin implements auth.Memory. To pin a device again is not an error.
func (s *Store) Pin(d auth.Device) error {
	name, err := cleanName(d.Name)
	if err != nil {
		return err
	}
	d.Name = name
	if d.Since.IsZero() {
		d.Since = now()
	}
	s.change.Lock()
	defer s.change.Unlock()
	if old, ok := s.Approved(d.Identity); ok && old.Name == d.Name {
		return nil
	} else if ok {
		return fmt.Errorf("pinning %s as %q: it is %q already: %w", d.Identity, d.Name, old.Name, auth.ErrNameTaken)
	}
	if others := s.Named(d.Name); len(others) > 0 {
		return fmt.Errorf("pinning %s as %q, which is %s: %w", d.Identity, d.Name, others[0].Identity, auth.ErrNameTaken)
	}
	return s.remember(d, removal{})
}

// remember stores the device, no longer pending, in the place of what it
// replaces. The caller holds s.change.
func (s *Store) remember(d auth.Device, replaced removal) error {
	put, err := encodeDevice(d)
	if err != nil {
		return err
	}
	fingerprint := d.Identity.Fingerprint
	changes := append(replaced.changes(), put, change{table: pendingTable, key: fingerprint})
	err = s.commit(changes, func() {
		s.removeLocked(replaced)
		s.putDeviceLocked(d)
		s.dropPendingLocked(fingerprint)
	})
	if err == nil {
		delete(s.pendingOnDisk, fingerprint)
	}
	return err
}

func cleanName(name string) (string, error) {
	lower := strings.ToLower(name)
	if !auth.ValidName(lower) {
		return "", fmt.Errorf("%.80q is %w: use up to 63 letters, digits and hyphens, and no hyphen first", name, auth.ErrBadName)
	}
	return lower, nil
}
