package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// loginCacheTTL is how long a password that was right is not hashed again:
	// a manager that opens hundreds of devices at once logs in hundreds of times.
	loginCacheTTL  = time.Minute
	loginCacheSize = 1024
)

// loginCache remembers passwords that were right, as MACs under a key that
// lives in this process only.
type loginCache struct {
	key   [32]byte
	mu    sync.Mutex // guards the following
	until map[[sha256.Size]byte]time.Time
}

func newLoginCache() *loginCache {
	c := &loginCache{until: make(map[[sha256.Size]byte]time.Time)}
	rand.Read(c.key[:]) // never fails (crypto/rand)
	return c
}

// tag names the pair of manager and password. The hash is part of it, so that
// a changed password makes the old one worthless at once.
func (c *loginCache) tag(m *Manager, password []byte) (tag [sha256.Size]byte) {
	mac := hmac.New(sha256.New, c.key[:])
	mac.Write([]byte(m.Name + "\x00" + m.PasswordHash + "\x00"))
	mac.Write(password)
	mac.Sum(tag[:0])
	return tag
}

func (c *loginCache) has(tag [sha256.Size]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.until[tag])
}

func (c *loginCache) add(tag [sha256.Size]byte) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.until) >= loginCacheSize {
		for old, until := range c.until {
			if !now.Before(until) {
				delete(c.until, old)
			}
		}
	}
	if len(c.until) >= loginCacheSize {
		clear(c.until)
	}
	c.until[tag] = now.Add(loginCacheTTL)
}
