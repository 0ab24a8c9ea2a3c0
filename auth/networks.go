package auth

import "net/netip"

// NetworkRules say which addresses may connect. The narrowest network that an
// address is in decides, and of two equal ones Deny. What is in none may
// connect, unless there is an Allow list: one that is empty, and not nil, lets
// nobody in. The zero value allows everything.
type NetworkRules struct {
	Allow, Deny []netip.Prefix
}

// Permits reports whether the address may connect.
func (r NetworkRules) Permits(a netip.Addr) bool {
	allowed, denied := narrowest(r.Allow, a), narrowest(r.Deny, a)
	if allowed < 0 && denied < 0 {
		return r.Allow == nil
	}
	return allowed > denied
}

// narrowest returns the length of the longest prefix that has the address, or -1.
func narrowest(networks []netip.Prefix, a netip.Addr) int {
	a = a.Unmap().WithZone("")
	bits := -1
	for _, n := range networks {
		if n = Unmap(n); n.Contains(a) {
			bits = max(bits, n.Bits())
		}
	}
	return bits
}

// Unmap returns the IPv4 network that an IPv6 one is written for, as in
// ::ffff:192.0.2.0/120, and any other as it is.
func Unmap(n netip.Prefix) netip.Prefix {
	const mapped = 96 // bits in front of the IPv4 address (RFC 4291 section 2.5.5.2)
	if a := n.Addr(); a.Is4In6() && n.Bits() >= mapped {
		return netip.PrefixFrom(a.Unmap(), n.Bits()-mapped)
	}
	return n
}

// Within reports whether the address is in one of the networks.
func Within(networks []netip.Prefix, a netip.Addr) bool { return narrowest(networks, a) >= 0 }

// Sources say what counts as one source where what strangers may take is
// bounded for each. The zero value takes an IPv4 address and a /64 of IPv6,
// which one host has to itself.
type Sources struct {
	// V4Bits and V6Bits are the lengths of the networks (default 32 and 64).
	V4Bits, V6Bits int
	// Exempt are networks that are bounded by the totals only: the NAT of an
	// operator's own, behind which there are many devices.
	Exempt []netip.Prefix
}

// Of returns the source that an address counts as.
func (s Sources) Of(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := s.V4Bits
	switch {
	case a.Is6() && s.V6Bits > 0:
		bits = s.V6Bits
	case a.Is6():
		bits = 64
	case bits == 0:
		bits = 32
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address at all: they share one
	}
	return prefix
}

// Exempts reports whether the address is bounded by the totals only.
func (s Sources) Exempts(a netip.Addr) bool { return Within(s.Exempt, a) }
