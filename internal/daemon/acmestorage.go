package daemon

import (
	"context"
	"sync"

	"github.com/caddyserver/certmagic"
)

// acmeStorage keeps the account, keys and certificates in files. Its locks are
// in memory, since no other process uses the state directory: lock files would
// be there after a crash, and each has a goroutine that keeps it fresh.
type acmeStorage struct {
	certmagic.FileStorage

	mu   sync.Mutex
	held map[string]chan struct{} // closed when the lock is free
}

func newACMEStorage(dir string) *acmeStorage {
	return &acmeStorage{FileStorage: certmagic.FileStorage{Path: dir}, held: make(map[string]chan struct{})}
}

// Lock implements certmagic.Locker.
func (s *acmeStorage) Lock(ctx context.Context, name string) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		taken := s.try(name)
		if taken == nil {
			return nil
		}
		select {
		case <-taken:
		case <-ctx.Done():
		}
	}
}

// TryLock implements certmagic.TryLocker.
func (s *acmeStorage) TryLock(ctx context.Context, name string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return s.try(name) == nil, nil
}

// try takes the lock and returns nil, or returns what is closed once it is free.
func (s *acmeStorage) try(name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if taken, ok := s.held[name]; ok {
		return taken
	}
	s.held[name] = make(chan struct{})
	return nil
}

// Unlock implements certmagic.Locker.
func (s *acmeStorage) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if taken, ok := s.held[name]; ok {
		close(taken)
		delete(s.held, name)
	}
	return nil
}

// wait returns when no lock is held: nothing is being obtained or renewed.
func (s *acmeStorage) wait() {
	for taken := s.any(); taken != nil; taken = s.any() {
		<-taken
	}
}

func (s *acmeStorage) any() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, taken := range s.held {
		return taken
	}
	return nil
}
