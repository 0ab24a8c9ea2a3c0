package auth_test

import (
	"net/netip"
	"testing"

	"callhome-gateway/auth"
)

func networks(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestNetworkRules(t *testing.T) {
	for _, tt := range []struct {
		name        string
		allow, deny []netip.Prefix
		permitted   []string
		refused     []string
	}{
		{"no rules", nil, nil, []string{"192.0.2.1", "2001:db8::1", "fe80::1%eth0"}, nil},
		{"allow", networks("192.0.2.0/24"), nil, []string{"192.0.2.1", "::ffff:192.0.2.1"}, []string{"192.0.3.1", "2001:db8::1"}},
		{"an empty allow list", []netip.Prefix{}, nil, nil, []string{"192.0.2.1", "2001:db8::1"}},
		{"deny", nil, networks("192.0.2.0/24"), []string{"192.0.3.1", "2001:db8::1"}, []string{"192.0.2.1", "::ffff:192.0.2.1"}},
		{"a hole in what is allowed", networks("10.0.0.0/8"), networks("10.1.0.0/16"), []string{"10.2.0.1"}, []string{"10.1.0.1", "11.0.0.1"}},
		{"an island in what is denied", networks("10.1.2.3/32", "10.0.0.0/8"), networks("10.1.0.0/16"), []string{"10.1.2.3", "10.2.0.1"}, []string{"10.1.2.4"}},
		{"equal ones", networks("10.0.0.0/8"), networks("10.0.0.0/8"), nil, []string{"10.0.0.1"}},
		{"IPv6", networks("2001:db8::/32"), networks("2001:db8:1::/48"), []string{"2001:db8:2::1"}, []string{"2001:db8:1::1", "192.0.2.1"}},
		{"a zone is no part of it", nil, networks("fe80::/10"), []string{"2001:db8::1"}, []string{"fe80::1%eth0"}},
		{"all of IPv6 is none of IPv4", nil, networks("::/0"), []string{"192.0.2.1", "::ffff:192.0.2.1"}, []string{"::1"}},
		{"IPv4 written as IPv6", networks("::ffff:192.0.2.0/120"), networks("::ffff:192.0.2.9/128"), []string{"192.0.2.1", "::ffff:192.0.2.1"}, []string{"192.0.2.9", "192.0.3.1"}},
	} {
		rules := auth.NetworkRules{Allow: tt.allow, Deny: tt.deny}
		check := func(texts []string, want bool) {
			for _, text := range texts {
				if got := rules.Permits(netip.MustParseAddr(text)); got != want {
					t.Errorf("%s: %s is permitted: %v", tt.name, text, got)
				}
			}
		}
		check(tt.permitted, true)
		check(tt.refused, false)
	}
}

// Nothing is known of what has no address, and an allow list is no guess.
func TestNetworkRulesWithoutAnAddress(t *testing.T) {
	if (auth.NetworkRules{Allow: networks("0.0.0.0/0", "::/0")}).Permits(netip.Addr{}) {
		t.Error("no address is in a network")
	}
	if auth.Within(networks("0.0.0.0/0", "::/0"), netip.Addr{}) {
		t.Error("no address is in a network")
	}
}

func TestSources(t *testing.T) {
	wide := auth.Sources{V4Bits: 24, V6Bits: 56, Exempt: networks("198.51.100.0/24")}
	for _, tt := range []struct {
		sources    auth.Sources
		addr, want string
		isExempt   bool
	}{
		{auth.Sources{}, "192.0.2.1", "192.0.2.1/32", false},
		{auth.Sources{}, "::ffff:192.0.2.1", "192.0.2.1/32", false},
		{auth.Sources{}, "2001:db8:0:1:2::3", "2001:db8:0:1::/64", false},
		{auth.Sources{}, "fe80::1%eth0", "fe80::/64", false},
		{wide, "192.0.2.1", "192.0.2.0/24", false},
		{wide, "2001:db8:0:1ff::3", "2001:db8:0:100::/56", false},
		{wide, "::ffff:198.51.100.7", "198.51.100.0/24", true},
	} {
		a := netip.MustParseAddr(tt.addr)
		if got := tt.sources.Of(a).String(); got != tt.want {
			t.Errorf("%s counts as %s, want %s", tt.addr, got, tt.want)
		}
		if got := tt.sources.Exempts(a); got != tt.isExempt {
			t.Errorf("%s is exempt: %v", tt.addr, got)
		}
	}
}
