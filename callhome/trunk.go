package callhome

import "callhome-gateway/internal/netconf"

// Trunk is the control session of a link in the hands of one who carries
// several managers over it. It has the link's life: there is nothing to close.
type Trunk struct{ link *Link }

// Trunk hands the control session over. From then on handle is called with
// every message that the device sends on it, in order and on one goroutine;
// what it leaves of a Body is skipped. Replies to the gateway's own idle RPC
// are not among them. What the device sent before is lost: until then it was
// asked for nothing, and subscribed to nothing. Only the first call takes
// over; it panics on another.
//
// handle may block, for a manager that reads slowly, and the device then waits
// with what it sends; the link's liveness does not depend on it. It must return
// soon after Ending is closed.
func (l *Link) Trunk(handle func(*Message)) *Trunk {
	if !l.handler.CompareAndSwap(nil, &handle) {
		panic("callhome: the control session of " + l.name + " was handed over already")
	}
	return &Trunk{l}
}

// dispatch passes on a message of the control session.
func (l *Link) dispatch(m *Message) {
	if m.Head.Kind == netconf.KindReply && m.Head.HasID && m.Head.ID == idleID {
		l.idleAnswered()
		return
	}
	handle := l.handler.Load()
	if handle == nil {
		return
	}
	l.handling.Store(true)
	(*handle)(m)
	// Nothing was read meanwhile, which is no silence of the device's.
	l.call.touch()
	l.handling.Store(false)
}

// Hello returns the device's hello.
func (t *Trunk) Hello() *Hello { return t.link.Control().Hello() }

// Framing returns how messages are delimited on the session.
func (t *Trunk) Framing() Framing { return t.link.Control().Framing() }

// Send writes one whole message. It is called by one goroutine at a time. An
// error means that the link is ending.
func (t *Trunk) Send(m *Message) error { return t.link.Control().Send(m) }

// Go runs f on a goroutine that the end of the link waits for: f must return
// soon after Ending is closed. It reports false, and does nothing, when that
// has happened.
func (t *Trunk) Go(f func()) bool { return t.link.spawn(f) }

// Ending is closed when the link begins to end.
func (t *Trunk) Ending() <-chan struct{} { return t.link.ending }

// End begins the end of the link, for that reason, without waiting for it.
func (t *Trunk) End(reason error) { t.link.end(reason) }
