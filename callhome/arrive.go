package callhome

import (
	"context"
	"errors"
)

// noCall is the reason of what was no call, and has no outcome.
const noCall Reason = ""

// arrive finds out where the call comes from, and turns it away if nobody may
// call from there, before a byte is sent and any but a proxy's is read.
func (c *call) arrive(ctx context.Context) *rejection {
	l := c.server.rules.Load().on(c.called)
	if l == nil {
		l = c.called // nobody may call, and its proxies say who did
	}
	source, proxied, err := Caller(ctx, c.conn.Conn, l.Proxies)
	c.info.Remote, c.proxied = source, proxied
	c.arrival = c.server.arrivalOf(source.Addr())
	switch {
	case errors.Is(err, ErrProxyCheck):
		c.server.log.Debug("a proxy looks whether somebody listens", "remote", source, "local", c.info.Local)
		return reject(noCall, "%v", err)
	case err != nil:
		return reject(FailedPreamble, "%v", err)
	}
	_, r := c.server.rules.Load().admits(c.called, source.Addr())
	return r
}
