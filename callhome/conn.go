package callhome

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// callConn is the TCP connection of a call. It stands under x/crypto/ssh
// or crypto/tls to replay the version line that was read before, to remember
// how the connection failed (the errors of x/crypto do not tell a refusal from
// a reset), and to close late: libnetconf2 redials at once when its call is
// closed at once.
type callConn struct {
	net.Conn
	opened time.Time

	// replay is what was read ahead; only the reader touches it.
	replay []byte
	// greeted is our version line once it was sent, so that x/crypto's own
	// sending of it is swallowed; only the first writer touches it.
	greeted []byte
	// overheard, if not nil, is shown what the device sends. It is set before
	// the reading begins, and unset while nobody reads.
	overheard func([]byte)
	// pace, if not nil, is how a handshake reads; only the reader touches it.
	pace *pace
	// muted keeps what is written in farewell, for the end of the call. Only
	// the goroutine that handles the call uses the two.
	muted    bool
	farewell []byte

	// lastRead is when the last byte came from the device, as the time since
	// opened: the monotonic clock does not jump.
	lastRead atomic.Int64
	failure  atomic.Pointer[error]
	closed   atomic.Bool
	// deadlines is held while a deadline is set, and while closed becomes
	// true: a deadline of ours must not undo the one that Close sets.
	deadlines sync.Mutex
}

func newCallConn(raw net.Conn) *callConn {
	return &callConn{Conn: raw, opened: time.Now()}
}

// silence returns how long nothing has come from the device.
func (c *callConn) silence() time.Duration {
	return time.Since(c.opened) - time.Duration(c.lastRead.Load())
}

func (c *callConn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	var n int
	var err error
	switch {
	case c.pace != nil:
		n, err = c.pace.read(p)
	case len(c.replay) > 0:
		n = copy(p, c.replay)
		c.consume(n)
	default:
		n, err = c.Conn.Read(p)
		if n > 0 {
			c.touch()
		}
		err = c.note(err)
	}
	if n > 0 && c.overheard != nil {
		c.overheard(p[:n])
	}
	return n, err
}

// consume takes what was read from the replay.
func (c *callConn) consume(n int) {
	if c.replay = c.replay[n:]; len(c.replay) == 0 {
		c.replay = nil
	}
}

// touch notes a sign of life.
func (c *callConn) touch() { c.lastRead.Store(int64(time.Since(c.opened))) }

func (c *callConn) Write(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if c.muted {
		c.farewell = append(c.farewell, p[:min(len(p), maxFarewell-len(c.farewell))]...)
		return len(p), nil
	}
	if c.greeted != nil {
		greeted := c.greeted
		c.greeted = nil
		if bytes.Equal(p, greeted) {
			return len(p), nil
		}
	}
	n, err := c.Conn.Write(p)
	return n, c.note(err)
}

// Close makes reads and writes fail without closing the connection, so that
// whoever handles the call decides when the device sees the end.
func (c *callConn) Close() error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return c.Conn.SetDeadline(time.Unix(1, 0))
}

// SetDeadline, like its siblings, does nothing after Close.
func (c *callConn) SetDeadline(t time.Time) error { return c.setDeadline(c.Conn.SetDeadline, t) }

// SetReadDeadline is SetDeadline for reads.
func (c *callConn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(c.Conn.SetReadDeadline, t)
}

// SetWriteDeadline is SetDeadline for writes.
func (c *callConn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(c.Conn.SetWriteDeadline, t)
}

func (c *callConn) setDeadline(set func(time.Time) error, t time.Time) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	return set(t)
}

// maxFarewell is what a TLS alert takes, many times over.
const maxFarewell = 256

// mute keeps what is written from now on until the call ends: a device that is
// rejected with a TLS alert goes away and calls again at once, as if its call
// had been closed.
func (c *callConn) mute() { c.muted = true }

// end closes the connection itself, with what a muted call had to say.
func (c *callConn) end() error {
	c.closed.Store(true)
	if len(c.farewell) > 0 && c.Conn.SetWriteDeadline(time.Now().Add(farewellTimeout)) == nil {
		_, _ = c.Conn.Write(c.farewell)
	}
	return c.Conn.Close()
}

// farewellTimeout is for a few bytes that the kernel takes at once, if at all.
const farewellTimeout = 100 * time.Millisecond

// note keeps the first error that the network gave, unless we closed.
func (c *callConn) note(err error) error {
	if err != nil && !c.closed.Load() {
		first := err // err itself would be allocated at every read and write
		c.failure.CompareAndSwap(nil, &first)
	}
	return err
}

// failed returns the error that ended the connection from outside, or nil.
func (c *callConn) failed() error {
	if err := c.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// broken is failed, or says that we have closed the connection ourselves: the
// call had to make room for others.
func (c *callConn) broken() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.failed()
}

// timedOut reports whether a deadline of ours ended the connection.
func (c *callConn) timedOut() bool { return errors.Is(c.failed(), os.ErrDeadlineExceeded) }
