package gateway

import (
	"fmt"
	"io"
	"sync"
	"time"

	"callhome-gateway/internal/netconf"
)

const traceWeight = 1 << 10 // of a record without its Body, in bytes

// tap holds what passes a device until the trace takes it. Who tells it never
// waits.
type tap struct {
	most int           // of one message, in bytes
	wake chan struct{} // holds a token when there is something to take
	over chan struct{} // closed when the device is no more
	once sync.Once     // for over

	mu    sync.Mutex // guards the following; a leaf
	queue []TraceRecord
	left  int // of the memory, in bytes
	lost  int
}

// newTap returns one that keeps so much of a message, and of all that waits.
func newTap(most, memory int) *tap {
	return &tap{most: most, left: memory, wake: make(chan struct{}, 1), over: make(chan struct{})}
}

func (t *tap) end() { t.once.Do(func() { close(t.over) }) }

// reserve takes memory for a record, if there is some.
func (t *tap) reserve(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left < n {
		return false
	}
	t.left -= n
	return true
}

func (t *tap) give(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left += n
}

// tell queues a record that memory was not reserved for.
func (t *tap) tell(r TraceRecord) {
	if !t.reserve(traceWeight + len(r.Body)) {
		t.lose()
		return
	}
	t.add(r)
}

// add queues a record that has its memory.
func (t *tap) add(r TraceRecord) {
	t.mu.Lock()
	t.queue = append(t.queue, r)
	t.mu.Unlock()
	t.wakeUp()
}

func (t *tap) lose() {
	t.mu.Lock()
	t.lost++
	t.mu.Unlock()
	t.wakeUp()
}

func (t *tap) wakeUp() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// next returns the first record and the memory that it has, or one that says how
// many were lost behind all that are there.
func (t *tap) next() (r TraceRecord, memory int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > 0 {
		r, t.queue[0] = t.queue[0], TraceRecord{} // which the array would hold on to
		t.queue = t.queue[1:]
		return r, traceWeight + len(r.Body), true
	}
	if t.lost == 0 {
		return r, 0, false
	}
	r = TraceRecord{Time: time.Now(), Event: fmt.Sprintf("%d messages are missing here: they came faster than they were taken", t.lost)}
	t.lost = 0
	return r, 0, true
}

// empty gives all that is queued to take.
func (t *tap) empty(take func(TraceRecord) error) error {
	for {
		r, memory, ok := t.next()
		if !ok {
			return nil
		}
		if err := take(r); err != nil {
			return err
		}
		t.give(memory)
	}
}

// traced returns the tap where the device is traced, or nil.
func (r *relay) traced() *tap {
	if r.tap == nil {
		return nil
	}
	return r.tap.Load()
}

// traceRecord returns the record of a message of the session.
func (r *relay) traceRecord(h netconf.Head, size int64) TraceRecord {
	return TraceRecord{
		Time: time.Now(), Manager: r.session.Manager, SessionID: r.session.SessionID, DeviceSessionID: r.session.DeviceSessionID,
		Kind: h.Kind.String(), Operation: bounded(h.Op.Local), Target: bounded(h.Target), MessageID: bounded(h.ID), Size: size,
	}
}

// traceRequest tells the trace, if there is one, of the rpc that the spool holds.
func (r *relay) traceRequest(h netconf.Head) {
	t := r.traced()
	if t == nil {
		return
	}
	n := int(min(r.spool.size, int64(t.most)))
	if !t.reserve(traceWeight + n) {
		t.lose()
		return
	}
	record := r.traceRecord(h, r.spool.size)
	record.Body = make([]byte, n)
	_, _ = io.ReadFull(r.spool.body(), record.Body) // it was written there before
	t.add(record)
}

// traceHello tells the trace of the hello that the manager is shown.
func (r *relay) traceHello(doc []byte) {
	if t := r.traced(); t != nil {
		record := r.traceRecord(netconf.Head{Kind: netconf.KindHello}, int64(len(doc)))
		record.FromDevice, record.Body = true, doc
		t.tell(record)
	}
}

// copying keeps a message of the device for a trace while it passes.
type copying struct {
	tap   *tap
	body  []byte
	taken int // of the tap's memory
	full  bool
}

func newCopying(t *tap) *copying {
	c := &copying{tap: t}
	c.full = !c.take(traceWeight)
	return c
}

func (c *copying) take(n int) bool {
	ok := c.tap.reserve(n)
	if ok {
		c.taken += n
	}
	return ok
}

// keep keeps the next bytes, as far as there is room: without, nothing is kept.
func (c *copying) keep(p []byte) {
	p = p[:min(len(p), c.tap.most-len(c.body))]
	if c.full || len(p) == 0 {
		return
	}
	if c.full = !c.take(len(p)); !c.full {
		c.body = append(c.body, p...)
	}
}

// done tells the trace of the message.
func (c *copying) done(r TraceRecord) {
	if c.full {
		c.tap.give(c.taken)
		c.tap.lose()
		return
	}
	r.Body = c.body
	c.tap.add(r)
}
