package gateway

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"callhome-gateway/callhome"
)

// caller returns where a connection comes from, as a proxy tells it where there
// is one, and whether anybody may connect from there. Why not is in the log.
func (e *endpoint) caller(conn net.Conn, o *settings) (source netip.AddrPort, proxied, ok bool) {
	source, proxied, err := callhome.Caller(e.ctx, conn, o.Proxies)
	switch {
	case errors.Is(err, callhome.ErrProxyCheck), err != nil && e.ctx.Err() != nil:
		return source, proxied, false
	case err != nil:
		e.logTurnedAway("a connection from a proxy has no PROXY header", source.Addr(), "reason", err)
		return source, proxied, false
	case !o.Networks.Permits(source.Addr()):
		e.logTurnedAway("nobody may connect from this network (allow and deny of the gateway)", source.Addr())
		return source, proxied, false
	}
	return source, proxied, true
}

// logTurnedAway notes connections that end before anything was sent, one for
// many.
func (e *endpoint) logTurnedAway(message string, source netip.Addr, values ...any) {
	if n := e.g.turnedAway.report(time.Now()); n > 0 {
		e.g.opts().Log.Warn(message, append(values, "remote", source, "port", e.port, "turned_away", n)...)
	}
}

func (e *endpoint) logUnnamedProxy(source netip.Addr) {
	e.logTurnedAway("a connection was refused", source, "reason", callhome.ErrUnnamedProxy)
}

// unproxied is a connection whose first bytes are what they seem. A PROXY header
// that nobody asked for ends it: x/crypto would take one for a banner, and the
// manager would come in under the address of a proxy.
type unproxied struct {
	net.Conn
	e      *endpoint
	source netip.Addr
	first  []byte // only the reader touches it
}

func (c *unproxied) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if missing := callhome.ProxySignature - len(c.first); missing > 0 && n > 0 {
		c.first = append(c.first, p[:min(n, missing)]...)
		if callhome.IsProxyHeader(c.first) {
			c.e.logUnnamedProxy(c.source)
			return 0, callhome.ErrUnnamedProxy
		}
	}
	return n, err
}
