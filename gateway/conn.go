package gateway

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/crypto/ssh"
)

// managerConn is the SSH connection of a manager that has logged in. Each of
// its channels is a manager session with the device that was granted.
type managerConn struct {
	e      *endpoint
	conn   net.Conn
	grant  grant
	source netip.AddrPort

	mu      sync.Mutex // guards the following
	open    int        // channels that have not ended
	closing bool
}

// serve services the connection until it ends, and returns when its sessions
// have ended too. Channels and requests are always taken, since one that is
// not blocks the whole connection.
func (c *managerConn) serve(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	defer context.AfterFunc(c.e.ctx, c.shut)()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	for channels != nil || requests != nil {
		select {
		case channel, ok := <-channels:
			if !ok {
				channels = nil
				continue
			}
			c.accept(channel, &sessions)
		case request, ok := <-requests:
			if !ok {
				requests = nil
				continue
			}
			// Keepalives among them, whose refusal is a sign of life as well.
			_ = request.Reply(false, nil)
		}
	}
}

// accept starts a session on the channel, or says why not.
func (c *managerConn) accept(offered ssh.NewChannel, sessions *sync.WaitGroup) {
	if offered.ChannelType() != "session" {
		_ = offered.Reject(ssh.UnknownChannelType, c.noShell())
		return
	}
	if !c.enter() {
		_ = offered.Reject(ssh.ResourceShortage, "too many sessions on this connection")
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		c.leave()
		return
	}
	sessions.Go(newManagerSession(c, channel, requests).serve)
}

// enter counts a channel, if there may be another.
func (c *managerConn) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.open >= c.e.g.opts.MaxSessions {
		return false
	}
	c.open++
	return true
}

// leave counts a channel that has ended.
func (c *managerConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open--; c.closing && c.open == 0 {
		c.kill()
	}
}

// shut closes the connection as soon as its sessions have said goodbye.
func (c *managerConn) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing = true; c.open == 0 {
		c.kill()
	}
}

// kill closes the connection without a word, and unblocks all that waits on it.
func (c *managerConn) kill() { _ = c.conn.Close() }
