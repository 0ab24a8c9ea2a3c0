package daemon

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"

	"golang.org/x/crypto/ssh"
)

func TestDevicesOfBothFamiliesAreShownAndReached(t *testing.T) {
	c := testConfig(t)
	c.Callhome.Main.Address, c.Callhome.Main.Port = netip.IPv6Unspecified(), freePort(t)
	c.Gateway.Address, c.Gateway.Port = netip.IPv6Unspecified(), freePort(t)
	h := startDaemon(t, c)
	status, err := h.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []control.Listener{status.Callhome, status.Gateway} {
		if at, err := netip.ParseAddrPort(l.Address); err != nil || at.Addr() != netip.IPv6Unspecified() {
			t.Errorf("a listener is shown at %s", l.Address)
		}
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		startDevice(t, net.JoinHostPort(host, strconv.Itoa(int(c.Callhome.Main.Port))), "device at "+host)
		pending := h.awaitThat(t, "pending at "+host, func(d control.Device) bool { return d.State == control.StatePending && d.Address == host })
		name := "edge-" + strings.Trim(strings.ReplaceAll(host, ".", "-"), ":")
		if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: name}); err != nil {
			t.Fatal(err)
		}
		up := h.awaitThat(t, "connected at "+host, func(d control.Device) bool {
			return d.Name == name && d.State == control.StateConnected && d.Port != 0
		})
		if at, err := netip.ParseAddrPort(up.Address); err != nil || at.Addr().String() != host {
			t.Errorf("the device at %s is shown at %s", host, up.Address)
		}
		for user, port := range map[string]uint16{"noc": up.Port, "noc@" + name: c.Gateway.Port} {
			client, err := ssh.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))), &ssh.ClientConfig{
				User: user, Auth: []ssh.AuthMethod{ssh.Password("secret")}, Timeout: 20 * time.Second,
				HostKeyCallback: ssh.InsecureIgnoreHostKey(),
			})
			if err != nil {
				t.Errorf("port %d of %s: %v", port, host, err)
				continue
			}
			client.Close()
		}
	}
}
