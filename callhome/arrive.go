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
	source, proxied, err := Caller(ctx, c.conn.Conn, c.listener.Proxies)
	c.info.Remote, c.proxied = source, proxied
	c.arrival = c.server.arrivalOf(source.Addr())
	switch {
	case errors.Is(err, ErrProxyCheck):
		c.server.log.Debug("a proxy looks whether somebody listens", "remote", source, "local", c.info.Local)
		return reject(noCall, "%v", err)
	case err != nil:
		return reject(FailedPreamble, "%v", err)
	case !c.listener.Networks.Permits(source.Addr()):
		return reject(RejectedNetwork, "nobody may call from %s: allow and deny of the listener say who may", source.Addr())
	}
	return nil
}
