package share

import (
	"context"
	"io"
	"sync"

	"callhome-gateway/internal/netconf"
)

// inbox is where a session's messages are handed over, by the goroutines that
// have one, to the one that calls Next. It keeps nothing.
type inbox struct {
	messages chan *netconf.Message
	lent     borrowed // what Next has returned; used by its caller only

	gone     context.Context
	end      context.CancelCauseFunc // ends Next with that error
	over     chan struct{}           // closed when there will be no more replies
	overOnce *sync.Once
	ending   <-chan struct{} // the link is
}

func newInbox(ending <-chan struct{}) inbox {
	gone, end := context.WithCancelCause(context.Background())
	return inbox{
		messages: make(chan *netconf.Message), gone: gone, end: end,
		over: make(chan struct{}), overOnce: new(sync.Once), ending: ending,
	}
}

// Next returns the manager's next message, as netconf.Reader.Next does: its
// Body is valid until the next call, and reading it may block on the device.
// It returns io.EOF when the manager has said that it goes and has its
// replies, and an error that says why when the session is over otherwise:
// ErrKilled and ErrEnding can be told apart.
func (b *inbox) Next() (*netconf.Message, error) {
	if b.lent != nil {
		b.lent.giveBack()
		b.lent = nil
	}
	select {
	case m := <-b.messages:
		b.lent, _ = m.Body.(borrowed)
		return m, nil
	case <-b.over:
		return nil, io.EOF
	case <-b.gone.Done():
		return nil, context.Cause(b.gone)
	case <-b.ending:
		return nil, ErrEnding
	}
}

// noReply says that there will be no more replies.
func (b *inbox) noReply() { b.overOnce.Do(func() { close(b.over) }) }

// give hands a message over, whose Body stays valid. It returns when Next has
// taken it, or an error when nobody will.
func (b *inbox) give(m *netconf.Message) error {
	select {
	case b.messages <- m:
		return nil
	case <-b.over:
		return errOver
	case <-b.gone.Done():
		return context.Cause(b.gone)
	case <-b.ending:
		return ErrEnding
	}
}

// lend hands a message over, whose Body stays valid until lend returns: when
// it has been read to the end, or nobody wants the rest. It reports which.
func (b *inbox) lend(m *netconf.Message) (whole bool) {
	l := &loan{body: m.Body, done: make(chan struct{})}
	if b.give(&netconf.Message{Head: m.Head, Size: m.Size, Body: l}) == nil {
		_ = b.await(l.done)
	}
	l.giveBack()
	return l.err == io.EOF
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

// borrowed is a Body whose source others wait for.
type borrowed interface{ giveBack() }

// loan is a Body that a manager reads while it streams from the device. It can
// be taken back while the manager is at it.
type loan struct {
	mu   sync.Mutex // held while the device is read from
	body io.Reader  // nil once it is given back
	err  error      // then
	done chan struct{}
}

func (l *loan) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.body == nil {
		return 0, l.err
	}
	n, err := l.body.Read(p)
	if err != nil {
		l.close(err)
	}
	return n, err
}

func (l *loan) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close(errStale)
}

func (l *loan) close(err error) {
	if l.body != nil {
		l.body, l.err = nil, err
		close(l.done)
	}
}
