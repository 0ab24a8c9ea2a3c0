package callhome

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// tlsBearer is the TLS connection under a link. It carries one NETCONF session
// (RFC 7589), the gateway's own, so its one goroutine reads that.
type tlsBearer struct {
	link *Link
	conn *tls.Conn
	// ready is closed when the control session is open.
	ready chan struct{}
}

func newTLSBearer(l *Link, conn *tls.Conn) *tlsBearer {
	l.call.keepAliveProbes(l.liveness.interval, l.liveness.deadAfter)
	return &tlsBearer{link: l, conn: conn, ready: make(chan struct{})}
}

func (b *tlsBearer) transport() Transport { return TLS }

func (b *tlsBearer) serve() {
	select {
	case <-b.ready:
		b.link.watchControl()
	case <-b.link.ending:
	}
}

func (b *tlsBearer) openControl(ctx context.Context) error {
	s := newSession(b.link, tlsStream{b.conn, b.link.call})
	if err := s.within(ctx, s.exchangeHellos); err != nil {
		return err
	}
	b.link.control.Store(s)
	close(b.ready)
	return nil
}

func (b *tlsBearer) openFurther(context.Context) (*Session, error) {
	return nil, fmt.Errorf("%w: over TLS there is one, which the gateway holds", ErrNoSession)
}

// tlsStream closes the call without a word, so that the device does not call
// again before its call is over.
type tlsStream struct {
	*tls.Conn
	call *callConn
}

func (s tlsStream) Close() error { return s.call.Close() }

// goodbyeTimeout is for an alert that the kernel takes at once, unless the
// device takes no data.
const goodbyeTimeout = time.Second

// sayGoodbye sends close_notify (RFC 7589 section 3).
func (b *tlsBearer) sayGoodbye() {
	late := time.AfterFunc(goodbyeTimeout, func() { _ = b.link.call.Close() })
	defer late.Stop()
	_ = b.conn.CloseWrite()
	_ = b.link.call.Close()
}

// keepAlive leaves it to the kernel, whose keepalive probes the device's TCP
// acknowledges: TLS has nothing to send besides NETCONF, since crypto/tls has
// no heartbeats (RFC 6520). Where only replies count NETCONF must do.
func (b *tlsBearer) keepAlive() {
	if b.link.liveness.byReply {
		b.link.spawn(b.ask)
	}
}

func (b *tlsBearer) owesAnswer() bool { return b.link.idleOwed.Load() > 0 }

func (b *tlsBearer) ask() {
	if b.link.Control() != nil && !b.owesAnswer() {
		b.link.sendIdleRPC()
	}
}

// provoke lets the kernel send a keepalive probe at once, or a second after
// the last sign of life: a shorter idle time counts from then.
func (b *tlsBearer) provoke() (stop func(), ok bool) {
	b.link.call.setKeepAliveIdle(time.Second)
	return func() { b.link.call.setKeepAliveIdle(b.link.liveness.interval) }, true
}
