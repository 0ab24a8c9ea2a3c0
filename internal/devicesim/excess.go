package devicesim

import (
	"io"

	"golang.org/x/crypto/ssh"
)

// Excess is what a device does with channels beyond its MaxSessions.
type Excess uint8

const (
	// ExcessRefused refuses the channel as OpenSSH does.
	ExcessRefused Excess = iota
	// ExcessDropped ends the connection.
	ExcessDropped
	// ExcessNoSubsystem accepts the channel, and refuses the subsystem.
	ExcessNoSubsystem
	// ExcessClosed accepts both, and closes the channel before any hello.
	ExcessClosed
	// ExcessSilent accepts both, and never sends a hello.
	ExcessSilent
)

// refuse handles a channel that is one too many, unless it is to be accepted
// first.
func (c *connection) refuse(n ssh.NewChannel) (done bool) {
	switch c.device.o.Excess {
	case ExcessRefused:
		reason := c.device.o.RefuseReason
		if reason == 0 {
			reason = ssh.ConnectionFailed // as OpenSSH gives it
		}
		_ = n.Reject(reason, "open failed")
	case ExcessDropped:
		_ = c.line.Close()
	default:
		return false
	}
	return true
}

// requestExcess answers the request for a subsystem on a channel that is one
// too many.
func (c *connection) requestExcess(ch *channel, r *ssh.Request) {
	_ = r.Reply(c.device.o.Excess != ExcessNoSubsystem, nil)
	switch c.device.o.Excess {
	case ExcessClosed:
		_ = ch.Close()
	case ExcessSilent:
		c.wg.Go(func() { _, _ = io.Copy(io.Discard, ch) })
	}
}
