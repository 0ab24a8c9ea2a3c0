package devicesim

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// event is one that subscribers are told of.
type event struct {
	at      time.Time
	stream  string
	content *node
}

// in reports whether the event is on a stream: all are on NETCONF.
func (e *event) in(stream string) bool { return stream == streamName || stream == e.stream }

// events are those of a device, and who is told of them.
type events struct {
	keep int

	mu          sync.Mutex // guards the following
	log         []event    // the latest ones, at most keep
	subscribers []*subscription
}

// Notify makes an event happen: content is one XML element, and stream the
// event stream it belongs to; it is on NETCONF, too. Notify waits while a
// subscriber reads nothing and hundreds of events wait for it.
func (d *Device) Notify(stream, content string) error {
	if !d.o.streams(stream) {
		return fmt.Errorf("%s has no event stream %q", d.o.Name, stream)
	}
	element, err := parse([]byte(content))
	if err != nil {
		return fmt.Errorf("event of %s: %w", d.o.Name, err)
	}
	d.events.publish(event{at: time.Now(), stream: stream, content: element})
	return nil
}

// streams reports whether the device has an event stream of this name.
func (f *Features) streams(name string) bool {
	return name == streamName || slices.Contains(f.Streams, name)
}

func (e *events) publish(happened event) {
	e.mu.Lock()
	e.log = append(e.log, happened)
	e.log = e.log[max(0, len(e.log)-e.keep):]
	told := slices.Clone(e.subscribers)
	e.mu.Unlock()
	for _, s := range told {
		s.tell(happened)
	}
}

// subscribe enters a subscription, and returns the logged events that it is to
// be told of first. No event is missed or told twice.
func (e *events) subscribe(s *subscription) []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subscribers = append(e.subscribers, s)
	if s.start.IsZero() {
		return nil
	}
	var replay []event
	for _, logged := range e.log {
		if !logged.at.Before(s.start) && (s.stop.IsZero() || !logged.at.After(s.stop)) {
			replay = append(replay, logged)
		}
	}
	return replay
}

func (e *events) unsubscribe(s *subscription) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subscribers = slices.DeleteFunc(e.subscribers, func(other *subscription) bool { return other == s })
}

// Subscription is one that a session has.
type Subscription struct {
	Session uint32
	Stream  string
	// Filter is the filter element as XML, or empty.
	Filter string
}

// Subscriptions returns those that there are, the oldest first.
func (d *Device) Subscriptions() []Subscription {
	d.events.mu.Lock()
	defer d.events.mu.Unlock()
	var all []Subscription
	for _, s := range d.events.subscribers {
		one := Subscription{Session: s.session.id, Stream: s.stream}
		if s.filter != nil {
			one.Filter = s.filter.String()
		}
		all = append(all, one)
	}
	return all
}
