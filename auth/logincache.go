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
	// loginCacheTTL is how long after its last use a password that was right is not
	// hashed again: a manager that opens hundreds of devices at once logs in
	// hundreds of times, and neither guessing from its address nor a crowd of
	// guessers may keep it out meanwhile.
	loginCacheTTL  = time.Hour
	loginCacheSize = 4096
)

// loginCache remembers passwords that were right, as MACs under a key that
// lives in this process only, and those that are being hashed.
type loginCache struct {
	key   [32]byte
	right *Recent[loginTag]

	mu      sync.Mutex // guards the following; taken before that of right
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
	c := &loginCache{right: NewRecent[loginTag](loginCacheTTL, loginCacheSize), running: make(map[loginTag]*hashing)}
	rand.Read(c.key[:]) // never fails (crypto/rand)
	return c
}

// nameTag stands for a name that is tried, however long that is.
func (c *loginCache) nameTag(name string) (tag loginTag) {
	mac := hmac.New(sha256.New, c.key[:])
	mac.Write([]byte(name))
	mac.Sum(tag[:0])
	return tag
}

// tag names what is tried. The hash is part of it, so that a changed password
// makes the old one worthless at once; the source, so that nobody can guess,
// without being charged, what another has just logged in with; and whether the
// password may come in at all, since what may not is hashed every time.
func (c *loginCache) tag(g guesser, v verdicts, password []byte) (tag loginTag) {
	mac := hmac.New(sha256.New, c.key[:])
	fmt.Fprintf(mac, "%s %t %q %x ", g.source, v.right == nil, v.hash, g.name)
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
	if c.right.Has(tag) {
		c.right.Note(tag)
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
		c.right.Note(tag)
	}
	delete(c.running, tag)
	close(h.done)
}
