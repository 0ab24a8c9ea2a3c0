package gateway

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"callhome-gateway/internal/netconf"
)

const (
	maxRecorded  = 255     // of a name from outside, in bytes
	maxPending   = 1 << 20 // of one session, in bytes
	recordWeight = 512     // of a record without its Body, in bytes
)

// recording tells the Recorder of one manager session and of its requests. The
// methods of a nil one do nothing.
type recording struct {
	to      Recorder
	session SessionRecord
	budget  *budget // of the manager, for what is pending but for the first

	// mu is held while the Recorder is told, so that its records come in order,
	// and guards the following.
	mu      sync.Mutex
	pending []pendingRequest // sent to the device and not answered, in order
	weight  int64            // of those, in bytes
	room    chan struct{}    // closed when there is more room; nil while nobody waits
}

// pendingRequest is a request with what it takes of memory.
type pendingRequest struct {
	*RequestRecord
	weight int64
	taken  int64 // of the budget: weight, or 0 where there is room in any case
}

// record tells the Recorder that a session begins. It returns nil where there is
// no Recorder.
func record(to Recorder, session SessionRecord, b *budget) *recording {
	if to == nil {
		return nil
	}
	to.SessionBegins(session)
	return &recording{to: to, session: session, budget: b}
}

// request returns the record of an rpc that has come whole.
func (c *recording) request(h netconf.Head, size int64, body io.Reader) *RequestRecord {
	if c == nil {
		return nil
	}
	r := &RequestRecord{
		SessionRecord: c.session, Began: time.Now(), MessageID: bounded(h.ID),
		Namespace: bounded(h.Op.Space), Operation: bounded(h.Op.Local), Target: bounded(h.Target),
		Result: ResultNone, RequestBytes: size,
	}
	if most := c.to.Bodies(h.Op.Space, h.Op.Local); most > 0 {
		r.Body = make([]byte, min(int64(most), size))
		n, _ := io.ReadFull(body, r.Body) // it was written there before
		r.Body = r.Body[:n]
	}
	return r
}

// bounded returns a text from outside, cut, and without holding more in memory.
func bounded(s string) string {
	if len(s) <= maxRecorded {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:maxRecorded], ""))
}

// sends notes an rpc that is about to be sent. A manager that has asked for more
// than can be kept account of waits for replies first.
func (c *recording) sends(ctx context.Context, r *RequestRecord) {
	if c == nil {
		return
	}
	for {
		room := c.add(r, ctx.Err() != nil)
		if room == nil {
			return
		}
		select {
		case <-room:
		case <-ctx.Done():
		}
	}
}

// add adds a record, if there is room or in any case, or returns what to wait for:
// the next reply, of which there is one to come.
func (c *recording) add(r *RequestRecord, always bool) (room <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := pendingRequest{RequestRecord: r, weight: int64(recordWeight + len(r.MessageID) + len(r.Namespace) + len(r.Operation) + len(r.Target) + len(r.Body))}
	switch {
	case len(c.pending) == 0 || always:
	case c.weight+p.weight <= maxPending && c.budget.take(p.weight):
		p.taken = p.weight
	default:
		if c.room == nil {
			c.room = make(chan struct{})
		}
		return c.room
	}
	c.pending, c.weight = append(c.pending, p), c.weight+p.weight
	return nil
}

// replied notes a reply of the device that has gone to the manager whole.
func (c *recording) replied(m *netconf.Message, heard *hearing) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.takeLocked(m.Head)
	if r == nil {
		return
	}
	r.Result, r.ErrorTag, r.ReplyBytes = heard.result(m.InPlace), heard.reply.ErrorTag(), heard.size
	c.tellLocked(r)
}

// takeLocked returns the record of the rpc that a reply answers: the first, as
// replies come in order (RFC 6241 section 4.5), unless the reply says otherwise.
// A device that left one out must not have what is asked later taken for it.
func (c *recording) takeLocked(h netconf.Head) *RequestRecord {
	if len(c.pending) == 0 {
		return nil
	}
	i := 0
	if h.HasID {
		id := bounded(h.ID)
		for i < len(c.pending) && c.pending[i].MessageID != id {
			i++
		}
		if i == len(c.pending) {
			i = 0
		}
	}
	p := c.pending[i]
	copy(c.pending[1:i+1], c.pending[:i])
	c.pending[0] = pendingRequest{}
	c.pending, c.weight = c.pending[1:], c.weight-p.weight
	c.budget.give(p.taken)
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
	return p.RequestRecord
}

func (c *recording) tellLocked(r *RequestRecord) {
	r.Took = time.Since(r.Began)
	c.to.Requested(*r)
}

// refuses notes an rpc that the gateway would have answered with an error, had
// the session not ended before its turn.
func (c *recording) refuses(r *RequestRecord, tag string) {
	if c == nil {
		return
	}
	r.Result, r.ErrorTag = ResultRefused, tag
	c.add(r, true)
}

// refused notes an rpc that the gateway has answered with an error.
func (c *recording) refused(r *RequestRecord, tag string, replyBytes int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Result, r.ErrorTag, r.ReplyBytes = ResultRefused, tag, int64(replyBytes)
	c.tellLocked(r)
}

// ends tells the Recorder that the session has ended, and what will have no
// reply. A reply that is still on its way finds nothing that it could answer.
func (c *recording) ends(why *ending, s SessionStatus) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pending {
		c.tellLocked(p.RequestRecord)
		c.budget.give(p.taken)
	}
	c.pending = nil
	reason := why.reason
	if why.detail != nil {
		reason += ": " + logged(why.detail.Error())
	}
	c.to.SessionEnds(SessionEnd{
		SessionRecord: c.session, Time: time.Now(), Reason: reason,
		MessagesIn: s.MessagesIn, MessagesOut: s.MessagesOut, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
	})
}
