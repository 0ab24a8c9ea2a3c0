package gateway

import (
	"crypto/x509"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"
)

// managerConn is the connection of a manager that has logged in, whatever it
// speaks.
type managerConn struct {
	e      *endpoint
	conn   net.Conn
	grant  grant
	shown  credential // for which it was granted
	source netip.AddrPort
	budget *budget
	// Set before it is among the visitors.
	proxied bool // the source is what a proxy has told
	since   time.Time

	dismissed atomic.Bool
}

// credential is what a manager has logged in with.
type credential struct {
	auth.Credential // over SSH
	// Over TLS these are as the manager sent them.
	certificates []*x509.Certificate
	serverName   string
}

func (c *managerConn) about() *managerConn { return c }

// manager returns the manager as it is configured at present; nil when it is no
// more, and the connection about to end.
func (c *managerConn) manager() *auth.Manager { return c.e.g.opts().logins.Manager(c.grant.manager) }

// kill closes the connection without a word, and unblocks all that waits on it.
func (c *managerConn) kill() { _ = c.conn.Close() }

// logRefusal notes that the manager got no session, by the sentence that says
// why.
func (c *managerConn) logRefusal(sentence string) {
	c.e.g.opts().Log.Info("a manager got no session", "manager", c.grant.manager,
		"device", logged(c.grant.device), "remote", c.source, "reason", sentence)
}
