package share

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"callhome-gateway/internal/netconf"
)

// Session is one manager's session with the device. Send and CloseSend are
// used by one goroutine and Receive by one other, Close by any.
type Session struct {
	d     *Device
	id    uint32
	hello *netconf.Hello
	inbox

	cleaned chan struct{} // closed when what it left is cleaned up

	// Guarded by Device.mu.
	retired bool // nothing more of it reaches the device
	noMore  bool // the manager sends no more
	joining bool // a subscriber that has not been told so yet
}

func newSession(d *Device, id uint32) *Session {
	return &Session{
		d: d, id: id, hello: &netconf.Hello{Capabilities: d.offered, SessionID: id},
		inbox: newInbox(d.trunk.Ending()), cleaned: make(chan struct{}),
	}
}

// Hello returns the device's hello as this manager is to see it: with a
// session-id of its own, and without what managers cannot share.
func (s *Session) Hello() *netconf.Hello { return s.hello }

// Framing returns how messages are delimited on the device's session.
func (s *Session) Framing() netconf.Framing { return s.d.trunk.Framing() }

// Send sends an rpc to the device when its turn has come, or answers it in the
// device's place; then it waits until that is taken. Its Head must
// be of a Checker that has found the whole message well-formed, and its Body
// has been read when Send returns, if it is of any use. Send returns an error
// when the session is over, and with the link.
func (s *Session) Send(m *netconf.Message) error {
	m = &netconf.Message{Head: m.Head, Size: m.Size, Body: m.Body}
	op, refusal := understand(m)
	t := &turn{session: s, op: op, refusal: refusal, head: m.Head, ready: make(chan struct{})}
	if err := s.d.enqueue(t); err != nil {
		return s.orEnded(err)
	}
	if err := s.awaitRuling(t); err != nil {
		s.d.abandon(t)
		return err
	}
	switch r := t.ruling; r.verdict {
	case pass:
		return s.transmit(t, m)
	case answer:
		return s.answer(m.Head, r.err)
	case kill:
		s.d.o.Log.Info("a manager killed another's session", "session_id", t.victim.id, "by", s.id)
		if err := s.await(t.victim.cleaned); err != nil {
			return err
		}
	case hangUp:
		return fmt.Errorf("%w: %w", ErrEnding, r.reason)
	case join:
		defer s.d.listens(s)
	case leave:
		defer s.noReply()
	}
	return s.answer(m.Head, nil)
}

// awaitRuling waits for the ruling on a turn, or returns why the session is over.
func (s *Session) awaitRuling(t *turn) error {
	select {
	case <-t.ready:
		return nil
	default:
	}
	look := time.NewTimer(s.d.o.Patience)
	defer look.Stop()
	for {
		select {
		case <-t.ready:
			return nil
		case <-s.gone.Done():
			return context.Cause(s.gone)
		case <-s.ending:
			return ErrEnding
		case <-look.C:
			if again := s.d.giveUp(t); again > 0 {
				look.Reset(again)
			}
		}
	}
}

// transmit writes an rpc whose turn it is.
func (s *Session) transmit(t *turn, m *netconf.Message) error {
	if err := s.ended(); err != nil {
		s.d.abandon(t)
		return err
	}
	m = m.WithID(t.id)
	m.Body = steady{m.Body, s.d, t}
	if err := s.d.trunk.Send(m); err != nil {
		return fmt.Errorf("%w: %w", ErrEnding, err)
	}
	s.d.settle(t, func() { t.sent = true })
	return nil
}

// answer hands over a reply in the device's place: ok when e is nil.
func (s *Session) answer(h netconf.Head, e *netconf.RPCError) error {
	m := ownReply(h, e)
	m.InPlace = true
	return s.give(m)
}

func ownReply(h netconf.Head, e *netconf.RPCError) *netconf.Message {
	doc := netconf.OKReply(h)
	if e != nil {
		doc = netconf.ErrorReply(h, *e)
	}
	return &netconf.Message{
		Head: netconf.Head{Kind: netconf.KindReply, ID: h.ID, HasID: h.HasID},
		Size: int64(len(doc)), Body: bytes.NewReader(doc),
	}
}

// CloseSend says that the manager sends no more. Receive returns io.EOF when
// the replies are taken.
func (s *Session) CloseSend() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.noMore = true
	if s.d.current == nil || s.d.current.session != s {
		s.noReply()
	}
	return nil
}

// Close ends the session, and returns at once. What the manager has left is
// cleaned up before others get their turn.
func (s *Session) Close() error {
	s.d.mu.Lock()
	defer s.d.unlock()
	s.end(net.ErrClosed)
	s.d.retire(s)
	s.d.advance()
	return nil
}
