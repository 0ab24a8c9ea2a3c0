package daemon

import (
	"net"
	"sync"
	"time"
)

const (
	// A CA asks from several places at once, anybody else as often as he likes.
	maxChallengeConns = 64
	challengeTimeout  = 10 * time.Second
)

// limitListener accepts no more than limit connections at a time.
func limitListener(ln net.Listener, limit int) net.Listener {
	return &limitedListener{Listener: ln, free: make(chan struct{}, limit), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	free   chan struct{} // has one for each connection
	once   sync.Once
	closed chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}
