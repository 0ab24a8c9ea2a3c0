package share

import (
	"io"

	"callhome-gateway/internal/netconf"
)

// reply takes the device's answer to the rpc that is outstanding. It returns
// when the answer is read to its end, by the manager or, if that is gone, here.
func (d *Device) reply(m *netconf.Message) {
	t, err := d.match(m.Head)
	if err != nil {
		d.fail(err)
		return
	}
	heard := (*listener)(nil)
	if t.op == nil || t.op.effective() {
		heard = newListener(m.Body)
		m = &netconf.Message{Head: m.Head, Size: m.Size, Body: heard}
	}
	d.give(t, m)
	if d.drain(t, m.Body) != nil {
		return // the link is ending
	}
	outcome := heard.outcome()
	d.settle(t, func() { t.answered, t.outcome = true, outcome })
}

// unreadable takes a message of which it cannot be told what it is. While an rpc
// is outstanding it is the answer to that: netconfd answers an attribute in a
// namespace that it does not know with a start tag that declares the prefix
// twice, and one manager must not be able to end the link of all with that.
func (d *Device) unreadable(m *netconf.Message) {
	d.mu.Lock()
	t := d.current
	awaited := t != nil && t.op != nil && t.open && !t.answered
	d.mu.Unlock()
	if !awaited {
		d.fail(errStrange)
		return
	}
	d.o.Log.Warn("the device's answer cannot be read", "session_id", t.session.id, "operation", t.op.name.Local)
	if d.drain(t, m.Body) != nil {
		return // the link is ending
	}
	_ = t.session.give(ownReply(t.head, errUnreadable()))
	d.settle(t, func() { t.answered, t.outcome = true, netconf.Unclear })
}

// match returns the turn that a reply belongs to. The rpc is the only one that
// is outstanding, so the order alone tells; that the id is right as well shows
// that the device and the gateway agree on it. A reply without an id is taken:
// devices send one where they could not make sense of an rpc. To an rpc that
// has none they may make one up, but not repeat an earlier one of ours.
func (d *Device) match(h netconf.Head) (*turn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.current
	switch {
	case t == nil || !t.open || t.answered:
		return nil, errUnasked
	case t.hasID && h.HasID && h.ID != t.id,
		!t.hasID && h.HasID && d.requests.issued(h.ID):
		return nil, errMismatch(h.ID, t.id)
	}
	return t, nil
}

// give gives a reply to the manager that waits for it.
func (d *Device) give(t *turn, m *netconf.Message) {
	if t.op == nil {
		return
	}
	if t.hasID {
		m = m.WithID(t.head.ID)
	}
	_ = t.session.give(m) // what it leaves of the Body is drained
}

// drain reads what nobody wants of a reply.
func (d *Device) drain(t *turn, r io.Reader) error {
	_, err := io.Copy(io.Discard, steady{r, d, t})
	return err
}

// steady is a Body that the device sends or takes while its manager may be
// gone. As long as it moves the device is not given up.
type steady struct {
	io.Reader
	d *Device
	t *turn
}

func (s steady) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.t.watch != nil {
		s.t.watch.Reset(s.d.o.Patience)
	}
	return n, err
}
