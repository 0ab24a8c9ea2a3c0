package devicesim

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is a connection that can be frozen, and closed abruptly.
type line struct {
	net.Conn
	gate   *gate
	closed chan struct{}
	once   sync.Once
	// latency is what each write takes longer, as a time.Duration.
	latency atomic.Int64
}

func newLine(conn net.Conn, g *gate) *line {
	return &line{Conn: conn, gate: g, closed: make(chan struct{})}
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.pass()
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	l.pass()
	if d := time.Duration(l.latency.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-l.closed:
		}
	}
	return l.Conn.Write(p)
}

// pass waits while the device is frozen and the line is open.
func (l *line) pass() {
	select {
	case <-l.gate.passable():
	case <-l.closed:
	}
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// reset closes the line so that the peer sees a TCP reset.
func (l *line) reset() {
	if tcp, ok := l.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = l.Close()
}

// gate is open or shut; the zero value is open.
type gate struct {
	mu   sync.Mutex
	wait chan struct{} // closed when the gate opens; nil while it is open
}

var alwaysOpen = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (g *gate) passable() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait == nil {
		return alwaysOpen
	}
	return g.wait
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait == nil {
		g.wait = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait != nil {
		close(g.wait)
		g.wait = nil
	}
}
