package gateway

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestSessionsOfADeviceAreBounded(t *testing.T) {
	var q quotas
	fill := func(manager, device string) (n int) {
		for q.enter(grant{manager, device}, 1) == "" {
			n++
		}
		return n
	}
	for _, c := range []struct {
		manager, device string
		want            int
	}{{"a", "edge-1", 32}, {"b", "edge-1", 32}, {"c", "edge-1", 0}, {"a", "edge-2", 32}} {
		if n := fill(c.manager, c.device); n != c.want {
			t.Errorf("manager %s has %d sessions on %s, want %d", c.manager, n, c.device, c.want)
		}
	}
	q.leave(grant{"a", "edge-1"})
	if n := fill("c", "edge-1"); n != 1 {
		t.Errorf("then manager c got %d", n)
	}
}

func TestConnectionsOfAManagerAreBounded(t *testing.T) {
	var q quotas
	n := 0
	for q.connect(grant{"noc", "edge-1"}) == "" {
		n++
	}
	for range n {
		q.disconnect(grant{"noc", "edge-1"})
	}
	if n != maxDeviceConnections || len(q.connections.held) != 0 || len(q.deviceConnections.held) != 0 {
		t.Errorf("%d connections, then %v and %v", n, q.connections.held, q.deviceConnections.held)
	}
}

// The bounds hold over the connections of a manager, whom a sentence tells why.
func TestSurplusIsRefused(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	g := grant{"noc", "edge-1"}
	client := dial(t, h.opts.Port, "noc@edge-1")
	refused := func(client *ssh.Client, why string) {
		t.Helper()
		_, _, err := client.OpenChannel("session", nil)
		var open *ssh.OpenChannelError
		if !errors.As(err, &open) || open.Reason != ssh.ResourceShortage || !strings.Contains(open.Message, why) {
			t.Errorf("got %v, want it to say %q", err, why)
		}
	}
	for h.quotas.enter(g, 0) == "" {
	}
	refused(client, "too many sessions with this device")
	h.quotas.leave(g)
	hello(t, client)
	for h.quotas.connect(g) == "" {
	}
	refused(dial(t, h.opts.Port, "noc@edge-1"), "too many connections to this device")
	hello(t, dial(t, h.opts.Port, "admin@edge-1"))
}
