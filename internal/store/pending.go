package store

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/auth"
)

const pendingTable = "pending"

// The bounds of what unknown devices may occupy. A source is an IPv4 address,
// or an IPv6 /64: one host has a whole one. There may be hundreds of devices
// behind the address of a NAT, and whoever approves them wants to see them.
const (
	maxPending       = 1024
	maxPendingSource = maxPending / 2
)

type pendingEntry struct {
	auth.Pending
	// sequence orders entries by their latest call, whatever the clock does.
	sequence uint64
	dirty    bool
}

type pendingRecord struct {
	V           int        `json:"v"`
	Type        string     `json:"type"`
	Fingerprint string     `json:"fingerprint"`
	Address     netip.Addr `json:"address"`
	Name        string     `json:"name,omitempty"`
	Description string     `json:"description,omitempty"`
	First       time.Time  `json:"first"`
	Last        time.Time  `json:"last"`
	Calls       int        `json:"calls"`
}

func (s *Store) loadPending(value []byte) error {
	r, err := decode[pendingRecord](value)
	if err != nil {
		return err
	}
	s.putPendingLocked(&pendingEntry{Pending: auth.Pending{
		Identity: auth.Identity{Type: r.Type, Fingerprint: r.Fingerprint},
		Address:  r.Address, Name: r.Name, Description: r.Description, First: r.First, Last: r.Last, Calls: r.Calls,
	}})
	s.pendingOnDisk[r.Fingerprint] = true
	return nil
}

func (e *pendingEntry) record() pendingRecord {
	return pendingRecord{
		V: version, Type: e.Identity.Type, Fingerprint: e.Identity.Fingerprint, Address: e.Address,
		Name: e.Name, Description: e.Description, First: e.First, Last: e.Last, Calls: e.Calls,
	}
}

func (s *Store) putPendingLocked(e *pendingEntry) {
	s.dropPendingLocked(e.Identity.Fingerprint)
	s.pending[e.Identity.Fingerprint] = e
	s.sources[source(e.Address)]++
}

func (s *Store) dropPendingLocked(fingerprint string) {
	e, ok := s.pending[fingerprint]
	if !ok {
		return
	}
	delete(s.pending, fingerprint)
	src := source(e.Address)
	if s.sources[src]--; s.sources[src] == 0 {
		delete(s.sources, src)
	}
}

// orderPending numbers the loaded entries by the time of their latest call.
func (s *Store) orderPending() {
	entries := make([]*pendingEntry, 0, len(s.pending))
	for _, e := range s.pending {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *pendingEntry) int { return a.Last.Compare(b.Last) })
	for _, e := range entries {
		s.sequence++
		e.sequence = s.sequence
	}
}

// NotePending implements auth.Memory. It never waits for the disk.
func (s *Store) NotePending(p auth.Pending) {
	p = completed(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	fingerprint := p.Identity.Fingerprint
	if _, known := s.devices[fingerprint]; known {
		return // it was approved while it called
	}
	if e, ok := s.pending[fingerprint]; ok {
		p.First, p.Calls = e.First, e.Calls+p.Calls
		s.dropPendingLocked(fingerprint)
	}
	s.makeRoomLocked(source(p.Address))
	s.sequence++
	s.putPendingLocked(&pendingEntry{Pending: p, sequence: s.sequence, dirty: true})
	s.markDirty()
}

func completed(p auth.Pending) auth.Pending {
	p.Address = p.Address.Unmap()
	p.Calls = max(p.Calls, 1)
	if p.Last.IsZero() {
		p.Last = now()
	}
	if p.First.IsZero() {
		p.First = p.Last
	}
	p.First, p.Last = p.First.Round(0), p.Last.Round(0)
	return p
}

// makeRoomLocked evicts what must go before one more entry from the source is added.
// The largest source pays, so that a flood from one place does not hide
// devices that call from others.
func (s *Store) makeRoomLocked(from netip.Prefix) {
	if s.sources[from] >= maxPendingSource {
		s.evictOldestLocked(func(src netip.Prefix) bool { return src == from })
		return
	}
	if len(s.pending) < maxPending {
		return
	}
	largest := 0
	for _, n := range s.sources {
		largest = max(largest, n)
	}
	s.evictOldestLocked(func(src netip.Prefix) bool { return s.sources[src] == largest })
}

func (s *Store) evictOldestLocked(pays func(source netip.Prefix) bool) {
	var oldest *pendingEntry
	for _, e := range s.pending {
		if (oldest == nil || e.sequence < oldest.sequence) && pays(source(e.Address)) {
			oldest = e
		}
	}
	if oldest != nil {
		s.dropPendingLocked(oldest.Identity.Fingerprint)
	}
}

func source(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // the zero Prefix for no address
	return p
}

// Pending returns the identities that wait for approval, by their first call.
func (s *Store) Pending() []auth.Pending {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]auth.Pending, 0, len(s.pending))
	for _, e := range s.pending {
		list = append(list, e.Pending)
	}
	slices.SortFunc(list, func(a, b auth.Pending) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Identity.Fingerprint, b.Identity.Fingerprint))
	})
	return list
}

// dropPending removes one entry, on disk too. The caller holds s.change.
func (s *Store) dropPending(fingerprint string) (dropped auth.Pending, err error) {
	err = s.commit([]change{{table: pendingTable, key: fingerprint}}, func() {
		if e, ok := s.pending[fingerprint]; ok {
			dropped = e.Pending
			s.dropPendingLocked(fingerprint)
		}
	})
	if err != nil {
		return auth.Pending{}, fmt.Errorf("rejecting %s: %w", fingerprint, err)
	}
	delete(s.pendingOnDisk, fingerprint)
	return dropped, nil
}

// collectPendingLocked adds the entries that changed, and the removal of those
// that were evicted since they were written.
func (s *Store) collectPendingLocked(b *batch) {
	for fingerprint, e := range s.pending {
		if e.dirty {
			b.add(&e.dirty, pendingTable, fingerprint, e.record())
		}
		b.onDisk[fingerprint] = true
	}
	for fingerprint := range s.pendingOnDisk {
		if !b.onDisk[fingerprint] {
			b.changes = append(b.changes, change{table: pendingTable, key: fingerprint})
		}
	}
}
