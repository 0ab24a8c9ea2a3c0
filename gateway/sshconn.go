package gateway

import (
	"context"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshConn is the SSH connection of a manager that has logged in. Each of its
// channels is a manager session with the device that was granted.
type sshConn struct {
	managerConn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request

	mu       sync.Mutex // guards the following
	open     int        // channels that have not ended
	sessions map[*sshSession]struct{}
	closing  *ending // why there will be no other; nil while there may be
}

// serve services the connection, which is counted, until it ends, and returns
// when its sessions have ended too. Channels and requests are always taken,
// since one that is not blocks the whole connection.
func (c *sshConn) serve() {
	defer context.AfterFunc(c.e.g.ctx, func() { c.dismiss(endedByGateway) })()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer c.e.g.quotas.disconnect(c.grant) // a busy device makes the sessions last longer
	for channels, requests := c.channels, c.requests; channels != nil || requests != nil; {
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
func (c *sshConn) accept(offered ssh.NewChannel, sessions *sync.WaitGroup) {
	if offered.ChannelType() != "session" {
		_ = offered.Reject(ssh.UnknownChannelType, c.noShell())
		return
	}
	if refusal := c.enter(); refusal != "" {
		c.reject(offered, refusal)
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		c.leave()
		return
	}
	s := newSSHSession(c, channel, requests)
	c.begin(s)
	sessions.Go(s.serve)
}

// reject refuses a channel, by the sentence that the manager is shown.
func (c *sshConn) reject(offered ssh.NewChannel, sentence string) {
	c.logRefusal(sentence)
	_ = offered.Reject(ssh.ResourceShortage, sentence)
}

// turnAway ends a connection that is one too many. SSH has only the answer to
// the first channel to say why.
func (c *sshConn) turnAway(sentence string) {
	defer context.AfterFunc(c.e.g.ctx, c.kill)()
	late := time.AfterFunc(lastWords, c.kill)
	defer late.Stop()
	if offered, ok := <-c.channels; ok {
		c.reject(offered, sentence)
	}
}

// enter counts a channel, or returns why there may be no other.
func (c *sshConn) enter() (refusal string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing != nil:
		return c.closing.sentence
	case c.e.g.accepting.Err() != nil:
		return endedByGateway.sentence
	}
	perConnection := c.e.g.opts().MaxSessions
	if c.open >= perConnection {
		return "too many sessions on this connection"
	}
	if refusal = c.e.g.quotas.enter(c.grant, perConnection); refusal == "" {
		c.open++
	}
	return refusal
}

// begin adds the session of a channel that was counted. What ends the connection
// from now on finds it.
func (c *sshConn) begin(s *sshSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil {
		s.end(c.closing)
	}
	if c.sessions == nil {
		c.sessions = make(map[*sshSession]struct{})
	}
	c.sessions[s] = struct{}{}
}

// finished counts the channel of a session that has ended.
func (c *sshConn) finished(s *sshSession) {
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
	c.leave()
}

// leave counts a channel that has ended.
func (c *sshConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.e.g.quotas.leave(c.grant)
	if c.open--; c.closing != nil && c.open == 0 {
		c.kill()
	}
}

// dismiss implements visitor. The connection closes as soon as its sessions have
// said goodbye.
func (c *sshConn) dismiss(why *ending) (ended int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing == nil {
		c.closing = why
	}
	for s := range c.sessions {
		if s.ctx.Err() == nil {
			ended++
			s.end(why)
		}
	}
	if c.open == 0 {
		c.kill()
	}
	return ended
}
