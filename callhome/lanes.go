package callhome

import (
	"container/list"
	"net/netip"
)

// laneTries bounds how many lanes are looked at for one turn.
const laneTries = 8

// lanes is a queue that is fair among sources: each has a lane of its own, and
// the first of each lane come in turn. Its zero value is not ready for use.
type lanes struct {
	byKey map[laneKey]*lane
	order list.List // of *lane: none is empty
}

// laneKey tells the lanes apart: a source has one; each ticket of an exempt
// source has its own.
type laneKey struct {
	source netip.Prefix
	exempt *ticket
}

type lane struct {
	key     laneKey
	at      *list.Element
	tickets list.List // of *ticket
}

func newLanes() *lanes { return &lanes{byKey: make(map[laneKey]*lane)} }

func (l *lanes) push(t *ticket) {
	key := t.laneKey()
	own := l.byKey[key]
	if own == nil {
		own = &lane{key: key}
		own.at = l.order.PushBack(own)
		l.byKey[key] = own
	}
	t.lane, t.at = own, own.tickets.PushBack(t)
	t.queue = l
}

// remove takes a ticket out.
func (l *lanes) remove(t *ticket) {
	own := t.lane
	own.tickets.Remove(t.at)
	t.queue, t.lane, t.at = nil, nil, nil
	if own.tickets.Len() == 0 {
		l.order.Remove(own.at)
		delete(l.byKey, own.key)
	}
}

// next takes out the next ticket that may go, or returns nil when none of the
// next few may. The lanes that were asked are behind the others then.
func (l *lanes) next(may func(*ticket) bool) *ticket {
	for range min(laneTries, l.order.Len()) {
		own := l.order.Front().Value.(*lane)
		l.order.MoveToBack(own.at)
		if t := own.tickets.Front().Value.(*ticket); may(t) {
			l.remove(t)
			return t
		}
	}
	return nil
}

func (l *lanes) empty() bool { return l.order.Len() == 0 }
