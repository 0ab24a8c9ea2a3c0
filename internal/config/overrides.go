package config

import (
	"net/netip"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

// Overrides are the flags of serve, which beat the file. What is nil or empty
// was not given.
type Overrides struct {
	Enabled *bool    // --callhome-enabled
	Address string   // --callhome-address
	Port    *int     // --callhome-port
	TLSPort *int     // --callhome-tls-port
	Users   []string // --callhome-user, in order
}

// Apply changes c to what the flags say. It changes nothing if there is an
// error.
func (c *Config) Apply(o Overrides) *Problems {
	p := newProblems("command line", nil)
	next := *c
	if o.Enabled != nil {
		next.Enabled = *o.Enabled
	}
	next.overrideListener(p, o)
	if len(o.Users) > 0 {
		next.Callhome.Users = c.namedUsers(p, o.Users)
	}
	if (o.Address != "" || o.Port != nil || o.TLSPort != nil) && !p.HasErrors() {
		next.clashes(p, next.listeners())
	}
	if !p.HasErrors() {
		*c = next
	}
	return p
}

func (c *Config) overrideListener(p *Problems, o Overrides) {
	if o.Address != "" {
		addr, err := netip.ParseAddr(o.Address)
		if err != nil {
			p.fail(hcl.Range{}, "", "--callhome-address: %q is not an IP address", o.Address)
		}
		c.Callhome.Main.Address = addr.Unmap()
	}
	overridePort(p, "--callhome-port", o.Port, &c.Callhome.Main.Port)
	overridePort(p, "--callhome-tls-port", o.TLSPort, &c.Callhome.Main.TLSPort)
}

func overridePort(p *Problems, flag string, given *int, to *uint16) {
	if given == nil {
		return
	}
	if *given < 0 || *given > 65535 {
		p.fail(hcl.Range{}, "", "%s: %d is not a port (0 to 65535)", flag, *given)
	}
	*to = uint16(*given)
}

func (c *Config) namedUsers(p *Problems, names []string) (users []*auth.User) {
	table := userTable(c.Callhome.NamedUsers)
	for _, name := range names {
		if u, ok := table[name]; ok {
			users = append(users, u)
			continue
		}
		p.fail(hcl.Range{}, unknownUserHint(name, table.names()), "--callhome-user: there is no user %q", name)
	}
	return users
}
