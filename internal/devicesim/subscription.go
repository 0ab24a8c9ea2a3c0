package devicesim

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"time"

	"callhome-gateway/internal/netconf"
)

// streamName is the event stream that all devices have (RFC 5277 section
// 3.2.3).
const streamName = "NETCONF"

// namespaceManagement is that of RFC 5277's streams, and of the notifications
// that replayComplete and notificationComplete are (its section 4).
const namespaceManagement = "urn:ietf:params:xml:ns:netmod:notification"

// waiting is how many events wait for a subscriber that does not read.
const waiting = 256

func notificationName(local string) xml.Name {
	return xml.Name{Space: netconf.NamespaceNotification, Local: local}
}

func managementName(local string) xml.Name {
	return xml.Name{Space: namespaceManagement, Local: local}
}

// subscription is that of one session. It ends with the session, or when its
// stop time has come.
type subscription struct {
	session     *session
	stream      string
	filter      *node
	start, stop time.Time // zero where there are none
	queue       chan event
	ended       chan struct{} // closed when it has ended
}

// subscribe is create-subscription.
func (s *session) subscribe(op *node) (reply, *netconf.RPCError) {
	if s.subscription.Load() != nil {
		return reply{}, errInUse("this session has a subscription")
	}
	sub := &subscription{session: s, stream: streamName, queue: make(chan event, waiting), ended: make(chan struct{})}
	if fault := sub.read(op); fault != nil {
		return reply{}, fault
	}
	replay := s.device.events.subscribe(sub)
	s.subscription.Store(sub)
	// Where the reply cannot be sent, the end of the session ends it, too.
	return reply{then: func() { s.wg.Go(func() { sub.run(replay) }) }}, nil
}

// read takes the parameters of create-subscription.
func (sub *subscription) read(op *node) *netconf.RPCError {
	o := &sub.session.device.o
	if stream := op.paramText("stream"); stream != "" {
		sub.stream = stream
	}
	if !o.streams(sub.stream) {
		return errInvalidValue("there is no stream of that name")
	}
	fault := sub.readTimes(op)
	if fault == nil && !sub.start.IsZero() && o.Replay == 0 {
		fault = errNotSupported("this device cannot replay")
	}
	if fault == nil {
		sub.filter, fault = subtreeFilter(op)
	}
	return fault
}

// readTimes takes startTime and stopTime (RFC 5277 section 2.1.1).
func (sub *subscription) readTimes(op *node) *netconf.RPCError {
	for name, at := range map[string]*time.Time{"startTime": &sub.start, "stopTime": &sub.stop} {
		if op.param(name) == nil {
			continue
		}
		var err error
		if *at, err = time.Parse(time.RFC3339, op.paramText(name)); err != nil {
			return errBadElement(name)
		}
	}
	switch {
	case sub.start.IsZero() && !sub.stop.IsZero():
		return errMissingElement("startTime")
	case sub.start.After(time.Now()):
		return errBadElement("startTime")
	case !sub.stop.IsZero() && sub.stop.Before(sub.start):
		return errBadElement("stopTime")
	}
	return nil
}

// tell queues an event, unless the subscription ends.
func (sub *subscription) tell(e event) {
	select {
	case sub.queue <- e:
	case <-sub.ended:
	}
}

// run notifies until the session or the subscription ends, between replies as
// :interleave says.
func (sub *subscription) run(replay []event) {
	defer sub.end()
	for _, e := range replay {
		if sub.notify(e) != nil {
			return
		}
	}
	if !sub.start.IsZero() && sub.manage("replayComplete") != nil {
		return
	}
	if sub.live() {
		sub.end() // the session may subscribe again when it sees this
		_ = sub.manage("notificationComplete")
	}
}

// live notifies of events as they happen, and of heartbeats. It reports
// whether the stop time ended that.
func (sub *subscription) live() bool {
	s := sub.session
	beat, stop := ticks(s.device.o.Heartbeat), until(sub.stop)
	for sequence := 1; ; {
		var err error
		select {
		case <-s.ctx.Done():
			return false
		case <-sub.ended:
			return false
		case <-stop:
			return true
		case e := <-sub.queue:
			err = sub.notify(e)
		case now := <-beat:
			err = sub.notify(event{at: now, stream: streamName, content: heartbeat(s.device.o.Name, sequence)})
			sequence++
		}
		if err != nil {
			return false
		}
	}
}

// ticks returns a channel that ticks, unless the time is negative.
func ticks(d time.Duration) <-chan time.Time {
	if d < 0 {
		return nil
	}
	return time.Tick(d)
}

// until returns a channel that tells when the time has come, if there is one.
func until(t time.Time) <-chan time.Time {
	if t.IsZero() {
		return nil
	}
	return time.After(time.Until(t))
}

// end lets go of the subscription. It may be called again.
func (sub *subscription) end() {
	if sub.session.subscription.CompareAndSwap(sub, nil) {
		close(sub.ended)
		sub.session.device.events.unsubscribe(sub)
	}
}

func heartbeat(device string, sequence int) *node {
	return branch(simName("heartbeat"),
		leaf(simName("device"), device),
		leaf(simName("sequence"), strconv.Itoa(sequence)))
}

// notify sends an event, if it is on the stream and passes the filter.
func (sub *subscription) notify(e event) error {
	selected := filtered(branch(xml.Name{}, e.content), sub.filter)
	if !e.in(sub.stream) || len(selected.kids) == 0 {
		return nil
	}
	return sub.session.notify(selected.kids[0], e.at)
}

// manage sends a notification that no filter applies to (RFC 5277 section 2.1.1).
func (sub *subscription) manage(name string) error {
	return sub.session.notify(branch(managementName(name)), time.Now())
}

func (s *session) notify(content *node, at time.Time) error {
	doc := branch(notificationName("notification"),
		leaf(notificationName("eventTime"), at.UTC().Format(time.RFC3339Nano)), content)
	var b bytes.Buffer
	doc.write(&b, "")
	return s.write(&netconf.Message{Size: int64(b.Len()), Body: &b})
}
