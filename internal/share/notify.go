package share

import (
	"bytes"
	"io"
	"sync"

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
		_ = to[0].give(m)
	case m.Size >= 0 && m.Size <= smallEvent:
		doc, err := io.ReadAll(m.Body)
		if err != nil {
			return // the link is ending
		}
		for _, s := range to {
			_ = s.give(&netconf.Message{Head: m.Head, Size: m.Size, Body: bytes.NewReader(doc)})
		}
	default:
		d.fanOut(m, to)
	}
}

// fanOut gives several sessions the same message, as it comes, in step with
// the slowest of them.
func (d *Device) fanOut(m *netconf.Message, to []*Session) {
	var given sync.WaitGroup
	defer given.Wait()
	feeds := make([]*io.PipeWriter, len(to))
	for i, s := range to {
		var body *io.PipeReader
		body, feeds[i] = io.Pipe()
		given.Add(1)
		give := func() {
			defer given.Done()
			_ = s.give(&netconf.Message{Head: m.Head, Size: m.Size, Body: body})
			_ = body.Close() // nobody reads the rest
		}
		if !d.trunk.Go(give) {
			_ = body.Close()
			given.Done()
		}
	}
	piece := make([]byte, eventPiece)
	for {
		n, err := m.Body.Read(piece)
		for _, f := range feeds {
			_, _ = f.Write(piece[:n]) // fails where nobody reads
		}
		if err != nil {
			for _, f := range feeds {
				_ = f.CloseWithError(err) // io.EOF as well
			}
			return
		}
	}
}
