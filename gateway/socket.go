package gateway

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// socket is a port that the gateway listens on for one endpoint at a time: a
// reload may hand it over to another. Once it serves it costs a waiting goroutine.
type socket struct {
	g        *Gateway
	address  netip.Addr
	port     uint16
	listener net.Listener
	// endpoint is whose the connections are from now on.
	endpoint atomic.Pointer[endpoint]
	once     sync.Once
}

// listen opens a socket that does not serve yet.
func (g *Gateway) listen(set *settings, port uint16) (*socket, error) {
	listener, err := set.Listen(set.Address, port)
	if err != nil {
		return nil, err
	}
	return &socket{g: g, address: set.Address, port: port, listener: listener}, nil
}

// start serves the socket, once.
func (s *socket) start() {
	s.once.Do(func() { s.g.spawn(s.accept) })
}

func (s *socket) close() { _ = s.listener.Close() }

// accept takes connections until the listener is closed.
func (s *socket) accept() {
	const shortest, longest, sayAgain = 5 * time.Millisecond, time.Second, time.Minute
	var said time.Time
	for pause := shortest; ; {
		conn, err := s.listener.Accept()
		if err == nil {
			pause = shortest
			e := s.endpoint.Load()
			if !s.g.spawn(func() { e.handle(conn) }) {
				_ = conn.Close()
			}
			continue
		}
		if s.g.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of file descriptors, as a rule: it passes.
		if time.Since(said) > sayAgain {
			said = time.Now()
			s.g.opts().Log.Warn("cannot accept a manager's connection", "port", s.port, "error", err)
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longest)
		case <-s.g.ctx.Done():
			return
		}
	}
}
