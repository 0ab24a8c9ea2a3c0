package auth

import (
	"net/netip"
	"testing"
)

func TestOneNetworkDoesNotTakeAllLogins(t *testing.T) {
	network := func(address string) netip.Prefix { return Network(netip.MustParseAddr(address)) }
	for _, c := range []struct {
		limit, share int
	}{{256, 64}, {8, 4}, {3, 3}} {
		a := NewPlaces(c.limit)
		taken := 0
		for a.Enter(network("2001:db8::1")) {
			if taken++; !a.Enter(network("2001:db8::ffff")) {
				break
			}
			taken++
		}
		if taken != c.share {
			t.Errorf("of %d places one network has %d", c.limit, taken)
		}
		for i := byte(0); a.Enter(network(netip.AddrFrom4([4]byte{192, 0, 2, i}).String())); i++ {
			taken++
		}
		if taken != c.limit {
			t.Errorf("%d places are taken, not %d", taken, c.limit)
		}
		a.Leave(network("2001:db8::2"))
		if !a.Enter(network("192.0.2.250")) {
			t.Error("a place was not given back")
		}
	}
}
