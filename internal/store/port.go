package store

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"callhome-gateway/gateway"
)

const portTable = "ports"

type portRecord struct {
	V         int       `json:"v"`
	Device    string    `json:"device"`
	Port      uint16    `json:"port"`
	Forgotten bool      `json:"forgotten,omitempty"`
	Since     time.Time `json:"since"`
}

func (s *Store) loadPort(value []byte) error {
	r, err := decode[portRecord](value)
	if err != nil {
		return err
	}
	s.ports[r.Port] = gateway.PortAssignment{Device: r.Device, Port: r.Port, Forgotten: r.Forgotten, Since: r.Since}
	return nil
}

func encodePort(a gateway.PortAssignment) (change, error) {
	return encode(portTable, strconv.Itoa(int(a.Port)), portRecord{
		V: version, Device: a.Device, Port: a.Port, Forgotten: a.Forgotten, Since: a.Since,
	})
}

// Ports implements gateway.PortStore. The list is ordered by port.
func (s *Store) Ports() ([]gateway.PortAssignment, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]gateway.PortAssignment, 0, len(s.ports))
	for _, a := range s.ports {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b gateway.PortAssignment) int { return cmp.Compare(a.Port, b.Port) })
	return list, nil
}

// SetPort implements gateway.PortStore.
func (s *Store) SetPort(all ...gateway.PortAssignment) error {
	puts := make([]change, len(all))
	for i, a := range all {
		var err error
		if puts[i], err = encodePort(a); err != nil {
			return err
		}
	}
	s.change.Lock()
	defer s.change.Unlock()
	return s.commit(puts, func() {
		for _, a := range all {
			s.ports[a.Port] = a
		}
	})
}

type portChange struct {
	gateway.PortAssignment
	change change
}

// changedPorts returns the assignments that alter has changed.
func (s *Store) changedPorts(alter func(*gateway.PortAssignment) bool) (list []portChange, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, a := range s.ports {
		if !alter(&a) {
			continue
		}
		put, err := encodePort(a)
		if err != nil {
			return nil, err
		}
		list = append(list, portChange{a, put})
	}
	return list, nil
}

// forgottenPorts returns the device's assignments, marked as forgotten.
func (s *Store) forgottenPorts(device string) ([]portChange, error) {
	return s.changedPorts(func(a *gateway.PortAssignment) bool {
		if a.Device != device || a.Forgotten {
			return false
		}
		a.Forgotten, a.Since = true, now()
		return true
	})
}
