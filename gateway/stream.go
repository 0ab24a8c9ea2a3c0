package gateway

import (
	"io"
	"sync/atomic"
	"time"
)

// stream is the manager's side of a session as bytes. It counts them, and
// reports a manager that stalls: that reads nothing while something waits to
// be written, or that stops in the middle of a message. Where the device's
// server holds one lock for all channels of a connection, as libnetconf2 does,
// such a manager would stall all others.
type stream struct {
	io.ReadWriteCloser
	// inMessage tells whether what is read next belongs to a message that has
	// begun; between messages a manager may be silent for as long as it likes.
	inMessage func() bool

	reads, writes stallWatch
	writing       chan struct{} // holds a token while a write is in progress
	in, out       atomic.Uint64
}

func newStream(rwc io.ReadWriteCloser, limit time.Duration, stalled func(reason string)) *stream {
	s := &stream{ReadWriteCloser: rwc, writing: make(chan struct{}, 1)}
	s.reads = stallWatch{limit: limit, stalled: func() { stalled("the manager stopped in the middle of a message") }}
	s.writes = stallWatch{limit: limit, stalled: func() { stalled("the manager reads nothing") }}
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	if s.inMessage != nil && s.inMessage() {
		s.reads.begin()
		defer s.reads.end()
	}
	n, err := s.ReadWriteCloser.Read(p)
	s.in.Add(uint64(n))
	return n, err
}

// Write writes p, which is a piece of a message at most: the time that it may
// take is for all of it.
func (s *stream) Write(p []byte) (int, error) {
	s.writing <- struct{}{}
	s.writes.begin()
	n, err := s.ReadWriteCloser.Write(p)
	s.writes.end()
	<-s.writing
	s.out.Add(uint64(n))
	return n, err
}

// stop ends the watch over the manager once nothing is read or written any more.
func (s *stream) stop() {
	s.reads.stop()
	s.writes.stop()
}

// blocked reports whether a write is in progress that does not end soon.
func (s *stream) blocked() bool {
	const soon = 100 * time.Millisecond
	select {
	case s.writing <- struct{}{}:
		<-s.writing
		return false
	case <-time.After(soon):
		return true
	}
}
