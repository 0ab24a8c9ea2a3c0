package gateway

import (
	"net"
	"net/netip"
)

// managerConn is the connection of a manager that has logged in, whatever it
// speaks.
type managerConn struct {
	e      *endpoint
	conn   net.Conn
	grant  grant
	source netip.AddrPort
}

func (c *managerConn) about() *managerConn { return c }

// kill closes the connection without a word, and unblocks all that waits on it.
func (c *managerConn) kill() { _ = c.conn.Close() }

// logRefusal notes that the manager got no session, by the sentence that says
// why.
func (c *managerConn) logRefusal(sentence string) {
	c.e.g.opts.Log.Info("a manager got no session", "manager", c.grant.manager,
		"device", logged(c.grant.device), "remote", c.source, "reason", sentence)
}
