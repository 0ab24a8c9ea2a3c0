package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"callhome-gateway/auth"
)

const savedTable = "saved"

// The bounds of what operators may save: a session entry for each of ten
// thousand devices, and far more text than a block has.
const (
	maxSaved     = 1 << 14
	maxSavedText = 64 << 10
	maxSavedSum  = 16 << 20 // of all texts
)

// The kinds of what is Saved.
const (
	SavedUser         = "user"
	SavedSession      = "session"
	SavedCallhomeUser = "callhome-user"
)

// Saved is a part of the configuration that was added while the gateway ran.
type Saved struct {
	// Kind is one of SavedUser, SavedSession and SavedCallhomeUser.
	Kind string
	// Name is in lower case, as in the block.
	Name string
	// Text is the block as it would stand in the file, 64 KiB at most; empty for
	// a callhome-user, which has only a name. There may be secrets in it.
	Text string
	// Since is when it was first saved; Save sets it.
	Since time.Time
}

type savedEntry struct {
	Saved
	sequence uint64 // in which order they were saved
}

type savedRecord struct {
	V        int       `json:"v"`
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Text     string    `json:"text,omitempty"`
	Sequence uint64    `json:"sequence"`
	Since    time.Time `json:"since"`
}

func (s *Store) loadSaved(value []byte) error {
	r, err := decode[savedRecord](value)
	if err != nil {
		return err
	}
	e := savedEntry{Saved{Kind: r.Kind, Name: r.Name, Text: r.Text, Since: r.Since}, r.Sequence}
	s.saved[e.key()] = e
	return nil
}

func (e savedEntry) encode() (change, error) {
	return encode(savedTable, e.key(), savedRecord{
		V: version, Kind: e.Kind, Name: e.Name, Text: e.Text, Sequence: e.sequence, Since: e.Since,
	})
}

// key names it among all; a name has no slash.
func (b Saved) key() string { return b.Kind + "/" + b.Name }

// sessionKey is the key of a device's session entry.
func sessionKey(device string) string { return Saved{Kind: SavedSession, Name: device}.key() }

// Saved returns everything, in the order in which it was first saved.
func (s *Store) Saved() []Saved {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entries := make([]savedEntry, 0, len(s.saved))
	for _, e := range s.saved {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b savedEntry) int { return cmp.Compare(a.sequence, b.sequence) })
	list := make([]Saved, len(entries))
	for i, e := range entries {
		list[i] = e.Saved
	}
	return list
}

// Save adds the blocks, or replaces those of their kind and name, which keep
// their places: all of them or, with an error, none. It does not read their
// text; the error wraps auth.ErrBadName for a name that nothing can have.
func (s *Store) Save(blocks ...Saved) error {
	s.change.Lock()
	defer s.change.Unlock()
	w, err := s.saving(nil, blocks)
	if err != nil {
		return err
	}
	if err := s.commit(w.changes, func() { s.saveLocked(w) }); err != nil {
		return fmt.Errorf("saving %s: %w", what(blocks), err)
	}
	return nil
}

// Unsave removes one. The error wraps auth.ErrUnknownEntry where there is none.
func (s *Store) Unsave(kind, name string) error {
	s.change.Lock()
	defer s.change.Unlock()
	key := Saved{Kind: kind, Name: name}.key()
	if _, ok := s.savedEntry(key); !ok {
		return fmt.Errorf("%s %.80q: %w is saved: what the configuration file has is removed there", kind, name, auth.ErrUnknownEntry)
	}
	w := savedWrite{drop: []string{key}, changes: []change{{table: savedTable, key: key}}}
	if err := s.commit(w.changes, func() { s.saveLocked(w) }); err != nil {
		return fmt.Errorf("removing %s %s: %w", kind, name, err)
	}
	return nil
}

// savedWrite is what one step removes from what is saved, and then adds.
type savedWrite struct {
	drop    []string
	put     []savedEntry
	changes []change
}

// saving returns the write that drops those keys and puts the blocks in their
// order. The caller holds s.change.
func (s *Store) saving(drop []string, blocks []Saved) (w savedWrite, err error) {
	w.drop = drop
	for _, key := range drop {
		w.changes = append(w.changes, change{table: savedTable, key: key})
	}
	next := s.lastSaved() + 1
	for i, b := range blocks {
		if err := b.check(); err != nil {
			return w, err
		}
		e := savedEntry{b, next + uint64(i)}
		e.Since = now()
		if old, ok := s.savedEntry(b.key()); ok {
			e.Since, e.sequence = old.Since, old.sequence
		}
		put, err := e.encode()
		if err != nil {
			return w, err
		}
		w.put, w.changes = append(w.put, e), append(w.changes, put)
	}
	return w, s.roomFor(w)
}

func (b Saved) check() error {
	switch {
	case b.Kind != SavedUser && b.Kind != SavedSession && b.Kind != SavedCallhomeUser:
		return fmt.Errorf("%.80q is nothing that can be saved", b.Kind)
	case !auth.ValidName(b.Name):
		return fmt.Errorf("%s %.80q: %w: use up to 63 lower-case letters, digits and hyphens, and no hyphen first", b.Kind, b.Name, auth.ErrBadName)
	case len(b.Text) > maxSavedText:
		return fmt.Errorf("%s %s has %d bytes, and what is saved may have %d: put it into the configuration file", b.Kind, b.Name, len(b.Text), maxSavedText)
	}
	return nil
}

// roomFor refuses a write that would leave more than operators may save.
func (s *Store) roomFor(w savedWrite) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	size := map[string]int{}
	for key, e := range s.saved {
		size[key] = len(e.Text)
	}
	for _, key := range w.drop {
		delete(size, key)
	}
	for _, e := range w.put {
		size[e.key()] = len(e.Text)
	}
	sum := 0
	for _, n := range size {
		sum += n
	}
	if len(w.put) > 0 && (len(size) > maxSaved || sum > maxSavedSum) {
		return fmt.Errorf("%d entries of %d bytes would be saved, and there is room for %d of %d: move some to the configuration file", len(size), sum, maxSaved, maxSavedSum)
	}
	return nil
}

func (s *Store) saveLocked(w savedWrite) {
	for _, key := range w.drop {
		delete(s.saved, key)
	}
	for _, e := range w.put {
		s.saved[e.key()] = e
	}
}

func (s *Store) savedEntry(key string) (savedEntry, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.saved[key]
	return e, ok
}

func (s *Store) lastSaved() (last uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.saved {
		last = max(last, e.sequence)
	}
	return last
}

func what(blocks []Saved) string {
	if len(blocks) == 1 {
		return blocks[0].Kind + " " + blocks[0].Name
	}
	return fmt.Sprintf("%d entries", len(blocks))
}
