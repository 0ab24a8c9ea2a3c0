// Package store keeps what must survive a restart: approved and pinned
// devices, pending identities, port assignments, when each device was last
// seen, and what operators have added to the configuration. Everything is in
// memory as well, so that reads never touch the disk.
package store

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
)

const (
	fileName      = "state.db"
	lockTimeout   = time.Second
	flushInterval = time.Second
)

var (
	_ auth.Memory       = (*Store)(nil)
	_ gateway.PortStore = (*Store)(nil)
)

// Store is the state of one gateway. Its methods may be called concurrently.
//
// Approvals, pins, names, ports and what was saved are on disk when the method
// that changes them returns; an error means that nothing changed, in memory
// either. Pending identities and last-seen times are written once a second and
// at Close, so that a flood of calls costs no disk write each; a crash loses the
// last second.
type Store struct {
	dir    string
	disk   disk
	failed func(error)

	// change is held by whoever writes to the disk, from reading the state it
	// decides on until memory has followed. It is taken before mu.
	change sync.Mutex
	// pendingOnDisk are the fingerprints with a pending record; guarded by change.
	pendingOnDisk map[string]bool

	// mu guards the following and is never held while the disk works.
	mu       sync.RWMutex
	devices  map[string]auth.Device   // by fingerprint
	named    map[string][]auth.Device // by name
	pending  map[string]*pendingEntry // by fingerprint
	sources  map[netip.Prefix]int     // how many of pending are from each
	sequence uint64                   // of the latest pending call
	ports    map[uint16]gateway.PortAssignment
	seen     map[string]*seenEntry // by name
	saved    map[string]savedEntry // by kind and name

	dirty   chan struct{} // has one element when something waits to be flushed
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once
}

// Open opens the state in dir, creating both if need be. It fails if others
// than the owner can enter dir, if another process uses it, or if a newer
// version has written it; what an older one has written is upgraded, and a copy
// kept. failed is told when what is written in the background
// cannot be, once until it can again; it must not call the Store.
func Open(dir string, failed func(error)) (*Store, error) {
	if err := secureDir(dir); err != nil {
		return nil, err
	}
	if err := finishRestore(dir); err != nil {
		return nil, err
	}
	d, err := openBolt(filepath.Join(dir, fileName), false)
	if err != nil {
		return nil, err
	}
	if err := upgrade(d, dir, migrations); err != nil {
		d.close()
		return nil, fmt.Errorf("the state in %s: %w", dir, err)
	}
	s, err := open(d, failed)
	if err != nil {
		d.close()
		return nil, fmt.Errorf("reading the state in %s: %w", dir, err)
	}
	s.dir = dir
	return s, nil
}

func open(d disk, failed func(error)) (*Store, error) {
	s := newStore(d, failed)
	if err := d.load(s.loadRecord); err != nil {
		return nil, err
	}
	s.orderPending()
	go s.flusher()
	return s, nil
}

func newStore(d disk, failed func(error)) *Store {
	return &Store{
		disk:          d,
		failed:        failed,
		pendingOnDisk: map[string]bool{},
		devices:       map[string]auth.Device{},
		named:         map[string][]auth.Device{},
		pending:       map[string]*pendingEntry{},
		sources:       map[netip.Prefix]int{},
		ports:         map[uint16]gateway.PortAssignment{},
		seen:          map[string]*seenEntry{},
		saved:         map[string]savedEntry{},
		dirty:         make(chan struct{}, 1),
		stop:          make(chan struct{}),
		stopped:       make(chan struct{}),
	}
}

func (s *Store) loadRecord(table, key string, value []byte) error {
	var err error
	switch table {
	case deviceTable:
		err = s.loadDevice(value)
	case pendingTable:
		err = s.loadPending(value)
	case portTable:
		err = s.loadPort(value)
	case seenTable:
		err = s.loadSeen(value)
	case savedTable:
		err = s.loadSaved(value)
	}
	// A table that is not known here belongs to a newer version and is left alone.
	if err != nil {
		return fmt.Errorf("record %q in %q: %w", key, table, err)
	}
	return nil
}

// commit writes the changes and then, if that worked, lets memory follow. The
// caller holds s.change.
func (s *Store) commit(changes []change, follow func()) error {
	if err := s.disk.apply(changes); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	follow()
	return nil
}

// now is the time as it is stored: without a monotonic reading, which would
// not survive, and in UTC.
func now() time.Time { return time.Now().UTC().Round(0) }
