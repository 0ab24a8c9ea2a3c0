package harness

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Splice makes a listening NETCONF server call home: it dials the gateway,
// dials the server, and copies both ways. To the gateway it is the device.
type Splice struct {
	gateway, server *net.TCPConn
	copying         sync.WaitGroup
	done            chan struct{} // closed when both directions have ended
}

const dialTimeout = 5 * time.Second

// TrySplice connects the server to the gateway, calling from the given
// loopback address (any, if empty). It fails where the gateway cannot be
// dialled.
func TrySplice(source, gateway, server string) (*Splice, error) {
	north, err := dialFrom(source, gateway)
	if err != nil {
		return nil, err
	}
	south, err := dialFrom("", server)
	if err != nil {
		north.Close()
		return nil, err
	}
	return join(north, south), nil
}

// join copies both ways until Close or the end of either side.
func join(gateway, server *net.TCPConn) *Splice {
	s := &Splice{gateway: gateway, server: server, done: make(chan struct{})}
	s.copying.Add(2)
	go s.pump(s.gateway, s.server)
	go s.pump(s.server, s.gateway)
	go func() {
		s.copying.Wait()
		gateway.Close()
		server.Close()
		close(s.done)
	}()
	return s
}

// NewSplice is TrySplice for a call that must be possible; it ends with the test.
func NewSplice(t testing.TB, source, gateway, server string) *Splice {
	t.Helper()
	s, err := TrySplice(source, gateway, server)
	if err != nil {
		t.Fatalf("calling home: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func dialFrom(source, target string) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if source != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	conn, err := dialer.Dial("tcp", target)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// pump carries a half-close over, as a wire would; any other end is the end of both.
func (s *Splice) pump(to, from *net.TCPConn) {
	defer s.copying.Done()
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.gateway.Close()
		s.server.Close()
	}
}

// Done is closed when the call has ended.
func (s *Splice) Done() <-chan struct{} { return s.done }

// Close ends the call as a device does that shuts down.
func (s *Splice) Close() {
	s.gateway.Close()
	s.server.Close()
	<-s.done
}

// Reset ends the call with a TCP reset, as the kernel of a device does whose
// NETCONF server was killed.
func (s *Splice) Reset() {
	_ = s.gateway.SetLinger(0)
	s.Close()
}
