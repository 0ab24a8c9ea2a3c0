package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/internal/netconf"
	"callhome-gateway/internal/share"
)

const (
	// lastWords is how long an error that ends a session waits for the replies
	// that go before it.
	lastWords = 10 * time.Second
	// farewell is how long a device has to end a session whose manager has
	// sent its last byte and has all its replies.
	farewell = 10 * time.Second
	// doubt is how long the end of a session waits for the end of its link,
	// which would explain it.
	doubt = 250 * time.Millisecond
)

// relay carries messages between a manager and a device. Both hellos end here
// and the framing is settled for each side. To the device goes only what has
// arrived whole and is sound; to the manager everything, as it comes.
type relay struct {
	ctx    context.Context
	end    func(*ending)
	opts   *Options
	link   link
	device session
	policy policy

	stream  *stream
	manager *netconf.Conn
	writing sync.Mutex // held while a message is written to the manager

	// Used by up only.
	spool   spool
	checker *netconf.Checker

	session   SessionRecord
	tap       *atomic.Pointer[tap] // of the device
	replies   ledger
	recording *recording  // nil where there is no Recorder
	leaving   atomic.Bool // the manager has said that it goes

	received, sent atomic.Uint64 // messages from and to the manager
	denied         atomic.Uint64 // requests that were not the manager's to make
}

// newRelay returns a relay between the stream of a manager, who may do what the
// policy says, and a device's session. It calls end with the reason why it
// ends; ctx ends then.
func newRelay(ctx context.Context, end func(*ending), opts *Options, held *budget, p policy, l link, device session, manager *stream) *relay {
	r := &relay{
		ctx: ctx, end: end, opts: opts, link: l, device: device, policy: p,
		stream: manager, manager: netconf.NewConn(manager), checker: netconf.NewChecker(),
		spool: spool{budget: held, limit: opts.MaxMessage, memory: opts.SpoolMemory, grace: opts.StallTimeout, dir: opts.TempDir},
	}
	manager.inMessage = r.manager.InMessage
	return r
}

// run relays until one side ends. It returns when nothing of the session runs
// any more.
func (r *relay) run() {
	if why := r.greet(); why != nil {
		r.end(why)
		return
	}
	var down sync.WaitGroup
	defer down.Wait()
	down.Go(func() { r.end(r.down()) })
	r.end(r.up())
}

// greet shows the device's hello to the manager at once, and waits for its.
func (r *relay) greet() *ending {
	shown := r.device.Hello().WithBase10()
	r.traceHello(shown)
	if err := r.manager.WriteDocument(shown); err != nil {
		return unwritable(err)
	}
	late := time.AfterFunc(r.opts.HelloTimeout, func() {
		r.end(refused("the manager sent no hello", "no hello came from the NETCONF client in time"))
	})
	defer late.Stop()
	hello, err := netconf.ReadHello(r.manager.Reader)
	if err != nil {
		return unreadable(err)
	}
	if hello.SessionID != 0 {
		// RFC 6241 section 8.1: a server must end such a session.
		return refused("the manager's hello has a session-id", "a client's hello has no session-id (RFC 6241 section 8.1)")
	}
	framing, err := netconf.CommonFraming(hello, r.offered())
	if err != nil {
		return refused("the manager has no base version in common",
			"the hello has none of the base versions that this device's has: base:1.0 is always one")
	}
	r.manager.SetFraming(framing)
	return nil
}

// offered is the hello that the manager was shown, as far as it matters.
func (r *relay) offered() *netconf.Hello {
	offered := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}
	if r.device.Hello().Has(netconf.CapabilityBase11) {
		offered.Capabilities = append(offered.Capabilities, netconf.CapabilityBase11)
	}
	return offered
}

// up forwards the manager's messages until there are no more.
func (r *relay) up() *ending {
	defer r.spool.reset()
	for {
		m, err := r.manager.Next()
		if err == io.EOF {
			return r.halfClose()
		}
		if framing := (*netconf.FramingError)(nil); errors.As(err, &framing) {
			return r.refuse(netconf.Head{}, malformed(err))
		}
		if err != nil {
			return r.afterReplies(unreadable(err))
		}
		r.received.Add(1)
		if why := r.forward(m); why != nil {
			return why
		}
		r.spool.reset()
	}
}

// halfClose tells the device that the manager is through, and lets the replies
// that are outstanding go out. A channel that was closed altogether ends ctx.
func (r *relay) halfClose() *ending {
	r.leaving.Store(true)
	if err := r.device.CloseSend(); err != nil {
		return r.lost(err)
	}
	select {
	case <-r.replies.settled():
	case <-r.ctx.Done():
		return endedByManager
	}
	select {
	case <-time.After(farewell):
	case <-r.ctx.Done():
	}
	return endedByManager
}

// forward takes one message whole and sends it on, or answers it.
func (r *relay) forward(m *netconf.Message) *ending {
	head, refusal := r.take(m)
	if refusal != nil {
		return r.refuse(head, refusal)
	}
	if r.device.Framing() == netconf.EndOfMessage && r.checker.Delimiter() {
		// It would be two messages there, the second one unchecked.
		return r.answer(head, &netconf.RPCError{
			Type: "rpc", Tag: "operation-failed",
			Message: `the request contains "]]>]]>", which ends a message on this device's base:1.0 session`,
		})
	}
	if forbidden := r.forbid(head); forbidden != nil {
		return r.answer(head, forbidden)
	}
	if head.Op.Local == "close-session" {
		r.leaving.Store(true)
	}
	r.recording.sends(r.ctx, r.request(head))
	r.traceRequest(head)
	r.replies.sent()
	err := r.device.Send(&netconf.Message{Head: head, Size: r.spool.size, Body: r.spool.body()})
	switch {
	case err == nil:
		return nil
	case r.leaving.Load():
		// What follows close-session is ignored (RFC 6241 section 7.8).
		return r.afterReplies(endedByManager)
	}
	return r.lost(err)
}

// request returns the record of the rpc that the spool holds.
func (r *relay) request(h netconf.Head) *RequestRecord {
	return r.recording.request(h, r.spool.size, r.spool.body())
}

// refusal says why a message goes no further, and the session with it.
type refusal struct {
	reason string
	detail error
	reply  *netconf.RPCError // nil when the manager is past hearing it
}

// take holds the message and checks it while it arrives. Of a message that is
// refused it returns as much of the head as there is.
func (r *relay) take(m *netconf.Message) (netconf.Head, *refusal) {
	r.checker.Reset()
	err := r.spool.fill(m.Body, r.checker)
	head, unsound := r.checker.Finish()
	if err == nil {
		err = unsound
	}
	if err == nil && head.Kind != netconf.KindRPC {
		err = fmt.Errorf("the root element is %s, and only rpc may come here", rootOf(head.Kind))
	}
	if err != nil {
		return head, unfit(err)
	}
	return head, nil
}

func rootOf(k netconf.Kind) string {
	if k == netconf.KindOther {
		return "none of NETCONF's"
	}
	return k.String()
}

// unfit explains what is wrong with a message.
func unfit(err error) *refusal {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &refusal{reason: "the manager ended in the middle of a message"}
	case errors.Is(err, errTooBig):
		return &refusal{"the request is too big", err, &netconf.RPCError{Type: "rpc", Tag: "too-big", Message: errTooBig.Error()}}
	case errors.Is(err, errSlow):
		return &refusal{"the manager sends a request too slowly", nil, &netconf.RPCError{Type: "rpc", Tag: "operation-failed", Message: errSlow.Error()}}
	case errors.Is(err, errNoRoom):
		return &refusal{"no room for the request", err, &netconf.RPCError{Type: "rpc", Tag: "resource-denied", Message: errNoRoom.Error()}}
	}
	return malformed(err)
}

func malformed(err error) *refusal {
	return &refusal{"the message is malformed", err, &netconf.RPCError{
		Type: "rpc", Tag: "malformed-message", Message: "the gateway forwards only sound requests: " + err.Error(),
	}}
}

// refuse answers a message that goes no further, and ends the session.
func (r *relay) refuse(h netconf.Head, why *refusal) *ending {
	e := &ending{reason: why.reason, detail: why.detail, status: 1}
	if why.reply == nil {
		return r.afterReplies(e)
	}
	late := time.AfterFunc(lastWords, func() { r.end(e) })
	defer late.Stop()
	if failed := r.answer(h, why.reply); failed != nil {
		return failed
	}
	return e
}

// afterReplies returns the ending of a manager that has said its last word,
// once the replies to what it had sent before are out.
func (r *relay) afterReplies(e *ending) *ending {
	late := time.NewTimer(lastWords)
	defer late.Stop()
	select {
	case <-r.replies.settled():
	case <-late.C:
	case <-r.ctx.Done():
	}
	return e
}

// answer answers an rpc in the device's place, after the replies to those
// before it.
func (r *relay) answer(h netconf.Head, with *netconf.RPCError) *ending {
	request, reply := r.request(h), netconf.ErrorReply(h, *with)
	select {
	case <-r.replies.settled():
	case <-r.ctx.Done():
		r.recording.refuses(request, with.Tag)
		return endingOf(r.ctx)
	}
	defer r.recording.refused(request, with.Tag, len(reply))
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := r.manager.WriteDocument(reply); err != nil {
		return unwritable(err)
	}
	r.sent.Add(1)
	return nil
}

// down passes the device's messages on as they come, until there are no more.
func (r *relay) down() *ending {
	err := r.device.Receive(r.pass)
	var why *ending
	if errors.As(err, &why) {
		return why
	}
	return r.lost(err)
}

// pass writes a message to the manager. Its error is an *ending, unless the
// device's session has failed.
func (r *relay) pass(m *netconf.Message) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	m, heard := r.listen(m)
	err := r.manager.Write(m)
	r.tracePassed(m, heard, err == nil)
	var device *netconf.BodyError
	switch {
	case errors.As(err, &device):
		return device.Err
	case errors.Is(err, netconf.ErrDelimiter):
		return refused("the device's message cannot go to a base:1.0 manager",
			`a message of the device contains "]]>]]>", which ends it on a base:1.0 session: use base:1.1`)
	case err != nil:
		return unwritable(err)
	}
	r.sent.Add(1)
	if m.Head.Kind == netconf.KindReply {
		r.recording.replied(m, heard)
		r.replies.answered()
	}
	return nil
}

// lost explains an error of the device's session. The sessions of a link end a
// little before the link does, and look as if the device had closed them.
func (r *relay) lost(err error) *ending {
	switch {
	case err == io.EOF && r.leaving.Load():
		return endedByManager
	case errors.Is(err, share.ErrKilled):
		return killed
	}
	select {
	case <-r.link.Done():
	case <-r.ctx.Done():
		return endingOf(r.ctx)
	case <-time.After(doubt):
	}
	if r.link.Err() != nil {
		return linkEnded(r.link)
	}
	if err == io.EOF {
		return endedByDevice
	}
	e := refused("the device's session failed", "the device's session failed")
	e.detail = err
	return e
}

// unreadable explains an error in what the manager sends between messages.
func unreadable(err error) *ending {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &ending{reason: "the manager ended in the middle of a message", status: 1}
	}
	if errors.Is(err, io.EOF) {
		return endedByManager
	}
	e := refused("the manager sent no NETCONF", oneLine(err.Error()))
	e.detail = err
	return e
}

// unwritable explains an error in writing to the manager.
func unwritable(err error) *ending {
	if errors.Is(err, io.EOF) {
		return endedByManager
	}
	return &ending{reason: "the manager cannot be written to", detail: err, status: 1}
}
