package callhome

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNoSession is returned by Link.Open when the device allows no further
// session on its connection at present.
var ErrNoSession = errors.New("the device allows no further session on its connection")

// ErrDropped is returned by Link.Open when the device, or the network, has
// ended the connection while the session was being opened: some devices answer
// that way when they allow one session only. It wraps ErrLinkEnded.
var ErrDropped = fmt.Errorf("%w while a further session was being opened", ErrLinkEnded)

// Open starts one NETCONF session with the device on an SSH channel of its
// own: the hellos are exchanged and the framing is settled when it returns. It
// waits for the device at most as long as ctx and 60 s.
//
// The error wraps ErrNoSession when the device refuses the channel or the
// NETCONF subsystem on it, when it closes the channel before its hello or says
// none for 10 s while it answers on the control session, and always over TLS,
// which carries one session: that is the control session, which Trunk hands
// over. It is ErrDropped when the device drops the whole connection meanwhile,
// and ErrLinkEnded when the link ended otherwise.
func (l *Link) Open(ctx context.Context) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	type result struct {
		session *Session
		err     error
	}
	opened := make(chan result)
	select {
	case l.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, l.openTimedOut(ctx)
	}
	defer l.watchSilence(ctx, giveUp)()
	ok := l.spawn(func() {
		defer func() { <-l.opening }()
		session, err := l.bearer.openFurther(ctx)
		select {
		case opened <- result{session, err}:
		case <-ctx.Done():
			if session != nil {
				_ = session.Close()
			}
		}
	})
	if !ok {
		<-l.opening
		return nil, ErrLinkEnded
	}
	select {
	case r := <-opened:
		return r.session, r.err
	case <-ctx.Done():
		return nil, l.openTimedOut(ctx)
	}
}

func (l *Link) openTimedOut(ctx context.Context) error {
	if err := l.Err(); err != nil {
		return ErrLinkEnded
	}
	if cause := context.Cause(ctx); cause == errSilentSession {
		return fmt.Errorf("%w: %w", ErrNoSession, cause)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("the device did not open a NETCONF session in time; it may be at work on a long request")
	}
	return ctx.Err()
}

// dropWait is how long after a channel the rest of a connection ends that the
// device has dropped.
const dropWait = 250 * time.Millisecond

// dropped returns ErrDropped or ErrLinkEnded when the connection has ended with
// a channel, and nil when it has not.
func (l *Link) dropped() error {
	late := time.NewTimer(dropWait)
	defer late.Stop()
	select {
	case <-l.ending:
	case <-late.C:
		return nil
	}
	var byDevice deviceEnd
	if errors.As(l.Err(), &byDevice) {
		return ErrDropped
	}
	return ErrLinkEnded
}
