package store

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

const seenTable = "seen"

// maxSeen bounds the names of which something is remembered. Half of it is for
// devices that are approved or have logged in: under trust on first use,
// strangers that fail to log in have names as well.
const maxSeen = 1 << 17

// Seen is what is remembered of a device while it is away.
type Seen struct {
	Name string
	// Last is when it was last connected; zero if never.
	Last time.Time
	// Outcome is that of its latest call; its Reason is empty if there was none.
	Outcome callhome.Outcome
}

type seenEntry struct {
	Seen
	// voucher is the key of the CA that gave the device its name; zero for others.
	voucher auth.Identity
	dirty   bool
}

type seenRecord struct {
	V       int       `json:"v"`
	Name    string    `json:"name"`
	Last    time.Time `json:"last,omitzero"`
	Voucher string    `json:"voucher,omitempty"` // the fingerprint
	// VoucherType is empty for auth.TypeCertificateKey.
	VoucherType string         `json:"voucher_type,omitempty"`
	Outcome     *outcomeRecord `json:"outcome,omitempty"`
}

type outcomeRecord struct {
	Time        time.Time      `json:"time"`
	Reason      string         `json:"reason"`
	Remote      netip.AddrPort `json:"remote"`
	Type        string         `json:"type,omitempty"`
	Fingerprint string         `json:"fingerprint,omitempty"`
	User        string         `json:"user,omitempty"`
	Detail      string         `json:"detail,omitempty"`
}

func (s *Store) loadSeen(value []byte) error {
	r, err := decode[seenRecord](value)
	if err != nil {
		return err
	}
	e := &seenEntry{Seen: Seen{Name: r.Name, Last: r.Last}}
	if r.Voucher != "" {
		e.voucher = auth.Identity{Type: cmp.Or(r.VoucherType, auth.TypeCertificateKey), Fingerprint: r.Voucher}
	}
	if o := r.Outcome; o != nil {
		e.Outcome = callhome.Outcome{
			Time: o.Time, Reason: callhome.Reason(o.Reason), Remote: o.Remote, Device: r.Name,
			Identity: auth.Identity{Type: o.Type, Fingerprint: o.Fingerprint},
			User:     o.User, Detail: o.Detail,
		}
	}
	s.seen[r.Name] = e
	return nil
}

func (e *seenEntry) record() seenRecord {
	r := seenRecord{V: version, Name: e.Name, Last: e.Last, Voucher: e.voucher.Fingerprint}
	if e.voucher.Type != auth.TypeCertificateKey {
		r.VoucherType = e.voucher.Type
	}
	if o := e.Outcome; o.Reason != "" {
		r.Outcome = &outcomeRecord{
			Time: o.Time, Reason: string(o.Reason), Remote: o.Remote,
			Type: o.Identity.Type, Fingerprint: o.Identity.Fingerprint,
			User: o.User, Detail: o.Detail,
		}
	}
	return r
}

// named returns the same under another name, to be written.
func (e *seenEntry) named(name string) *seenEntry {
	other := *e
	other.Name, other.dirty = name, true
	if other.Outcome.Device != "" {
		other.Outcome.Device = name
	}
	return &other
}

// NoteOutcome remembers how the latest call of a device ended. Calls of which
// the device is not known are not remembered. It never waits for the disk.
func (s *Store) NoteOutcome(o callhome.Outcome) {
	s.noteSeen(o.Device, o.Reason == callhome.Accepted, func(e *seenEntry) {
		e.Outcome = o
		if o.Reason == callhome.Accepted {
			e.Last = o.Time.Round(0)
		}
	})
}

// NoteSeen remembers that the device was connected until the given time. It
// never waits for the disk.
func (s *Store) NoteSeen(name string, last time.Time) {
	s.noteSeen(name, true, func(e *seenEntry) { e.Last = last.Round(0) })
}

// Voucher implements auth.Memory.
func (s *Store) Voucher(name string) auth.Identity {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, ok := s.seen[name]; ok {
		return e.voucher
	}
	return auth.Identity{}
}

// NoteVoucher implements auth.Memory. When the store is full of names (maxSeen)
// it remembers no more of them.
func (s *Store) NoteVoucher(name string, ca auth.Identity) {
	if s.Voucher(name) != ca {
		s.noteSeen(name, true, func(e *seenEntry) { e.voucher = ca })
	}
}

func (s *Store) noteSeen(name string, connected bool, update func(*seenEntry)) {
	if name == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.seen[name]
	if !ok {
		room := maxSeen
		if !connected && s.named[name] == nil {
			room /= 2
		}
		if len(s.seen) >= room {
			return
		}
		e = &seenEntry{Seen: Seen{Name: name}}
		s.seen[name] = e
	}
	update(e)
	e.dirty = true
	s.markDirty()
}

// Seen returns what is remembered of the device.
func (s *Store) Seen(name string) (Seen, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.seen[name]
	if !ok {
		return Seen{}, false
	}
	return e.Seen, true
}

// Issued reports whether a CA has named the device, or it has proved itself by a
// certificate of TLS when it last called.
func (s *Store) Issued(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.seen[name]
	return ok && e.issued()
}

func (e *seenEntry) issued() bool {
	return !e.voucher.IsZero() || e.Outcome.Identity.Type == auth.TypeCertificate
}

// AllIssued returns the names of all devices for which Issued holds, in order.
func (s *Store) AllIssued() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for name, e := range s.seen {
		if e.issued() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Store) collectSeenLocked(b *batch) {
	for name, e := range s.seen {
		if e.dirty {
			b.add(&e.dirty, seenTable, name, e.record())
		}
	}
}
