package config

import (
	"fmt"
	"net/netip"
	"slices"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

// network reads an address, which is a network of its own, or a network.
func (d *decoder) network(s item) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s.text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	network, err := netip.ParsePrefix(s.text)
	switch {
	case err != nil || network.Addr().Is4In6():
		d.problems.fail(s.at, `as in "192.0.2.10", "192.0.2.0/24" or "2001:db8::/64"; names are not looked up`, "%q is neither an IP address nor a network", s.text)
		return netip.Prefix{}, false
	case network != network.Masked():
		d.problems.fail(s.at, fmt.Sprintf("for the network write %q, for the address %q", network.Masked(), network.Addr()), "%q has bits set beyond its prefix length", s.text)
		return netip.Prefix{}, false
	}
	return network, true
}

// networks returns the elements that are fine; nil without the attribute.
func (d *decoder) networks(a *hcl.Attribute) []netip.Prefix {
	if a == nil {
		return nil
	}
	list := []netip.Prefix{}
	for _, s := range d.list(a) {
		if network, ok := d.network(s); ok {
			list = append(list, network)
		}
	}
	return list
}

// networkRules leaves what the file does not say as it is.
func (d *decoder) networkRules(allow, deny *hcl.Attribute, to *auth.NetworkRules) {
	if allow != nil {
		to.Allow = d.networks(allow)
	}
	if deny != nil {
		to.Deny = d.networks(deny)
	}
	if allow != nil && emptyList(allow) {
		d.problems.fail(allow.Range, `allow = ["0.0.0.0/0", "::/0"] lets everybody connect; to let nobody, deny these`, "allow is empty")
	}
	for _, network := range to.Deny {
		if deny != nil && slices.Contains(to.Allow, network) {
			d.problems.warn(deny.Range, "take it out of one of them", "%s is allowed and denied: it is denied", network)
		}
	}
}

// proxies are those whose word is taken for where a connection comes from.
func (d *decoder) proxies(a *hcl.Attribute, to *[]netip.Prefix) {
	if a == nil {
		return
	}
	*to = d.networks(a)
	for _, network := range *to {
		if network.Bits() == 0 {
			d.problems.fail(a.Range, "name the addresses of the proxies themselves", "%s is everybody: anybody could say where a connection comes from, and nobody could connect without a PROXY header", network)
		}
	}
}

// sources reads what counts as one source.
func (d *decoder) sources(v4, v6, exempt *hcl.Attribute, to *auth.Sources) {
	d.int(v4, 8, 32, &to.V4Bits)
	d.int(v6, 32, 128, &to.V6Bits)
	to.Exempt = d.networks(exempt)
	for _, network := range to.Exempt {
		if network.Bits() == 0 {
			d.problems.warn(exempt.Range, "name the networks that are your own", "%s is everybody: one source can take all places from the others", network)
		}
	}
}
