package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
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
// lives in this process only, and those that are being hashed.
type loginCache struct {
	key     [32]byte
	mu      sync.Mutex // guards the following
	until   map[loginTag]time.Time
	running map[loginTag]*hashing
}

// loginTag stands for attempts that are alike.
type loginTag [sha256.Size]byte

// hashing is one attempt in progress.
type hashing struct {
	done chan struct{}
	err  error // set before done is closed
}

func newLoginCache() *loginCache {
	c := &loginCache{until: make(map[loginTag]time.Time), running: make(map[loginTag]*hashing)}
	rand.Read(c.key[:]) // never fails (crypto/rand)
	return c
}

// tag names what is tried. The hash is part of it, so that a changed password
// makes the old one worthless at once; the source, so that nobody can guess,
// without being charged, what another has just logged in with; and whether the
// password may come in at all, since what may not is hashed every time.
func (c *loginCache) tag(a Attempt, v verdicts, password []byte) (tag loginTag) {
	mac := hmac.New(sha256.New, c.key[:])
	fmt.Fprintf(mac, "%s %t %q %q ", Network(a.Source), v.right == nil, v.hash, a.Manager)
	mac.Write(password)
	mac.Sum(tag[:0])
	return tag
}

// once returns nil when the password was right a short while ago. Otherwise it
// calls try, or waits, until ctx ends, for a call for the same tag.
func (c *loginCache) once(ctx context.Context, tag loginTag, try func() error) error {
	for {
		h, first := c.join(tag)
		if h == nil {
			return nil
		}
		if first {
			h.err = try()
			c.finish(tag, h)
			return h.err
		}
		select {
		case <-h.done:
		case <-ctx.Done():
			return ErrLoginsBusy
		}
		if h.err != ErrLoginsBusy {
			return h.err
		}
		// The other one gave up before it was decided.
	}
}

// join returns the attempt in progress for the tag, and whether it is the
// caller's own; nil where none is needed.
func (c *loginCache) join(tag loginTag) (h *hashing, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until[tag]) {
		return nil, false
	}
	if h := c.running[tag]; h != nil {
		return h, false
	}
	h = &hashing{done: make(chan struct{})}
	c.running[tag] = h
	return h, true
}

func (c *loginCache) finish(tag loginTag, h *hashing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.err == nil {
		c.addLocked(tag)
	}
	delete(c.running, tag)
	close(h.done)
}

func (c *loginCache) addLocked(tag loginTag) {
	now := time.Now()
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
