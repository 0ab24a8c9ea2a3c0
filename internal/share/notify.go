package share

import (
	"bytes"
	"io"

	"callhome-gateway/internal/netconf"
)

const (
	// smallEvent is up to what size a notification is copied for its
	// subscribers, who then need not wait for each other to read it.
	smallEvent = 64 << 10
	// eventPiece is what goes at once from a larger one to each of them.
	eventPiece = 32 << 10
)

// notify takes a notification of the device to the subscribers. What nobody
// wants is skipped.
func (d *Device) notify(m *netconf.Message) {
	subscribers, stops := d.subscribers()
	if !stops {
		d.publish(m, subscribers)
		return
	}
	heard := newListener(m.Body)
	heard.heard = d.heardEvent
	d.publish(&netconf.Message{Head: m.Head, Size: m.Size, Body: heard}, subscribers)
	_, _ = io.Copy(io.Discard, heard) // what is left of it
}

// heardEvent takes account of the end of a subscription that has one.
func (d *Device) heardEvent(h netconf.Head) {
	if h.Op.Local != "notificationComplete" {
		return
	}
	d.mu.Lock()
	defer d.unlock()
	d.state.ended()
	d.advance()
}

// subscribers returns who gets the device's events, and whether there is an
// end to these. The manager that is about to subscribe is among them: a device
// may be faster with an event than with its reply.
func (d *Device) subscribers() (all []*Session, stops bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []uint32
	if sub := d.state.events; sub != nil {
		ids, stops = sub.subscribers, sub.stops
	}
	for _, id := range ids {
		if s := d.sessions[id]; s != nil && !s.retired && !s.joining {
			all = append(all, s)
		}
	}
	if t := d.current; len(ids) == 0 && t != nil && t.op != nil && t.op.class == subscribe && !t.session.retired {
		all = append(all, t.session)
	}
	return all, stops
}

// listens lets a session have events that has joined a subscription, now that
// its manager knows.
func (d *Device) listens(s *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.joining = false
}

func (d *Device) publish(m *netconf.Message, to []*Session) {
	switch {
	case len(to) == 0:
	case len(to) == 1:
		to[0].lend(m)
	case m.Size >= 0 && m.Size <= smallEvent:
		doc, err := io.ReadAll(m.Body)
		if err != nil {
			return // the link is ending
		}
		for _, s := range to {
			_ = s.give(&netconf.Message{Head: m.Head, Size: m.Size, Body: bytes.NewReader(doc)})
		}
	default:
		fanOut(m, to)
	}
}

// fanOut gives several sessions the same message, as it comes, in step with
// the slowest of them.
func fanOut(m *netconf.Message, to []*Session) {
	var feeds []*feed
	for _, s := range to {
		f := newFeed(&s.inbox)
		if s.give(&netconf.Message{Head: m.Head, Size: m.Size, Body: f}) == nil {
			feeds = append(feeds, f)
		}
	}
	for {
		piece := make([]byte, eventPiece) // one who has gone may still read the last
		n, err := m.Body.Read(piece)
		for _, f := range feeds {
			f.write(piece[:n])
		}
		if err != nil {
			for _, f := range feeds {
				f.finish(err)
			}
			return
		}
	}
}

// feed is the Body of a message that others get too. It holds a piece of it
// until that is read.
type feed struct {
	to     *inbox
	pieces chan []byte
	taken  chan struct{} // a piece is read
	stale  chan struct{} // closed when no more is wanted
	end    chan struct{} // closed when there is no more
	err    error         // then
	rest   []byte        // of the piece that is being read
}

func newFeed(to *inbox) *feed {
	return &feed{to: to, pieces: make(chan []byte), taken: make(chan struct{}), stale: make(chan struct{}), end: make(chan struct{})}
}

func (f *feed) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		select {
		case f.rest = <-f.pieces:
		case <-f.end:
			return 0, f.err
		case <-f.stale:
			return 0, errStale
		case <-f.to.gone.Done():
			return 0, errStale
		case <-f.to.ending:
			return 0, ErrEnding
		}
	}
	n := copy(p, f.rest)
	if f.rest = f.rest[n:]; len(f.rest) == 0 {
		select {
		case f.taken <- struct{}{}:
		case <-f.to.gone.Done():
		case <-f.to.ending:
		}
	}
	return n, nil
}

func (f *feed) giveBack() { close(f.stale) }

// write waits until p is read, or nobody is there to.
func (f *feed) write(p []byte) {
	if len(p) == 0 {
		return
	}
	select {
	case f.pieces <- p:
	case <-f.stale:
		return
	case <-f.to.gone.Done():
		return
	case <-f.to.ending:
		return
	}
	select {
	case <-f.taken:
	case <-f.stale:
	case <-f.to.gone.Done():
	case <-f.to.ending:
	}
}

// finish tells that the message is over, with io.EOF, or cut off.
func (f *feed) finish(err error) {
	f.err = err
	close(f.end)
}
