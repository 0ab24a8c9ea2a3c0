package callhome

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// silentConn is an SSH connection of which nothing comes any more.
type silentConn struct {
	ssh.Conn
	ended chan struct{}
}

func (c silentConn) Wait() error { <-c.ended; return errors.New("ended") }

func (c silentConn) SendRequest(string, bool, []byte) (bool, []byte, error) {
	<-c.ended
	return false, nil, errors.New("ended")
}

// blockedChannel is a channel that the device wants to open, and whose refusal
// cannot be written because the device takes no data.
type blockedChannel struct {
	ssh.NewChannel
	ended chan struct{}
}

func (c blockedChannel) Reject(ssh.RejectionReason, string) error { <-c.ended; return nil }

func TestAnAnswerThatBlocksDoesNotHideASilentNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device, gateway := net.Pipe()
		defer device.Close()
		ended := make(chan struct{})
		l := &Link{
			call:     newCallConn(gateway),
			liveness: liveness{interval: 15 * time.Second, deadAfter: 45 * time.Second, byReply: true},
			ending:   make(chan struct{}), done: make(chan struct{}),
		}
		l.wg.Add(1) // as newLink does
		begin := time.Now()
		channels, requests := make(chan ssh.NewChannel, 1), make(chan *ssh.Request)
		channels <- blockedChannel{ended: ended}
		l.bearer = &sshBearer{link: l, conn: silentConn{ended: ended}, channels: channels, requests: requests}
		l.run(func() {})
		<-l.ending
		if took := time.Since(begin); took > 50*time.Second {
			t.Errorf("noticed after %s", took)
		}
		close(ended)
		close(channels)
		close(requests)
		<-l.done
	})
}
