package callhome_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
)

func TestListenOnEitherFamilyOrBoth(t *testing.T) {
	for address, want := range map[string][]string{
		"127.0.0.1":        {"127.0.0.1"},
		"0.0.0.0":          {"127.0.0.1"},
		"::ffff:127.0.0.1": {"127.0.0.1"},
		"::1":              {"::1"},
		"::1%lo":           {"::1"},
		"::":               {"127.0.0.1", "::1"},
	} {
		ln, err := callhome.Listen(netip.MustParseAddr(address), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, host := range []string{"127.0.0.1", "::1"} {
			conn, err := net.Dial("tcp", atHost(host, ln))
			if err != nil {
				continue
			}
			conn.Close()
			accepted, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			source, _, err := callhome.Caller(t.Context(), accepted, nil)
			if err != nil {
				t.Fatal(err)
			}
			accepted.Close()
			got = append(got, source.Addr().String())
		}
		ln.Close()
		if !slices.Equal(got, want) {
			t.Errorf("on %s one can connect from %v, want %v", address, got, want)
		}
	}
}

// atHost is the listener's port on another address.
func atHost(host string, ln net.Listener) string {
	return net.JoinHostPort(host, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
}

// startDual is startListener on IPv6 and IPv4.
func startDual(t *testing.T, o callhome.Options, l callhome.Listener) *server {
	t.Helper()
	s := newServer(t, o)
	s.ln.Close()
	var err error
	if s.ln, err = callhome.Listen(netip.IPv6Unspecified(), 0); err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return s.ServeListener(ctx, s.ln, l) })
	return s
}

func TestBothFamiliesOnOneListener(t *testing.T) {
	for _, tt := range []struct{ host, network string }{
		{"127.0.0.1", "127.0.0.1/32"},
		{"127.0.0.1", "::ffff:127.0.0.0/104"}, // the same, written for IPv6
		{"::1", "::1/128"},
		{"::1", "::/64"},
	} {
		entry := callhome.Entry{Name: "edge-1", Address: netip.MustParsePrefix(tt.network), Pins: []auth.Identity{identity(t, "device")}, User: fleetUser()}
		s := startDual(t, callhome.Options{Entries: []callhome.Entry{entry}}, callhome.Listener{Transport: callhome.SSH})
		s.addr = atHost(tt.host, s.ln)
		device(t, s, devicesim.Options{})
		o := s.want(t, callhome.Accepted)
		if link := receive(t, s.links, "link"); o.Remote.Addr().String() != tt.host || link.Remote() != o.Remote {
			t.Errorf("%s is seen as %s, its link as %s", tt.host, o.Remote, link.Remote())
		}
	}
}

func TestNetworksOfBothFamilies(t *testing.T) {
	for denied, allowed := range map[string]string{"127.0.0.1/32": "::1", "::ffff:127.0.0.1/128": "::1", "::/64": "127.0.0.1"} {
		s := startDual(t, known(t), callhome.Listener{
			Transport: callhome.SSH, Networks: auth.NetworkRules{Deny: []netip.Prefix{netip.MustParsePrefix(denied)}},
		})
		for host, want := range map[string]callhome.Reason{"127.0.0.1": callhome.RejectedNetwork, "::1": callhome.RejectedNetwork} {
			if host == allowed {
				want = callhome.Accepted
			}
			s.addr = atHost(host, s.ln)
			device(t, s, devicesim.Options{})
			if o := s.want(t, want); o.Remote.Addr().String() != host {
				t.Errorf("%s is seen as %s", host, o.Remote)
			}
		}
	}
}

// A proxy that connects over IPv6 may speak for devices of IPv4, and the reverse.
func TestProxyOfTheOtherFamily(t *testing.T) {
	for _, tt := range []struct {
		host    string
		version byte
		source  string
	}{
		{"127.0.0.1", 1, "[2001:db8::10]:1234"}, {"127.0.0.1", 2, "[2001:db8::10]:1234"},
		{"::1", 1, "192.0.2.10:1234"}, {"::1", 2, "192.0.2.10:1234"},
	} {
		s := startDual(t, known(t), callhome.Listener{Transport: callhome.SSH, Proxies: loopback})
		s.addr = atHost(tt.host, s.ln)
		device(t, s, devicesim.Options{OnConnect: announce(t, tt.version, tt.source)})
		if o := s.want(t, callhome.Accepted); o.Remote.String() != tt.source {
			t.Errorf("%s is seen as %s", tt.source, o.Remote)
		}
	}
}
