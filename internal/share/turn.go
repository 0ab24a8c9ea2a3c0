package share

import (
	"slices"
	"time"

	"callhome-gateway/internal/netconf"
)

// turn is what an rpc has to have to be outstanding on the trunk. One holds it
// at a time: from the ruling that lets it pass until its reply has been read
// to the end and its effect is known. Its fields are guarded by Device.mu.
type turn struct {
	session *Session   // who wants it; of a clean-up, who has left
	op      *operation // nil for a clean-up
	refusal *netconf.RPCError
	head    netconf.Head

	ready  chan struct{} // closed when the ruling is there
	ruling ruling
	victim *Session // of a ruling that kills

	hasID    bool
	id       string // message-id of the rpc that is outstanding
	began    time.Time
	open     bool // an rpc is on its way, or its reply
	sent     bool // it was written
	answered bool // its reply was read
	outcome  netconf.Outcome
	result   chan netconf.Outcome // of a clean-up's rpc
	watch    *time.Timer          // ends the link unless it is reset
}

// enqueue lets a turn wait for its ruling.
func (d *Device) enqueue(t *turn) error {
	d.mu.Lock()
	defer d.unlock()
	if t.session.retired {
		return errOver
	}
	d.queue = append(d.queue, t)
	d.advance()
	return nil
}

// advance rules on all that can be ruled on. It is called, with mu held,
// whenever anything has changed.
func (d *Device) advance() {
	d.cleanNext()
	for i := 0; i < len(d.queue) && d.fatal == nil; {
		t := d.queue[i]
		r, known := d.rule(t)
		if !known || r.verdict == wait {
			i++
			continue
		}
		d.queue = slices.Delete(d.queue, i, i+1)
		t.ruling = r
		d.begin(t)
		close(t.ready)
		// A session that was killed has left the queue, and left chores.
		d.cleanNext()
		i = 0
	}
}

// rule decides on a turn if that can be done now. What is no matter between
// the manager and the device need not wait for others' replies, but for its
// own: replies are in order.
func (d *Device) rule(t *turn) (ruling, bool) {
	if d.current != nil && d.current.session == t.session {
		return ruling{}, false
	}
	switch {
	case t.refusal != nil:
		return answered(t.refusal), true
	case t.op.class == closeSession:
		return ruling{verdict: leave}, true
	case t.op.class == killSession:
		if r, ours := d.ruleKill(t); ours {
			return r, true
		}
	}
	if d.current != nil {
		return ruling{}, false
	}
	return d.state.rule(t.session.id, t.op, time.Now()), true
}

// ruleKill decides on kill-session where that is the gateway's business. The
// sessions that the device knows besides the trunk are not.
func (d *Device) ruleKill(t *turn) (r ruling, ours bool) {
	id := t.op.victim
	switch {
	case id == 0:
		return answered(refuse("invalid-value", "kill-session takes one session-id, a plain decimal number")), true
	case id == t.session.id: // RFC 6241 section 7.9
		return answered(refuse("invalid-value", "a session cannot kill itself")), true
	case d.sessions[id] != nil:
		return ruling{verdict: kill}, true
	case id == d.own:
		return answered(refuse("access-denied", heldBy(id)+" is the gateway's own, which all managers share")), true
	case reserved(id):
		return answered(refuse("invalid-value", "there is no "+heldBy(id))), true
	}
	return ruling{}, false
}

// begin does what a ruling entails before anybody else's is made.
func (d *Device) begin(t *turn) {
	switch t.ruling.verdict {
	case pass:
		d.current, t.began = t, time.Now()
		d.outstanding(t, t.head.HasID)
	case join:
		d.state.joined(t.session.id)
		t.session.joining = true
	case leave:
		d.retire(t.session)
	case kill:
		t.victim = d.sessions[t.op.victim]
		t.victim.end(errKilled(t.session.id))
		d.retire(t.victim)
	case hangUp:
		d.endWith(t.ruling.reason)
	}
}

// outstanding makes an rpc the one that the next reply answers.
func (d *Device) outstanding(t *turn, hasID bool) {
	t.open, t.sent, t.answered, t.hasID, t.id = true, false, false, hasID, ""
	if hasID {
		t.id = d.requests.next()
	}
}

// settle notes that an rpc was written, or answered, and ends its turn when
// both has happened: a device may answer a request that it does not read to
// its end.
func (d *Device) settle(t *turn, note func()) {
	d.mu.Lock()
	defer d.unlock()
	note()
	if !t.open || !t.sent || !t.answered {
		return
	}
	t.open = false
	if t.op == nil {
		t.result <- t.outcome
		return
	}
	d.state.apply(t.session.id, t.op, t.outcome, time.Now())
	d.finish(t)
}

// giveUp answers a turn that has waited for long because the device is at work
// for another manager, or will never answer that: the waiting one learns who it
// is, to whom kill-session can put an end. Those that wait for a lock go on. It
// returns when to look again, or 0.
func (d *Device) giveUp(t *turn) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.queue, t)
	if i < 0 {
		return 0
	}
	busy := d.current
	if busy == nil || busy.session == t.session || busy.session.retired { // over a leaver's the link ends
		return d.o.Patience
	}
	if left := time.Until(busy.began.Add(d.o.Patience)); left > 0 {
		return left
	}
	d.o.Log.Warn("a manager waits for the device, which has not finished another's request", "session_id", t.session.id,
		"busy_with", busy.op.name.Local, "of_session_id", busy.session.id, "since", time.Since(busy.began).Round(time.Second))
	d.queue = slices.Delete(d.queue, i, i+1)
	t.ruling = answered(inUse("the device has been at work on " + busy.op.name.Local + " of " + heldBy(busy.session.id) + " for " +
		d.o.Patience.String() + ": try again later, or end that with kill-session"))
	close(t.ready)
	return 0
}

// abandon ends a turn of which nothing has reached the device.
func (d *Device) abandon(t *turn) {
	d.mu.Lock()
	defer d.unlock()
	d.queue = slices.DeleteFunc(d.queue, func(q *turn) bool { return q == t })
	d.finish(t)
}

// finish ends a turn, with mu held.
func (d *Device) finish(t *turn) {
	if d.current != t {
		return
	}
	d.current, t.open = nil, false
	if t.watch != nil {
		t.watch.Stop()
	}
	if t.session.noMore {
		t.session.noReply()
	}
	d.advance()
}
