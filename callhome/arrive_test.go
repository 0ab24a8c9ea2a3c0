package callhome_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"github.com/pires/go-proxyproto"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}

// startListener is start on a listener of these options.
func startListener(t *testing.T, o callhome.Options, l callhome.Listener) *server {
	t.Helper()
	s := newServer(t, o)
	run(t, func(ctx context.Context) error { return s.ServeListener(ctx, s.ln, l) })
	return s
}

// announce writes a PROXY header, as the proxy in front of a device would.
func announce(t *testing.T, version byte, source string) func(net.Conn) {
	return func(conn net.Conn) {
		from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source))
		if _, err := proxyproto.HeaderProxyFromAddrs(version, from, conn.RemoteAddr()).WriteTo(conn); err != nil {
			t.Error(err)
		}
	}
}

func TestProxiedDeviceIsMatchedByItsOwnAddress(t *testing.T) {
	for _, version := range []byte{1, 2} {
		for network, source := range map[string]string{"192.0.2.10/32": "192.0.2.10:1234", "2001:db8:1:2::/64": "[2001:db8:1:2::10]:1234"} {
			t.Run(fmt.Sprintf("version %d from %s", version, source), func(t *testing.T) {
				s := startListener(t, callhome.Options{Entries: []callhome.Entry{{
					Name: "edge-1", Address: netip.MustParsePrefix(network), User: fleetUser(), Pins: []auth.Identity{identity(t, "device")},
				}}}, callhome.Listener{Transport: callhome.SSH, Proxies: loopback})
				device(t, s, devicesim.Options{OnConnect: announce(t, version, source)})
				o := s.want(t, callhome.Accepted)
				link := receive(t, s.links, "link")
				if o.Device != "edge-1" || o.Remote.String() != source || link.Remote() != o.Remote {
					t.Errorf("%s from %s, link from %s", o.Device, o.Remote, link.Remote())
				}
			})
		}
	}
}

func TestProxiedDeviceOverTLS(t *testing.T) {
	f, cert := newFleet(t), callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		s := startListener(t, f.approving(cert), callhome.Listener{Transport: callhome.TLS, Proxies: loopback})
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert}, devicesim.Options{OnConnect: announce(t, 2, "192.0.2.10:1234")})
		if o := s.want(t, callhome.Accepted); o.Remote.String() != "192.0.2.10:1234" {
			t.Errorf("from %s", o.Remote)
		}
	})
}

func TestConnectionFromAProxyWithoutAHeader(t *testing.T) {
	s := startListener(t, callhome.Options{}, callhome.Listener{Transport: callhome.SSH, Proxies: loopback})
	device(t, s, devicesim.Options{})
	o := s.want(t, callhome.FailedPreamble)
	if !strings.Contains(o.Detail, `it began with "SSH-2.0-`) || !strings.Contains(o.Detail, "proxies") {
		t.Error(o.Detail)
	}
}

// A proxy that looks whether somebody listens is no call, however often.
func TestProxysOwnConnectionsHaveNoOutcome(t *testing.T) {
	o := known(t)
	s := startListener(t, o, callhome.Listener{Transport: callhome.SSH, Proxies: loopback})
	for _, came := range []string{"", "PROXY UNKNOWN\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, came); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		wantClosed(t, conn)
	}
	device(t, s, devicesim.Options{OnConnect: announce(t, 1, "192.0.2.10:1234")})
	s.want(t, callhome.Accepted)
}

// wantClosed checks that the other side ends the connection, without a byte.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came, and %v", n, err)
	}
}

func TestHeaderFromElsewhereIsNotBelieved(t *testing.T) {
	elsewhere := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	for _, transport := range []callhome.Transport{callhome.SSH, callhome.TLS} {
		for _, version := range []byte{1, 2} {
			s := startListener(t, callhome.Options{
				Users:   []*auth.User{fleetUser(), newFleet(t).user},
				Entries: []callhome.Entry{{Name: "edge-1", Address: netip.MustParsePrefix("192.0.2.10/32"), User: fleetUser()}},
			}, callhome.Listener{Transport: transport, Proxies: elsewhere})
			device(t, s, devicesim.Options{OnConnect: announce(t, version, "192.0.2.10:1234")})
			o := s.want(t, callhome.FailedPreamble)
			if o.Remote.Addr().String() != "127.0.0.1" || !strings.Contains(o.Detail, "not one of the proxies") {
				t.Errorf("%s, version %d, from %s: %s", transport, version, o.Remote, o.Detail)
			}
		}
	}
}

func TestNetworksThatMayNotCall(t *testing.T) {
	for name, rules := range map[string]auth.NetworkRules{
		"denied":      {Deny: loopback},
		"not allowed": {Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	} {
		s := startListener(t, callhome.Options{RejectDelay: time.Hour}, callhome.Listener{Transport: callhome.SSH, Networks: rules})
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		wantClosed(t, conn) // though rejected calls are held for an hour
		if o := s.want(t, callhome.RejectedNetwork); o.Remote.Addr().String() != "127.0.0.1" || !strings.Contains(o.Detail, "allow") {
			t.Errorf("%s: from %s: %s", name, o.Remote, o.Detail)
		}
	}
}

// The proxy itself need not be allowed.
func TestNetworksAreThoseOfTheProxiedDevice(t *testing.T) {
	s := startListener(t, known(t), callhome.Listener{
		Transport: callhome.SSH, Proxies: loopback,
		Networks: auth.NetworkRules{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	})
	device(t, s, devicesim.Options{OnConnect: announce(t, 1, "198.51.100.1:1234")})
	if o := s.want(t, callhome.RejectedNetwork); o.Remote.String() != "198.51.100.1:1234" {
		t.Errorf("from %s", o.Remote)
	}
	device(t, s, devicesim.Options{OnConnect: announce(t, 2, "192.0.2.10:1234")})
	s.want(t, callhome.Accepted)
}

// The proxy acknowledges what the device never gets.
func TestProxiedLinkIsJudgedByReplies(t *testing.T) {
	o := known(t)
	o.KeepaliveInterval, o.DeadAfter = 10*time.Millisecond, 100*time.Millisecond
	s := startListener(t, o, callhome.Listener{Transport: callhome.SSH, Proxies: loopback})
	device(t, s, devicesim.Options{IgnoreGlobalRequests: true, OnConnect: announce(t, 2, "192.0.2.10:1234")})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	receive(t, link.Done(), "end of the link")
	if err := link.Err(); err == nil || !strings.Contains(err.Error(), "answered nothing") {
		t.Errorf("the link ended with %v", err)
	}
}

func TestProxiedLinkIsProbedForReplies(t *testing.T) {
	s := startListener(t, known(t), callhome.Listener{Transport: callhome.SSH, Proxies: loopback})
	d := device(t, s, devicesim.Options{OnConnect: announce(t, 2, "192.0.2.10:1234")})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	if !link.Probe(t.Context()) {
		t.Error("a healthy device is taken for dead")
	}
	d.Freeze()
	defer d.Thaw()
	if link.Probe(t.Context()) {
		t.Error("the proxy's acknowledgement counts")
	}
}
