package callhome

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"callhome-gateway/auth"
)

func TestEntriesAreFoundByTheNarrowestNetwork(t *testing.T) {
	at := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	s, err := New(Options{Memory: &memory{}, Entries: []Entry{
		{Name: "wide", Address: at("192.0.2.77/24")}, // the host bits count for nothing
		{Name: "host", Address: at("192.0.2.1/32"), Transport: SSH},
		{Name: "north", Address: at("192.0.2.2/32"), Listener: "north"},
		{Name: "south", Address: at("192.0.2.2/32"), Listener: "south"},
		{Name: "six", Address: at("2001:db8::/48")},
		{Name: "all", Address: at("::/0")},
		{Name: "twin-1", Address: at("192.0.2.3/32")},
		{Name: "twin-2", Address: at("192.0.2.3/32")},
		{Name: "anywhere", Pins: []auth.Identity{testIdentity("anywhere")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from      string
		transport Transport
		listener  string
		want      string
	}{
		{"192.0.2.1", SSH, "", "host"},
		{"192.0.2.1", TLS, "", "wide"},
		{"192.0.2.2", SSH, "", "wide"},
		{"192.0.2.2", SSH, "north", "north"},
		{"192.0.2.2", SSH, "south", "south"},
		{"192.0.2.3", SSH, "", "twin-1 twin-2"},
		{"192.0.2.9", SSH, "", "wide"},
		{"198.51.100.1", SSH, "", ""},
		{"2001:db8::1", SSH, "", "six"},
		{"2001:db9::1", SSH, "", "all"},
	} {
		var names []string
		for _, e := range s.rules.Load().at(netip.MustParseAddr(tt.from), tt.transport, &Listener{Name: tt.listener}) {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s over %s to %q: %q, want %q", tt.from, tt.transport, tt.listener, got, tt.want)
		}
	}
}

// An entry that is limited to a listener is as if it were not there for calls
// to another, until its device shows itself.
func TestAnEntryLimitedToAListener(t *testing.T) {
	north, fleet := &auth.User{Name: "north", Username: "n", Password: "x"}, &auth.User{Name: "fleet", Username: "f", Password: "x"}
	pinned := testIdentity("pinned")
	s, err := New(Options{
		Memory: &memory{devices: []auth.Device{{Name: "by-address", Identity: testIdentity("approved")}}},
		Entries: []Entry{
			{Name: "by-pin", Pins: []auth.Identity{pinned}, Listener: "north", User: north},
			{Name: "by-address", Address: netip.MustParsePrefix("192.0.2.1/32"), Listener: "north", User: north},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	plan := func(from string, l Listener) (*plan, *rejection) {
		l.Transport = SSH
		return s.plan(t.Context(), CallInfo{Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 1), Transport: SSH}, onListener(l), claim{})
	}
	if _, r := plan("192.0.2.1", Listener{Name: "south"}); r == nil || r.reason != RejectedNoUser {
		t.Errorf("the user of an entry for another listener is announced: %v", r)
	}
	p, r := plan("198.51.100.1", Listener{Name: "north"})
	if r != nil || p.user != north {
		t.Fatalf("plan %+v, %v", p, r)
	}
	if b, r := s.bind(p, proof{identity: pinned}); r != nil || b.name != "by-pin" {
		t.Errorf("bound %+v, %v", b, r)
	}
	for _, l := range []Listener{{Name: "south", Users: []*auth.User{fleet}}, {Users: []*auth.User{fleet}}} {
		p, r := plan("192.0.2.1", l)
		if r != nil || p.entry != nil || p.user != fleet {
			t.Fatalf("plan %+v, %v", p, r)
		}
		for name, id := range map[string]auth.Identity{"by-pin": pinned, "by-address": testIdentity("approved")} {
			b, r := s.bind(p, proof{identity: id})
			if r == nil || r.reason != RejectedUntrusted || b.name != name || !strings.Contains(r.detail, "limited to the listener north, but called") {
				t.Errorf("%s on %q: %v", name, l.Name, r)
			}
		}
	}
}

// What a call costs before its handshake may not depend on how many session
// entries there are: a storm has ten thousand of both.
func BenchmarkPlan(b *testing.B) {
	for _, entries := range []int{10, 10_000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			o := Options{Memory: &memory{}}
			for i := range entries {
				e := Entry{Name: fmt.Sprintf("edge-%d", i), Pins: []auth.Identity{{Type: "ssh-ed25519", Fingerprint: fmt.Sprint(i)}}}
				if i%2 == 0 {
					e.Address = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
				}
				o.Entries = append(o.Entries, e)
			}
			o.Users = []*auth.User{{Name: "fleet", Username: "f", Password: "x"}}
			s, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			l := &Listener{Transport: SSH}
			info := CallInfo{Remote: netip.MustParseAddrPort("10.0.0.4:1"), Transport: SSH}
			for b.Loop() {
				p, r := s.plan(b.Context(), info, l, claim{})
				if r != nil {
					b.Fatal(r)
				}
				s.bind(p, proof{identity: auth.Identity{Fingerprint: "7"}})
			}
		})
	}
}

// Two links may have devices of the same link-local address: the entry takes
// the call of either, and the pins tell.
func TestEntryAtALinkLocalAddress(t *testing.T) {
	s, err := New(Options{Entries: []Entry{{Name: "a", Address: netip.MustParsePrefix("fe80::1/128")}}, Memory: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"fe80::1%eth0", "fe80::1%eth1"} {
		if got := s.rules.Load().at(netip.MustParseAddr(from), SSH, onListener(Listener{Transport: SSH})); len(got) != 1 {
			t.Errorf("%d entries match a call from %s", len(got), from)
		}
	}
}
