package gateway

import (
	"io"
	"time"
)

const (
	// maxEarly is how much a manager may send before it asks for a subsystem.
	// Clients that do not wait for the answer send a hello, or a whole script
	// that is piped to them.
	maxEarly = 64 << 10
	// earlyGrace is how long the request for the subsystem may be on its way
	// inside of this process when there is more than that.
	earlyGrace = time.Second
)

// earlyReader reads a channel on behalf of those who come later. What nobody
// reads waits packet by packet in x/crypto, and packets of one byte take fifty
// times their size there.
type earlyReader struct {
	channel io.Reader
	asked   chan struct{} // closed when the subsystem was asked for
	done    chan struct{} // closed when collect has returned

	// Of collect, and after it of Read.
	data []byte
	err  error

	handed bool // to Read
}

func newEarlyReader(channel io.Reader) *earlyReader {
	return &earlyReader{channel: channel, asked: make(chan struct{}), done: make(chan struct{})}
}

// collect reads what comes before asked is closed, and the first piece after
// that. It calls tooMuch, once, when it is more than it may be.
func (r *earlyReader) collect(tooMuch func()) {
	defer close(r.done)
	piece := make([]byte, 4<<10)
	for r.err == nil {
		var n int
		n, r.err = r.channel.Read(piece)
		r.data = append(r.data, piece[:n]...)
		grace := time.Duration(0)
		if len(r.data) > maxEarly {
			grace = earlyGrace
		}
		if r.wasAsked(grace) {
			return
		}
		if grace != 0 {
			tooMuch()
			return
		}
	}
}

// wasAsked reports whether asked is closed, or will be in that time.
func (r *earlyReader) wasAsked(within time.Duration) bool {
	select {
	case <-r.asked:
		return true
	default:
	}
	if within == 0 {
		return false
	}
	select {
	case <-r.asked:
		return true
	case <-time.After(within):
		return false
	}
}

// Read returns what was collected, and then what the channel has. It may be
// called once asked is closed.
func (r *earlyReader) Read(p []byte) (int, error) {
	if !r.handed {
		<-r.done
		r.handed = true
	}
	if len(r.data) > 0 {
		n := copy(p, r.data)
		if r.data = r.data[n:]; len(r.data) == 0 {
			r.data = nil
		}
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.channel.Read(p)
}

// watchEarly ends a session on what no NETCONF client sends: much before the
// subsystem is asked for.
func (s *sshSession) watchEarly() {
	s.early.collect(func() {
		s.end(&ending{reason: "the manager sent data before it asked for a subsystem", status: 1, abrupt: true})
	})
}

// watchStderr ends a session on what no client sends: anything on the error
// stream, which is the server's (RFC 4254 section 5.2), and is read by nobody.
func (s *sshSession) watchStderr() {
	if n, _ := s.channel.Stderr().Read(make([]byte, 1)); n > 0 {
		s.end(&ending{reason: "the manager sent data on the error stream", status: 1, abrupt: true})
	}
}
