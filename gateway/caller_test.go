package gateway

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"

	"github.com/pires/go-proxyproto"
	"golang.org/x/crypto/ssh"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}

// dialAs connects as a proxy does for somebody at source.
func dialAs(t *testing.T, address string, version byte, source string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source))
	if _, err := proxyproto.HeaderProxyFromAddrs(version, from, conn.RemoteAddr()).WriteTo(conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestProxiedManagerHasItsOwnAddress(t *testing.T) {
	opts := nocOptions(t)
	opts.Proxies = loopback
	h := serve(t, opts).with(t, "edge-1")
	for i, source := range []string{"192.0.2.10:1234", "[2001:db8::10]:1234"} {
		conn := dialAs(t, address(opts.Port), byte(i+1), source)
		client, _, _, err := ssh.NewClientConn(conn, "", password("noc@edge-1", "right"))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		eventually(t, "line with "+source, func() bool { return len(h.log.linesWith("remote="+source)) == 1 })
	}
}

func TestConnectionFromAProxyWithoutAHeader(t *testing.T) {
	opts := nocOptions(t)
	opts.Proxies = loopback
	h := serve(t, opts)
	conn, err := net.Dial("tcp", address(opts.Port))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "SSH-2.0-OpenSSH_9.2p1\r\n"); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, conn)
	if lines := h.log.linesWith("no PROXY header"); len(lines) != 1 || !strings.Contains(lines[0], `SSH-2.0-Open`) {
		t.Errorf("the log has %q", lines)
	}
}

// wantClosed checks that the gateway ends the connection without a word.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%q came, and %v", got, err)
	}
}

func TestProxysOwnConnectionsAreNotLogged(t *testing.T) {
	opts := nocOptions(t)
	opts.Proxies = loopback
	h := serve(t, opts)
	for _, came := range []string{"", "PROXY UNKNOWN\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		conn, err := net.Dial("tcp", address(opts.Port))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, came); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		wantClosed(t, conn)
	}
	h.stop()
	if lines := h.log.linesWith("WARN"); len(lines) > 0 {
		t.Errorf("the log has %q", lines)
	}
}

func TestNetworksThatMayNotConnect(t *testing.T) {
	opts := nocOptions(t)
	opts.Networks = auth.NetworkRules{Deny: loopback}
	h := serve(t, opts)
	for range 20 {
		conn, err := net.Dial("tcp", address(opts.Port))
		if err != nil {
			t.Fatal(err)
		}
		wantClosed(t, conn)
	}
	if lines := h.log.linesWith("nobody may connect"); len(lines) != 1 {
		t.Errorf("the log has %q", lines)
	}
}

// The proxy itself need not be allowed.
func TestNetworksAreThoseOfTheProxiedManager(t *testing.T) {
	opts := nocOptions(t)
	opts.Proxies = loopback
	opts.Networks = auth.NetworkRules{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Deny: []netip.Prefix{netip.MustParsePrefix("192.0.2.66/32")}}
	serve(t, opts).with(t, "edge-1")
	wantClosed(t, dialAs(t, address(opts.Port), 1, "192.0.2.66:1234"))
	wantClosed(t, dialAs(t, address(opts.Port), 2, "198.51.100.1:1234"))
	client, _, _, err := ssh.NewClientConn(dialAs(t, address(opts.Port), 2, "192.0.2.10:1234"), "", password("noc@edge-1", "right"))
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

// A manager that says it is a proxy is told nothing.
func TestHeaderFromElsewhereIsNotBelieved(t *testing.T) {
	opts, _ := tlsOptions(t)
	opts.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	for _, port := range []uint16{opts.Port, opts.TLSPort} {
		for _, version := range []byte{1, 2} {
			h := serve(t, opts)
			conn := dialAs(t, address(port), version, "192.0.2.10:1234")
			_, _ = io.WriteString(conn, "SSH-2.0-x\r\n") // unless it was closed already
			if got, err := io.ReadAll(conn); strings.Contains(string(got), "\x00") || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("the gateway went on with %q, and %v", got, err)
			}
			h.stop()
			if lines := h.log.linesWith("a connection was refused"); len(lines) != 1 || !strings.Contains(lines[0], "remote=127.0.0.1") {
				t.Errorf("the log has %q", lines)
			}
		}
	}
}
