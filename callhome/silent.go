package callhome

import (
	"context"
	"errors"
	"time"
)

// A program on libnetconf2 that does not ask for further channels lets them
// open, and says nothing on them. So does a device that is busy for a while:
// what tells them apart is that the first one answers on its first session.

const (
	// silentAfter is how long a further session may lack the device's hello
	// before the control session is asked for something.
	silentAfter = 10 * time.Second
	// silentGrace is how much longer the hello may take than that answer.
	silentGrace = time.Second
)

var errSilentSession = errors.New("the device answers on its first session, and says nothing on a further one")

// watchSilence gives up on a further session on which the device says nothing
// while it answers on the control session. It ends with ctx, or by stop. Who
// waits for the session must not wait for its channel: such a server does not
// confirm that it is closed either.
func (l *Link) watchSilence(ctx context.Context, giveUp context.CancelCauseFunc) (stop func() bool) {
	return time.AfterFunc(silentAfter, func() {
		l.spawn(func() {
			if l.answersOnControl(ctx) {
				giveUp(errSilentSession)
			}
		})
	}).Stop
}

// answersOnControl asks for something on the control session, and waits for the
// answer and a little longer.
func (l *Link) answersOnControl(ctx context.Context) bool {
	l.sendIdleRPC()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for l.Control().outstanding.Load() > 0 {
		if !l.waits(ctx, tick.C) {
			return false
		}
	}
	return l.waits(ctx, time.After(silentGrace))
}

// waits reports whether the time came before the end of ctx and of the link.
func (l *Link) waits(ctx context.Context, until <-chan time.Time) bool {
	select {
	case <-until:
		return true
	case <-ctx.Done():
	case <-l.ending:
	}
	return false
}
