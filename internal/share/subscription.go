package share

import "slices"

// subscription is what the device sends events of; a session has one (RFC 5277
// section 2.1.1).
type subscription struct {
	events      string // as operation.events
	timed       bool
	stops       bool
	subscribers []uint32
}

func (s *subscription) has(id uint32) bool { return slices.Contains(s.subscribers, id) }

func (s *state) ruleSubscribe(id uint32, o *operation) ruling {
	sub := s.events
	switch {
	case s.exclusive && (sub == nil || sub.has(id)):
		return ruling{verdict: pass}
	case !s.can.events:
		return answered(notSupported("managers share the NETCONF session, and the device takes no rpc on one with a subscription: it lacks :interleave"))
	case sub == nil, sub.has(id) && len(sub.subscribers) == 1:
		return ruling{verdict: pass} // the device refuses a second one
	case sub.has(id):
		return answered(inUse("this session has a subscription"))
	case !sub.timed && !o.timed && sub.events == o.events:
		return ruling{verdict: join}
	case len(sub.subscribers) > 0:
		return answered(inUse(heldBy(sub.subscribers[0]) + " has another subscription, and managers share the NETCONF session, which has one"))
	}
	return ruling{verdict: hangUp, reason: errSubscribe}
}

func (s *state) subscribed(id uint32, o *operation) {
	// A device that takes a second one sends the events of both.
	both := s.events != nil
	s.events = &subscription{events: o.events, timed: o.timed || both, stops: o.stops, subscribers: []uint32{id}}
}

// joined adds a subscriber to the subscription there is.
func (s *state) joined(id uint32) { s.events.subscribers = append(s.events.subscribers, id) }

// unsubscribe reports whether id was a subscriber.
func (s *state) unsubscribe(id uint32) bool {
	if s.events == nil || !s.events.has(id) {
		return false
	}
	s.events.subscribers = slices.DeleteFunc(slices.Clone(s.events.subscribers), func(i uint32) bool { return i == id })
	return true
}

// ended takes account of notificationComplete: the device has come to the stop
// time, and takes another subscription.
func (s *state) ended() { s.events = nil }
