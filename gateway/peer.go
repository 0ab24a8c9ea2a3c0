package gateway

import "time"

// peer is what has become of the other side of a connection.
type peer uint8

const (
	peerThere  peer = iota // or it is not known
	peerClosed             // it sends no more, and hardly reads
	peerReset
)

// lookEvery is how often a TLS session looks whether the manager is still there.
const lookEvery = 5 * time.Second

// lookOut ends the session of a manager that has closed its connection while
// nobody reads that: a request waits for its turn, or the device for its answer.
// Else it would be carried out long after, or keep the device from the other
// managers. What was sent before has a little time; close_notify alone is no
// end, since one who has sent it may go on to read.
func (s *tlsSession) lookOut() {
	tick := time.NewTicker(min(lookEvery, s.opts.StallTimeout))
	defer tick.Stop()
	var since time.Time // it was seen to have closed, and nothing has gone to it
	var out uint64
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		state := peerOf(s.conn.conn)
		if state == peerThere {
			continue
		}
		// What goes to one that is gone is answered by a reset.
		if now := s.stream.out.Load(); since.IsZero() || now != out {
			since, out = time.Now(), now
		}
		if state == peerReset || time.Since(since) >= min(lastWords, s.opts.StallTimeout) {
			s.end(&ending{reason: "the manager has closed the connection", abrupt: true})
			return
		}
	}
}
