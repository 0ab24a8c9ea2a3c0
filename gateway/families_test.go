package gateway

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

func TestEndpointsOnBothFamilies(t *testing.T) {
	opts := nocOptions(t)
	opts.Address, opts.Port = netip.IPv6Unspecified(), freePort(t)
	assigned, configured := freePort(t), freePort(t)
	opts.Ports, opts.PortStore = PortRange{First: assigned, Last: 65535}, &portMemory{}
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: configured}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, endpoint := range []struct {
			port uint16
			user string
		}{{opts.Port, "noc@edge-1"}, {configured, "noc"}, {h.portOf("edge-2"), "noc"}} {
			client, err := ssh.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(endpoint.port))), password(endpoint.user, "right"))
			if err != nil {
				t.Errorf("port %d of %s: %v", endpoint.port, host, err)
				continue
			}
			remote := netip.MustParseAddrPort(client.LocalAddr().String()).String()
			eventually(t, "line with "+remote, func() bool { return len(h.log.linesWith("remote="+remote)) == 1 })
			client.Close()
		}
	}
}

func TestNetworksOfBothFamilies(t *testing.T) {
	for denied, allowed := range map[string]string{"127.0.0.1/32": "::1", "::/64": "127.0.0.1"} {
		opts := nocOptions(t)
		opts.Address, opts.Port = netip.IPv6Unspecified(), freePort(t)
		opts.Networks = auth.NetworkRules{Deny: []netip.Prefix{netip.MustParsePrefix(denied)}}
		serve(t, opts).with(t, "edge-1")
		for _, host := range []string{"127.0.0.1", "::1"} {
			client, err := ssh.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(opts.Port))), password("noc@edge-1", "right"))
			if err == nil {
				client.Close()
			}
			if (err == nil) != (host == allowed) {
				t.Errorf("%s denied, a login from %s: %v", denied, host, err)
			}
		}
	}
}
