package config

import (
	"fmt"
	"net/netip"
	"slices"

	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
)

// listener is a port that the configuration wants to listen on.
type listener struct {
	what string
	// general says that it is no device's own.
	general bool
	addr    netip.Addr
	port    uint16
	at      hcl.Range
}

// checkPorts reports ports that are wanted twice. A session's port may be in
// the range of gateway.ports: it is not given to another device.
func (d *decoder) checkPorts(f fileSchema, c *Config) {
	listeners := c.listeners()
	places := make(map[string]hcl.Range)
	place := func(what string, a *hcl.Attribute) {
		if a != nil {
			places[what] = a.Expr.Range()
		}
	}
	if len(f.Callhome) > 0 {
		for _, b := range f.Callhome[0].listeners() {
			place(callPort(b.Name), b.Port)
			place(callTLSPort(b.Name), b.TLSPort)
		}
	}
	if len(f.Gateway) > 0 {
		place(sharedPort, f.Gateway[0].Port)
		place(sharedTLSPort, f.Gateway[0].TLSPort)
		for _, t := range f.Gateway[0].TLS {
			for _, a := range t.ACME {
				place(acmePort, a.HTTPPort)
			}
		}
	}
	for _, b := range f.Sessions {
		place(sessionPort(b.Name), b.Port)
		place(sessionTLSPort(b.Name), b.TLSPort)
	}
	for i := range listeners {
		listeners[i].at = places[listeners[i].what]
	}
	c.clashes(d.problems, listeners)
}

const (
	sharedPort    = "gateway.port"
	sharedTLSPort = "gateway.tls_port"
	acmePort      = "http_port of acme"
)

// callPort is the port for calls of a listener, of the main one without a name.
func callPort(name string) string {
	if name == "" {
		return "callhome.port"
	}
	return fmt.Sprintf("the port of listener %q", name)
}

func callTLSPort(name string) string {
	if name == "" {
		return "callhome.tls_port"
	}
	return fmt.Sprintf("the tls_port of listener %q", name)
}

func sessionPort(name string) string    { return fmt.Sprintf("the port of session %q", name) }
func sessionTLSPort(name string) string { return fmt.Sprintf("the tls_port of session %q", name) }

func (c *Config) listeners() []listener {
	var all []listener
	for _, l := range c.Callhome.All() {
		all = append(all, listener{what: callPort(l.Name), general: true, addr: l.Address, port: l.Port},
			listener{what: callTLSPort(l.Name), general: true, addr: l.Address, port: l.TLSPort})
	}
	all = append(all, listener{what: sharedPort, general: true, addr: c.Gateway.Address, port: c.Gateway.Port},
		listener{what: sharedTLSPort, general: true, addr: c.Gateway.Address, port: c.Gateway.TLSPort})
	if a := c.TLS.ACME; a != nil {
		all = append(all, listener{what: acmePort, general: true, addr: c.Gateway.Address, port: a.HTTPPort})
	}
	for _, device := range c.Gateway.Devices {
		all = append(all, c.deviceListeners(device)...)
	}
	return all
}

func (c *Config) deviceListeners(device gateway.DeviceConfig) []listener {
	return []listener{
		{what: sessionPort(device.Name), addr: c.Gateway.Address, port: device.Port},
		{what: sessionTLSPort(device.Name), addr: c.Gateway.Address, port: device.TLSPort},
	}
}

// portTable are the listeners by their ports.
type portTable map[uint16][]listener

func (c *Config) clashes(p *Problems, listeners []listener) portTable {
	table := make(portTable)
	for _, l := range listeners {
		table.add(p, l)
		c.checkRange(p, l)
	}
	return table
}

func (t portTable) add(p *Problems, l listener) {
	if l.port == 0 {
		return
	}
	for _, other := range t[l.port] {
		if overlap(l.addr, other.addr) {
			reportClash(p, other, l)
			break
		}
	}
	t[l.port] = append(t[l.port], l)
}

func (t portTable) remove(listeners []listener) {
	for _, l := range listeners {
		t[l.port] = slices.DeleteFunc(t[l.port], func(other listener) bool { return other == l })
	}
}

// reportClash names the one that comes later in the file, where it is in it.
func reportClash(p *Problems, a, b listener) {
	if a.at.Start.Byte > b.at.Start.Byte {
		a, b = b, a
	}
	hint := "choose another port for one of them"
	if a.at.Start.Line > 0 {
		hint = fmt.Sprintf("the other one is in line %d; choose another port for one of them", a.at.Start.Line)
	}
	p.fail(b.at, hint, "%s and %s are both %d", a.what, b.what, b.port)
}

func (c *Config) checkRange(p *Problems, l listener) {
	r := c.Gateway.Ports
	if l.general && l.port != 0 && r.First <= l.port && l.port <= r.Last && overlap(l.addr, c.Gateway.Address) {
		p.fail(l.at, "choose a port outside of the range", "%s (%d) is in the range of gateway.ports, %d-%d", l.what, l.port, r.First, r.Last)
	}
}

// overlap reports whether one port can not be listened on at both addresses.
func overlap(a, b netip.Addr) bool {
	covers := func(wide, narrow netip.Addr) bool {
		return wide.IsUnspecified() && (wide.Is6() || narrow.Is4())
	}
	return a == b || covers(a, b) || covers(b, a)
}
