package share

import (
	"context"
	"io"
	"sync"

	"callhome-gateway/internal/netconf"
)

// inbox hands a session's messages to the function that Receive was given, on
// the goroutines that have one: the trunk's reader writes replies to the
// manager itself, since to wake another goroutine for each costs more than all
// else that is done for it.
type inbox struct {
	ready  chan struct{} // closed when Receive was called
	take   func(*netconf.Message) error
	taking sync.Mutex // held while take runs

	gone     context.Context
	end      context.CancelCauseFunc // ends Receive with that error
	over     chan struct{}           // closed when there will be no more replies
	overOnce *sync.Once
	ending   <-chan struct{} // the link is
}

func newInbox(ending <-chan struct{}) inbox {
	gone, end := context.WithCancelCause(context.Background())
	return inbox{
		ready: make(chan struct{}), gone: gone, end: end,
		over: make(chan struct{}), overOnce: new(sync.Once), ending: ending,
	}
}

// Receive calls take with each of the manager's messages, one at a time, in
// order, on any goroutine. Reading a Body, which is valid as long as take runs,
// may block on the device. Receive is called once. It returns the error of
// take; io.EOF when the manager has said that it goes and has its replies; and
// an error that says why when the session is over otherwise: ErrKilled and
// ErrEnding can be told apart. Then take may still run for the last time, until
// what it waits for ends: others wait for it, and so does the end of the link.
func (b *inbox) Receive(take func(*netconf.Message) error) error {
	b.take = take
	close(b.ready)
	select {
	case <-b.over:
		return io.EOF
	case <-b.gone.Done():
		return context.Cause(b.gone)
	case <-b.ending:
		return ErrEnding
	}
}

// noReply says that there will be no more replies.
func (b *inbox) noReply() { b.overOnce.Do(func() { close(b.over) }) }

// give hands a message over. It returns an error when it was not taken, or not
// to its end.
func (b *inbox) give(m *netconf.Message) error {
	if err := b.await(b.ready); err != nil {
		return err
	}
	b.taking.Lock()
	defer b.taking.Unlock()
	if err := b.ended(); err != nil {
		return err
	}
	err := b.take(m)
	if err != nil {
		b.end(err)
	}
	return err
}

// await waits for done, or returns why the session is over.
func (b *inbox) await(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-b.gone.Done():
		return context.Cause(b.gone)
	case <-b.ending:
		return ErrEnding
	}
}

// ended returns why the session is over, or nil.
func (b *inbox) ended() error {
	select {
	case <-b.gone.Done():
		return context.Cause(b.gone)
	case <-b.ending:
		return ErrEnding
	default:
		return nil
	}
}

func (b *inbox) orEnded(err error) error {
	if why := b.ended(); why != nil {
		return why
	}
	return err
}
