package config

import (
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// Flags are those of serve, which beat the file. What is nil or empty was not
// given.
type Flags struct {
	Enabled *bool    // --callhome-enabled
	Address string   // --callhome-address
	Port    *int     // --callhome-port
	TLSPort *int     // --callhome-tls-port
	Users   []string // --callhome-user, in order; user entries of the file
}

// onCommandLine is the place of problems with flags.
var onCommandLine = hcl.Range{Filename: "command line"}

// flags changes c to what they say. They are not looked at where the file has
// errors: what they would have to go with is not known then.
func (d *decoder) flags(c *Config, o Flags) {
	if d.problems.HasErrors() {
		return
	}
	if o.Enabled != nil {
		c.Enabled = *o.Enabled
	}
	d.listenerFlags(&c.Callhome.Main, o)
	if len(o.Users) > 0 {
		d.userFlags(c, o.Users)
	}
	if (o.Address != "" || o.Port != nil || o.TLSPort != nil) && !d.problems.HasErrors() {
		listeners := c.listeners()
		for i := range listeners {
			listeners[i].at = onCommandLine
		}
		c.clashes(d.problems, listeners)
	}
}

func (d *decoder) listenerFlags(main *Listener, o Flags) {
	if o.Address != "" {
		addr, err := netip.ParseAddr(o.Address)
		if err != nil {
			d.problems.fail(onCommandLine, "", "--callhome-address: %q is not an IP address", o.Address)
		}
		main.Address = addr.Unmap()
	}
	d.portFlag("--callhome-port", o.Port, &main.Port)
	d.portFlag("--callhome-tls-port", o.TLSPort, &main.TLSPort)
}

func (d *decoder) portFlag(flag string, given *int, to *uint16) {
	if given == nil {
		return
	}
	if *given < 0 || *given > 65535 {
		d.problems.fail(onCommandLine, "", "%s: %d is not a port (0 to 65535)", flag, *given)
	}
	*to = uint16(*given)
}

// userFlags puts its own list in the place of the file's callhome-users.
func (d *decoder) userFlags(c *Config, names []string) {
	table := userTable(c.Callhome.NamedUsers)
	c.Callhome.Users, c.origins.callhome = nil, nil
	for _, name := range names {
		u, ok := table[name]
		if !ok {
			d.problems.fail(onCommandLine, unknownUserHint(name, table.names()), "--callhome-user: there is no user %q", name)
			continue
		}
		c.addCallhomeUser(u, FromFlag)
	}
}
