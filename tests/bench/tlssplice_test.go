package bench

import (
	"crypto/tls"
	"net"
	"strings"

	"callhome-gateway/tests/harness"
)

// ends are what a splice makes of the two connections.
type ends struct{ device, manager func(net.Conn) net.Conn }

// newEnds leaves them alone, unless it is given the files of two certificates
// with their keys: what the device and what the manager are shown. It checks
// nobody's certificate, and is the least that can speak TLS on both sides.
func newEnds(files string) (ends, error) {
	alone := func(c net.Conn) net.Conn { return c }
	if files == "" {
		return ends{alone, alone}, nil
	}
	paths := strings.Split(files, ",")
	login, err := tls.LoadX509KeyPair(paths[0], paths[1])
	if err != nil {
		return ends{}, err
	}
	server, err := tls.LoadX509KeyPair(paths[2], paths[3])
	if err != nil {
		return ends{}, err
	}
	south := &tls.Config{Certificates: []tls.Certificate{login}, InsecureSkipVerify: true}
	north := &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true}
	return ends{
		device:  func(c net.Conn) net.Conn { return tls.Client(c, south) },
		manager: func(c net.Conn) net.Conn { return tls.Server(c, north) },
	}, nil
}

// tlsSplice says so to startSplice.
func tlsSplice(login, server harness.Certificate) string {
	return tlsVariable + "=" + strings.Join([]string{login.Path, login.KeyPath, server.Path, server.KeyPath}, ",")
}
