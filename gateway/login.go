package gateway

import (
	"net"
	"net/netip"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// grant is what a login gave: this manager may use this device. It is made in
// the callback that decides, and counts only if the login that the callback
// was asked about is the one that succeeds (CVE-2024-45337).
type grant struct {
	manager string
	device  string // empty when the manager named none, which only SSH allows
}

// handle serves one connection of a manager, from accept to its end.
func (e *endpoint) handle(conn net.Conn) {
	defer conn.Close()
	set := e.g.opts()
	source, proxied, ok := e.caller(conn, set)
	if !ok {
		return
	}
	arrival := set.logins.Arrival(source.Addr())
	arrival.Evict = func() { _ = conn.Close() }
	place := e.g.arrive.Enter(arrival)
	if place == nil {
		e.logDropped(source.Addr())
		return
	}
	begin := time.Now()
	v := e.login(set, conn, source, place)
	place.Leave()
	switch {
	case place.Evicted():
		e.logDropped(source.Addr())
	case v == nil:
		set.logins.Failed(source.Addr())
	}
	if v == nil {
		return
	}
	set.logins.LoggedIn(source.Addr())
	c := v.about()
	c.proxied, c.since = proxied, time.Now()
	granted := c.grant
	e.g.opts().Log.Debug("a manager has logged in", "manager", granted.manager, "device", logged(granted.device),
		"transport", string(e.transport), "remote", source, "took", time.Since(begin))
	if refusal := e.g.quotas.connect(granted); refusal != "" {
		v.turnAway(refusal)
		return
	}
	e.g.welcome(v, set)
	defer e.g.visitors.remove(v)
	v.serve()
}

// login lets a manager in, or returns nil when it has logged why not.
func (e *endpoint) login(set *settings, conn net.Conn, source netip.AddrPort, place *auth.Place) visitor {
	if e.transport == callhome.TLS {
		return e.loginTLS(set, conn, source)
	}
	return e.loginSSH(set, conn, source, place)
}

// logDropped notes a connection that got no place, or lost it to another.
func (e *endpoint) logDropped(source netip.Addr) {
	if n := e.g.dropped.report(time.Now()); n > 0 {
		e.g.opts().Log.Warn("too many managers are logging in at once, connections are dropped",
			"dropped", n, "remote", source, "port", e.port)
	}
}

// logStranger notes a connection that ended before it tried to log in: a port
// scan, or a monitor that looks whether the port is open.
func (e *endpoint) logStranger(source netip.Addr, err error) {
	e.g.opts().Log.Debug("a manager's connection ended before a login",
		"remote", source, "port", e.port, "error", logged(err.Error()))
}
