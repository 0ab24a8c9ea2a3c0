package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
)

// Rename gives a device another name, in one step: its keys, the CA that
// vouched for it, its ports, its saved session entry and when it was seen go
// along. It returns its keys under the new name. The blocks are saved in the
// same step: that of a device with a saved session entry must be among them as
// it reads under the new name, and a device without one may get its first so.
//
// The old name is nobody's afterwards. The new one may be that of a forgotten
// device, whose port stays kept back. The error wraps auth.ErrNameTaken where
// the new name is somebody's, auth.ErrBadName, or auth.ErrUnknownDevice. It is
// for the caller to refuse the names that the configuration file has.
func (s *Store) Rename(from, to string, blocks ...Saved) ([]auth.Device, error) {
	from = strings.ToLower(from)
	to, err := cleanName(to)
	if err != nil {
		return nil, fmt.Errorf("renaming %.80q: %w", from, err)
	}
	s.change.Lock()
	defer s.change.Unlock()
	m := &move{from: from, to: to, blocks: blocks}
	for _, step := range []func(*move) error{s.mayMove, s.moveDevices, s.movePorts, s.moveSeen, s.moveSaved} {
		if err := step(m); err != nil {
			return nil, fmt.Errorf("renaming %.80q: %w", from, err)
		}
	}
	if err := s.commit(m.changes, func() { s.moveLocked(m) }); err != nil {
		return nil, fmt.Errorf("renaming %s as %s: %w", from, to, err)
	}
	return s.Named(to), nil
}

// move is all that another name changes.
type move struct {
	from, to string
	blocks   []Saved
	devices  []auth.Device
	ports    []portChange
	saved    savedWrite
	changes  []change
}

func (s *Store) mayMove(m *move) error {
	_, saved := s.savedEntry(sessionKey(m.from))
	given := slices.ContainsFunc(m.blocks, func(b Saved) bool { return b.key() == sessionKey(m.to) })
	switch {
	case len(s.Named(m.from)) == 0 && !saved && !given:
		return fmt.Errorf("%w among those that were approved, pinned or saved: what the configuration file has is renamed there, and what a certificate names has the name that the certificate gives it", auth.ErrUnknownDevice)
	case saved && !given:
		return errors.New("its saved session entry does not go along")
	case m.from != m.to && s.nameUsed(m.to):
		return fmt.Errorf("%w: %s: choose another, or forget that device", auth.ErrNameTaken, m.to)
	}
	return nil
}

// nameUsed reports whether a device was approved, pinned or saved under the
// name, or is called so by its certificate.
func (s *Store) nameUsed(name string) bool {
	_, saved := s.savedEntry(sessionKey(name))
	return saved || len(s.Named(name)) > 0 || s.Issued(name)
}

func (s *Store) moveDevices(m *move) error {
	for _, d := range s.Named(m.from) {
		d.Name = m.to
		put, err := encodeDevice(d)
		if err != nil {
			return err
		}
		m.devices, m.changes = append(m.devices, d), append(m.changes, put)
	}
	return nil
}

// movePorts takes the device's ports along, those too that it has had before.
// What is left under the new name is of nobody any more: it is given away last.
func (s *Store) movePorts(m *move) (err error) {
	if m.from == m.to {
		return nil
	}
	moved, err := s.changedPorts(func(a *gateway.PortAssignment) bool {
		mine := a.Device == m.from
		if mine {
			a.Device = m.to
		}
		return mine
	})
	if err != nil {
		return err
	}
	left, err := s.forgottenPorts(m.to)
	m.ports = append(moved, left...)
	for _, p := range m.ports {
		m.changes = append(m.changes, p.change)
	}
	return err
}

func (s *Store) moveSeen(m *move) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	m.changes = append(m.changes, change{table: seenTable, key: m.from}, change{table: seenTable, key: m.to})
	e := s.seen[m.from]
	if e == nil {
		return nil
	}
	put, err := encode(seenTable, m.to, e.named(m.to).record())
	m.changes = append(m.changes, put)
	return err
}

func (s *Store) moveSaved(m *move) (err error) {
	var drop []string
	if _, saved := s.savedEntry(sessionKey(m.from)); saved && m.from != m.to {
		drop = []string{sessionKey(m.from)}
	}
	m.saved, err = s.saving(drop, m.blocks)
	m.changes = append(m.changes, m.saved.changes...)
	return err
}

func (s *Store) moveLocked(m *move) {
	for _, d := range m.devices {
		s.putDeviceLocked(d)
	}
	for _, p := range m.ports {
		s.ports[p.Port] = p.PortAssignment
	}
	e := s.seen[m.from]
	delete(s.seen, m.from)
	delete(s.seen, m.to)
	if e != nil { // it may have changed since it was written
		s.seen[m.to] = e.named(m.to)
		s.markDirty()
	}
	s.saveLocked(m.saved)
}
