package auth

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// Attempt is one try of a manager to log in.
type Attempt struct {
	// Manager is the name that it gave; anything may be in it.
	Manager string
	// Device is the device that it asked for; empty when it named none, which
	// every manager with devices may do.
	Device string
	// Source is where it comes from.
	Source netip.Addr
}

// Logins decides who a manager is and whether it may reach the device that it
// asked for. To the one who tries, all failures look alike, in time as well:
// an unknown manager, a wrong password and a device that is not allowed cost
// the same hash. Its methods may be called concurrently.
type Logins struct {
	managers map[string]*Manager
	// decoy is the hash that is computed where there is none to compare with:
	// the most expensive of the managers'. Empty when no password is right.
	decoy     []byte
	hashing   chan struct{} // one place for each hash in progress
	penalties penalties
	cache     *loginCache
}

// NewLogins returns the decision for these managers, or an error that names
// what is wrong with one of them.
func NewLogins(managers []Manager) (*Logins, error) {
	l := &Logins{
		managers: make(map[string]*Manager, len(managers)),
		// Hashing takes a quarter of a second of CPU: half of the machine stays
		// with the sessions that run.
		hashing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		cache:   newLoginCache(),
	}
	worst := 0
	for i := range managers {
		m := managers[i]
		if err := m.check(); err != nil {
			return nil, err
		}
		if l.managers[m.Name] != nil {
			return nil, fmt.Errorf("manager %q is defined twice", m.Name)
		}
		l.managers[m.Name] = &m
		if cost, err := bcrypt.Cost([]byte(m.PasswordHash)); err == nil && cost > worst {
			worst, l.decoy = cost, []byte(m.PasswordHash)
		}
	}
	return l, nil
}

// Password returns the manager that the name and the password prove, if it
// may reach the device. It blocks while others are hashed, until ctx ends.
func (l *Logins) Password(ctx context.Context, a Attempt, password []byte) (*Manager, error) {
	if !l.penalties.take(a.Source) {
		return nil, ErrPenalty
	}
	m, err := l.password(ctx, a, password)
	if err == nil || err == ErrLoginsBusy {
		l.penalties.refund(a.Source)
	}
	return m, err
}

func (l *Logins) password(ctx context.Context, a Attempt, password []byte) (*Manager, error) {
	m, reason := l.find(a)
	if m == nil || m.PasswordHash == "" {
		if err := l.compare(ctx, l.decoy, password); err == ErrLoginsBusy {
			return nil, err
		}
		if m != nil && reason == nil {
			reason = ErrWrongPassword
		}
		return nil, reason
	}
	// Who may not reach the device is hashed every time: a fast refusal would
	// tell that the password was right.
	tag := l.cache.tag(m, password)
	if reason == nil && l.cache.has(tag) {
		return m, nil
	}
	if err := l.compare(ctx, []byte(m.PasswordHash), password); err != nil {
		return nil, err
	}
	if reason != nil {
		return nil, reason
	}
	l.cache.add(tag)
	return m, nil
}

// Key returns the manager that the key would prove, if it may reach the
// device. It is asked before the signature is checked, and often only to ask:
// a key that is not known is no failed login.
func (l *Logins) Key(a Attempt, key ssh.PublicKey) (*Manager, error) {
	m, reason := l.find(a)
	if reason != nil {
		return nil, reason
	}
	if !m.hasKey(key) {
		return nil, ErrUnknownKey
	}
	return m, nil
}

// find returns the manager of that name, if there is one, and why it may not
// come in however well it proves itself.
func (l *Logins) find(a Attempt) (*Manager, error) {
	m := l.managers[a.Manager]
	switch {
	case m == nil:
		return nil, ErrUnknownManager
	case a.Device == "" && len(m.Devices) > 0, m.MayReach(a.Device):
		return m, nil
	}
	return m, ErrDeviceDenied
}

// compare hashes the password, not more than a few at a time.
func (l *Logins) compare(ctx context.Context, hash, password []byte) error {
	if len(hash) == 0 {
		return ErrWrongPassword
	}
	select {
	case l.hashing <- struct{}{}:
	case <-ctx.Done():
		return ErrLoginsBusy
	}
	defer func() { <-l.hashing }()
	if bcrypt.CompareHashAndPassword(hash, password) != nil {
		return ErrWrongPassword
	}
	return nil
}
