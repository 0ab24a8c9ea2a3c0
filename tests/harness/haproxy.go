package harness

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// HAProxy is a load balancer in front of a gateway. It has the gateway's ports
// on an address of its own, and tells in a PROXY header who connects.
type HAProxy struct {
	// Address is where it listens, on all ports of the gateway.
	Address string
	// Source is what it connects to the gateway from; empty for Address.
	Source string
	// Version is that of the header.
	Version int
}

// haproxyReady is a port that says that all others are open.
const haproxyReady = "8404"

// Start runs it in front of the gateway and returns when it listens.
func (h HAProxy) Start(t testing.TB, gateway string) *Process {
	t.Helper()
	Need(t, "haproxy")
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, path, []byte(h.config(gateway)), 0o600)
	p := Start(t, "haproxy", exec.Command("/usr/sbin/haproxy", "-db", "-f", path))
	Eventually(t, StartTimeout, "haproxy to listen", func() bool {
		if !p.Running() {
			t.Fatalf("haproxy ended:\n%s", p.Output)
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(h.Address, haproxyReady))
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	return p
}

func (h HAProxy) config(gateway string) string {
	source, send := h.Source, "send-proxy"
	if source == "" {
		source = h.Address
	}
	if h.Version == 2 {
		send = "send-proxy-v2"
	}
	var b strings.Builder
	b.WriteString("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n")
	for _, port := range []string{CallHomePort, CallHomeTLSPort, SharedPort, SharedTLSPort} {
		fmt.Fprintf(&b, "listen port-%s\n  bind %s\n  source %s\n  server gateway %s check inter 500ms %s\n",
			port, net.JoinHostPort(h.Address, port), source, net.JoinHostPort(gateway, port), send)
	}
	fmt.Fprintf(&b, "frontend ready\n  mode http\n  bind %s\n  monitor-uri /\n", net.JoinHostPort(h.Address, haproxyReady))
	return b.String()
}
