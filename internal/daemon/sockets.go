package daemon

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/callhome"

	"github.com/hashicorp/go-hclog"
)

// sockets opens the TCP sockets of the process, and takes those first that
// systemd has handed over. systemd keeps these open whatever happens here: what
// is done with them here comes back, to be had again.
type sockets struct {
	mu     sync.Mutex
	handed []*socket // those that nobody uses
}

// socket listens. One use after the other can be made of it while it stays open:
// a device that calls in between waits, and is not turned away.
type socket struct {
	*net.TCPListener
	// name is what systemd calls it, and home where it goes when it is given up;
	// nil for one that was opened here.
	name string
	home *sockets
}

// open returns a socket that listens on the address and port.
func (s *sockets) open(address netip.Addr, port uint16) (*socket, error) {
	if handed := s.take(netip.AddrPortFrom(address, port)); handed != nil {
		return handed, nil
	}
	ln, err := callhome.Listen(address, port)
	if err != nil {
		return nil, err
	}
	return &socket{TCPListener: ln.(*net.TCPListener)}, nil
}

// listen is open for who uses the socket until it closes it.
func (s *sockets) listen(address netip.Addr, port uint16) (net.Listener, error) {
	socket, err := s.open(address, port)
	if err != nil {
		return nil, err
	}
	if socket.home == nil {
		return socket.TCPListener, nil
	}
	l := socket.lease()
	l.after = socket.giveUp
	return l, nil
}

func (s *sockets) take(at netip.AddrPort) *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.handed, func(h *socket) bool { return h.serves(at) })
	if i < 0 {
		return nil
	}
	found := s.handed[i]
	s.handed = slices.Delete(s.handed, i, i+1)
	return found
}

// serves reports whether the socket will do for the address. One of systemd's
// that is for all addresses does for all of IPv4 too.
func (s *socket) serves(at netip.AddrPort) bool {
	own := s.Addr().(*net.TCPAddr).AddrPort()
	address := own.Addr().Unmap()
	return own.Port() == at.Port() && (address == at.Addr().Unmap() || address == netip.IPv6Unspecified() && at.Addr() == netip.IPv4Unspecified())
}

// giveUp ends the socket where it was opened here.
func (s *socket) giveUp() {
	if s.home == nil {
		_ = s.Close()
		return
	}
	s.home.mu.Lock()
	defer s.home.mu.Unlock()
	s.home.handed = append(s.home.handed, s)
}

// tellUnused warns of sockets that nothing in the configuration wants.
func (s *sockets) tellUnused(log hclog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.handed {
		log.Warn("systemd has handed over a socket that no port of the configuration is for: nobody answers there; mend the socket unit or the configuration",
			"name", h.name, "address", h.Addr())
	}
}

// close closes what nobody uses.
func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.handed {
		_ = h.Close()
	}
	s.handed = nil
}

// lease is a use of a socket. Close ends the use, and not the socket: when it has
// returned another may be made.
type lease struct {
	socket *socket
	ended  atomic.Bool
	// accepting is held while a connection is waited for.
	accepting sync.Mutex
	// after, if not nil, is called when the use has ended.
	after func()
}

func (s *socket) lease() *lease { return &lease{socket: s} }

// Accept implements net.Listener.
func (l *lease) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	if l.ended.Load() {
		return nil, net.ErrClosed
	}
	conn, err := l.socket.Accept()
	if err != nil && l.ended.Load() {
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close implements net.Listener. It ends the use.
func (l *lease) Close() error {
	if l.ended.Swap(true) {
		return nil
	}
	_ = l.socket.SetDeadline(time.Now()) // wakes Accept
	l.accepting.Lock()
	defer l.accepting.Unlock()
	_ = l.socket.SetDeadline(time.Time{})
	if l.after != nil {
		l.after()
	}
	return nil
}

// Addr implements net.Listener.
func (l *lease) Addr() net.Addr { return l.socket.Addr() }
