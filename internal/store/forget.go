package store

import (
	"fmt"
	"strings"

	"callhome-gateway/auth"
)

// removal is what goes when a device is forgotten, replaced or renamed.
type removal struct {
	devices []auth.Device
	// name has no device afterwards; empty if it has.
	name  string
	ports []portChange // of name, forgotten
	// unvouched is a name that no CA gives any more, since a key was approved.
	unvouched string
}

func (r removal) changes() []change {
	var list []change
	for _, d := range r.devices {
		list = append(list, change{table: deviceTable, key: d.Identity.Fingerprint})
	}
	for _, p := range r.ports {
		list = append(list, p.change)
	}
	if r.name != "" {
		list = append(list, change{table: seenTable, key: r.name})
	}
	return list
}

func (s *Store) removeLocked(r removal) {
	for _, d := range r.devices {
		s.dropDeviceLocked(d.Identity.Fingerprint)
	}
	for _, p := range r.ports {
		s.ports[p.Port] = p.PortAssignment
	}
	delete(s.seen, r.name)
	if e := s.seen[r.unvouched]; e != nil && !e.voucher.IsZero() {
		e.voucher, e.dirty = auth.Identity{}, true
		s.markDirty()
	}
}

// Forget removes all identities that are approved under the name, and what is
// remembered of it. Its port is marked, so that it is given to another device
// last. The device may call again, as an unknown one.
func (s *Store) Forget(name string) error {
	name = strings.ToLower(name)
	s.change.Lock()
	defer s.change.Unlock()
	ports, err := s.forgottenPorts(name)
	if err != nil {
		return err
	}
	r := removal{devices: s.Named(name), name: name, ports: ports}
	_, seen := s.Seen(name)
	if len(r.devices) == 0 && len(ports) == 0 && !seen {
		return fmt.Errorf("forgetting %w", UnknownDevice(name))
	}
	if err := s.commit(r.changes(), func() { s.removeLocked(r) }); err != nil {
		return fmt.Errorf("forgetting %s: %w", name, err)
	}
	return nil
}
