package daemon

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func openSocket(t *testing.T, s *sockets) *socket {
	t.Helper()
	opened, err := s.open(loopback, freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

func TestASocketChangesHandsWithoutTurningACallerAway(t *testing.T) {
	s := openSocket(t, new(sockets))
	first := s.lease()
	ended := make(chan error, 1)
	go func() { _, err := first.Accept(); ended <- err }()
	for range 2 { // again is harmless
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the old use ends with %v", err)
	}
	if _, err := first.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after its end it accepts: %v", err)
	}
	caller, err := net.Dial("tcp", s.Addr().String()) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	second := s.lease()
	defer second.Close()
	accepted, err := second.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if accepted.RemoteAddr().String() != caller.LocalAddr().String() {
		t.Error("somebody else was accepted")
	}
}

func TestAHandedSocketServesItsAddressAndComesBack(t *testing.T) {
	var all sockets
	handed := openSocket(t, &all)
	handed.home, handed.name = &all, "callhome"
	handed.giveUp()
	at := handed.Addr().(*net.TCPAddr).AddrPort()
	if other, err := all.open(loopback, freePort(t)); err != nil || other == handed {
		t.Errorf("another port: %v, %v", other, err)
	} else {
		other.Close()
	}
	for range 2 {
		ln, err := all.listen(at.Addr(), at.Port())
		if err != nil {
			t.Fatal("systemd has the port, and it was opened anew:", err)
		}
		var out syncBuffer
		all.tellUnused(hclog.New(&hclog.LoggerOptions{Output: &out}))
		if out.String() != "" {
			t.Errorf("it is in use: %s", out.String())
		}
		ln.Close()
		all.tellUnused(hclog.New(&hclog.LoggerOptions{Output: &out}))
		out.await(t, "name=callhome")
	}
	all.close()
	if _, err := net.Dial("tcp", at.String()); err == nil {
		t.Error("it listens after the end")
	}
}

func TestWhichAddressAHandedSocketServes(t *testing.T) {
	for on, serves := range map[string]map[string]bool{
		"127.0.0.1": {"127.0.0.1": true, "0.0.0.0": false, "::": false},
		"::":        {"::": true, "0.0.0.0": true, "127.0.0.1": false, "::1": false},
		"0.0.0.0":   {"0.0.0.0": true, "::": false},
	} {
		var all sockets
		s, err := all.open(netip.MustParseAddr(on), freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		port := s.Addr().(*net.TCPAddr).AddrPort().Port()
		for address, want := range serves {
			if got := s.serves(netip.AddrPortFrom(netip.MustParseAddr(address), port)); got != want {
				t.Errorf("%s for %s: %t", on, address, got)
			}
		}
		if s.serves(netip.AddrPortFrom(netip.MustParseAddr(on), port+1)) {
			t.Error("it serves another port")
		}
		s.Close()
	}
}
