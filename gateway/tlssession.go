package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// tlsSession is the TLS connection of a manager that has logged in, which is
// one NETCONF session with the device that was granted (RFC 7589). There is
// nothing to say why it ends but the log.
type tlsSession struct {
	*managerSession
	tls *tlsStream
}

func newTLSSession(c *managerConn, conn *tls.Conn) *tlsSession {
	s := &tlsSession{tls: &tlsStream{Conn: conn}}
	s.managerSession = newManagerSession(c, s.tls)
	s.tls.broken = func(err error) {
		s.end(&ending{reason: "the manager's connection failed", detail: err, abrupt: true})
	}
	return s
}

func (s *tlsSession) about() *managerConn { return s.conn }

// dismiss implements visitor.
func (s *tlsSession) dismiss(why *ending) int {
	if s.ctx.Err() != nil {
		return 0
	}
	s.end(why)
	return 1
}

// serve carries the session until it has ended on both sides.
func (s *tlsSession) serve() {
	defer s.stream.stop()
	defer s.work.Wait()
	quotas, granted := &s.conn.e.g.quotas, s.conn.grant
	defer quotas.disconnect(granted) // a busy device makes the work last longer
	if refusal := quotas.enter(granted, s.opts.MaxSessions); refusal != "" {
		s.turnAway(refusal)
		return
	}
	defer quotas.leave(granted)
	s.work.Go(func() { s.carry(s.find()) })
	s.work.Go(s.lookOut)
	s.finish(s.watch(nil, nil))
}

// turnAway ends a connection that is one too many.
func (s *tlsSession) turnAway(sentence string) {
	s.conn.logRefusal(sentence)
	why := refused(sentence, sentence)
	why.abrupt = true
	s.end(why)
	s.finish(why)
}

// finish says goodbye to the manager by close_notify. It returns when the
// manager has closed the connection too, or has had its time to.
func (s *tlsSession) finish(why *ending) {
	defer s.conn.kill()
	grace := why.grace(s.opts.StallTimeout)
	late := time.AfterFunc(grace, s.conn.kill)
	defer late.Stop()
	if s.stream.blocked() {
		return // it would not come through
	}
	_ = s.tls.CloseWrite()
	if !why.abrupt { // which does not take long
		defer context.AfterFunc(s.conn.e.g.ctx, s.conn.kill)()
	}
	s.tls.hangUp(time.Now().Add(grace))
}

// tlsStream is a TLS connection that is read no further at some time.
type tlsStream struct {
	*tls.Conn
	broken func(error) // told why it cannot be read, unless that is its end

	reading sync.Mutex // held while it is read; guards the following
	ended   bool
}

func (t *tlsStream) Read(p []byte) (int, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	if t.ended {
		return 0, net.ErrClosed
	}
	n, err := t.Conn.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.broken(err)
	}
	return n, err
}

// hangUp hangs up once nobody reads any more.
func (t *tlsStream) hangUp(until time.Time) {
	_ = t.NetConn().SetReadDeadline(time.Unix(1, 0)) // whoever reads now stops
	t.reading.Lock()
	defer t.reading.Unlock()
	t.ended = true
	hangUp(t.NetConn(), until)
}

// hangUp ends the sending side of a connection, and drops what still comes
// until the other side has ended too. One that is closed with something unread
// is reset, and what it has sent last, an alert as a rule, may be lost by that.
func hangUp(conn net.Conn, until time.Time) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(until)
	_, _ = io.Copy(io.Discard, conn)
}
