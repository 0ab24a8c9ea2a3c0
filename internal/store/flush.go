package store

import (
	"errors"
	"fmt"
	"time"
)

// markDirty has the flusher run within flushInterval.
func (s *Store) markDirty() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

func (s *Store) flusher() {
	defer close(s.stopped)
	for failing := false; ; {
		select {
		case <-s.stop:
			return
		case <-s.dirty:
		}
		select {
		case <-s.stop:
			return
		case <-time.After(flushInterval):
		}
		err := s.flush()
		if err != nil {
			s.markDirty()
		}
		if err != nil && !failing {
			s.failed(err)
		}
		failing = err != nil
	}
}

// flush writes the pending identities and last-seen times that changed. What
// could not be written stays marked and is tried again.
func (s *Store) flush() error {
	s.change.Lock()
	defer s.change.Unlock()
	batch := &batch{onDisk: map[string]bool{}}
	s.mu.Lock()
	s.collectPendingLocked(batch)
	s.collectSeenLocked(batch)
	s.mu.Unlock()
	if len(batch.changes) == 0 {
		return batch.err
	}
	if err := s.disk.apply(batch.changes); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, dirty := range batch.taken {
			*dirty = true
		}
		return fmt.Errorf("writing pending devices and last-seen times: %w", errors.Join(err, batch.err))
	}
	s.pendingOnDisk = batch.onDisk
	return batch.err
}

// batch is what one flush writes.
type batch struct {
	changes []change
	taken   []*bool         // the dirty marks that were cleared for it
	onDisk  map[string]bool // the pending fingerprints that are on disk after it
	err     error
}

// add takes the record and clears the mark that it changed.
func (b *batch) add(dirty *bool, table, key string, record any) {
	*dirty = false
	c, err := encode(table, key, record)
	if err != nil {
		b.err = errors.Join(b.err, err)
		return
	}
	b.changes = append(b.changes, c)
	b.taken = append(b.taken, dirty)
}

// Close writes what is left and releases the state. Methods that write fail
// from then on; those that read go on to work.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		close(s.stop)
		<-s.stopped
		err = errors.Join(s.flush(), s.disk.close())
	})
	return err
}
