package callhome

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshBearer is the SSH connection under a link.
type sshBearer struct {
	link     *Link
	conn     ssh.Conn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	broken   func(*Link) // told when x/crypto does not end the connection

	// controlRequests carries the control session's requests to serve.
	controlRequests chan (<-chan *ssh.Request)
	// pinging is set while the answer to a global request is awaited, poking
	// while one without an answer is written.
	pinging, poking atomic.Bool
}

func (b *sshBearer) transport() Transport { return SSH }

// serve answers what the device asks for on the connection, all on one
// goroutine, and returns when the connection has ended: unanswered requests
// would block it. An answer may itself block for as long as the device takes
// no data; the timer that notices a silent network does not wait for it.
func (b *sshBearer) serve() {
	var control <-chan *ssh.Request // of the control session, once there is one
	for b.channels != nil || b.requests != nil {
		select {
		case channel, ok := <-b.channels:
			if !ok {
				b.channels = nil
				continue
			}
			_ = channel.Reject(ssh.Prohibited, "the NETCONF client opens the channels")
		case request, ok := <-b.requests:
			if !ok {
				b.requests = nil
				continue
			}
			_ = request.Reply(false, nil)
		case request, ok := <-control:
			if !ok {
				control = nil
				continue
			}
			_ = request.Reply(false, nil)
		case control = <-b.controlRequests:
		}
	}
	b.finish()
}

// finish ends the link for the reason that x/crypto gives, if it does.
func (b *sshBearer) finish() {
	ended := make(chan error, 1)
	go func() { ended <- b.conn.Wait() }() // for ever only where x/crypto hangs
	late := time.NewTimer(brokenWait)
	defer late.Stop()
	select {
	case err := <-ended:
		b.link.end(b.link.networkError(err))
	case <-late.C:
		b.link.end(errors.New("the device broke the SSH protocol"))
		// On a machine under load it may only be late.
		time.AfterFunc(brokenGrace, func() {
			if len(ended) == 0 {
				b.broken(b.link)
			}
		})
	}
}

// sayGoodbye only closes: SSH devices end their sessions with the connection.
func (b *sshBearer) sayGoodbye() { _ = b.link.call.Close() }

// openControl opens the control session on the first channel of the connection.
func (b *sshBearer) openControl(ctx context.Context) error {
	control, err := b.openSession(ctx, func(requests <-chan *ssh.Request) bool {
		b.controlRequests <- requests
		return true
	})
	if err != nil {
		return err
	}
	b.link.control.Store(control)
	if !b.link.spawn(b.link.watchControl) {
		return ErrLinkEnded
	}
	return nil
}

func (b *sshBearer) openFurther(ctx context.Context) (*Session, error) {
	s, err := b.openSession(ctx, b.refuseRequests)
	switch {
	case err == nil, errors.Is(err, ErrNoSession):
		return s, err
	case errors.Is(err, ErrLinkEnded), errors.Is(err, errNoAnswer), errors.Is(err, errNoHello):
		if ended := b.link.dropped(); ended != nil {
			return nil, ended
		}
		return nil, fmt.Errorf("%w: %w", ErrNoSession, err)
	case errors.Is(err, errSubsystem):
		return nil, fmt.Errorf("%w: %w", ErrNoSession, err)
	}
	return nil, err
}

// Why there is no session with a device that has opened the channel, or has not.
var (
	errSubsystem = errors.New("the device refused the netconf subsystem")
	errNoAnswer  = errors.New("the device went away when it was asked for a NETCONF session")
)

// openSession opens a channel, requests the subsystem and exchanges hellos.
// Whoever calls it says what happens to the channel's requests.
func (b *sshBearer) openSession(ctx context.Context, service func(<-chan *ssh.Request) bool) (*Session, error) {
	channel, requests, err := b.conn.OpenChannel("session", nil)
	if err != nil {
		return nil, openError(err)
	}
	s := newSession(b.link, channel)
	if !s.drain(channel.Stderr()) || !service(requests) {
		return nil, ErrLinkEnded
	}
	err = s.within(ctx, func() error {
		ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"netconf"}))
		switch {
		case err != nil:
			return errNoAnswer
		case !ok:
			return errSubsystem
		}
		return s.exchangeHellos()
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openError tells a refused channel from a broken connection.
func openError(err error) error {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w (%s: %s)", ErrNoSession, refused.Reason, Quote(refused.Message))
	}
	return ErrLinkEnded
}

// refuseRequests answers a channel's requests, so that they cannot block the
// connection.
func (b *sshBearer) refuseRequests(requests <-chan *ssh.Request) bool {
	return b.link.spawn(func() {
		for request := range requests {
			_ = request.Reply(false, nil)
		}
	})
}

// keepAlive sends a global request, to have bytes that the device's TCP must
// acknowledge and to keep NAT mappings.
func (b *sshBearer) keepAlive() { b.link.spawn(b.ask) }

func (b *sshBearer) owesAnswer() bool { return b.pinging.Load() }

// ask sends a global request and waits for the answer; any answer is life.
// While one is awaited it sends a request without an answer, for its bytes.
// SendRequest knows no deadline: it returns at the latest when the link ends.
func (b *sshBearer) ask() {
	if !b.pinging.CompareAndSwap(false, true) {
		b.poke()
		return
	}
	_, _, _ = b.conn.SendRequest("keepalive@openssh.com", true, nil)
	b.pinging.Store(false)
}

// poke sends bytes that ask for no answer but TCP's. Where the device takes
// nothing the write blocks; then there are bytes to acknowledge already.
func (b *sshBearer) poke() {
	if b.poking.CompareAndSwap(false, true) {
		_, _, _ = b.conn.SendRequest("keepalive@openssh.com", false, nil)
		b.poking.Store(false)
	}
}

// provoke pokes on a goroutine of its own: where the device's window is full
// the write blocks, and that is no sign of death.
func (b *sshBearer) provoke() (stop func(), ok bool) {
	return func() {}, b.link.spawn(b.poke)
}
