package daemon

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"callhome-gateway/internal/control"
)

const (
	// maxEvents is how many are kept of devices and operators, and as many of
	// managers: who polls ten thousand devices must not wash away what those did.
	maxEvents = 1000
	// maxWaiting is how many events wait for one who follows.
	maxWaiting = 256
	// maxEventText bounds each string of an event, in bytes.
	maxEventText = 512
)

// events keeps the latest events, and tells new ones to those who follow. Its
// methods may be called concurrently, and those that add do not block.
type events struct {
	mu                sync.Mutex // guards the following
	number            uint64
	devices, managers eventRing
	followers         map[*follower]struct{}
	dampers           dampers
	reload            *control.Reload // how the last one has ended
}

func newEvents() *events {
	return &events{followers: make(map[*follower]struct{}), dampers: newDampers()}
}

// eventRing has the latest maxEvents events.
type eventRing struct {
	list []control.Event
	next int // where the oldest is, once it is full
}

func (r *eventRing) add(e control.Event) {
	if len(r.list) < maxEvents {
		r.list = append(r.list, e)
		return
	}
	r.list[r.next] = e
	r.next = (r.next + 1) % maxEvents
}

// follower is one who is told each new event.
type follower struct {
	queue chan control.Event
	// missed counts the events since the queue was full: none is queued before
	// it was told. It is guarded by events.mu.
	missed int
}

// addLocked numbers and keeps the event, and tells it to those who follow.
func (l *events) addLocked(e control.Event, ring *eventRing) {
	l.number++
	e.Number = l.number
	for _, s := range []*string{&e.Device, &e.Manager, &e.Address, &e.Reason, &e.Detail} {
		*s = cutText(*s)
	}
	ring.add(e)
	for f := range l.followers {
		if f.missed > 0 {
			f.missed++
			continue
		}
		select {
		case f.queue <- e:
		default:
			f.missed++
		}
	}
}

func cutText(s string) string {
	if len(s) <= maxEventText {
		return s
	}
	return strings.ToValidUTF8(s[:maxEventText], "") + "..."
}

// recent returns the events that are kept, oldest first.
func (l *events) recent() []control.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recentLocked()
}

func (l *events) recentLocked() []control.Event {
	list := slices.Concat(l.devices.list, l.managers.list)
	slices.SortFunc(list, func(a, b control.Event) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

// follow tells the recent events and then each new one, as control.Backend's
// Follow.
func (l *events) follow(ctx context.Context, tell func(control.Event) error) error {
	f, recent := l.join()
	defer l.leave(f)
	for _, e := range recent {
		if err := tell(e); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-f.queue:
			if err := tell(e); err != nil {
				return err
			}
		}
		if missed := l.caughtUp(f); missed > 0 {
			if err := tell(missedEvent(missed)); err != nil {
				return err
			}
		}
	}
}

// join returns a follower, and the events before the first that it is told.
func (l *events) join() (*follower, []control.Event) {
	f := &follower{queue: make(chan control.Event, maxWaiting)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followers[f] = struct{}{}
	return f, l.recentLocked()
}

func (l *events) leave(f *follower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.followers, f)
}

// caughtUp returns how many events the follower has missed, once it has taken
// all those before. It is told new ones again then.
func (l *events) caughtUp(f *follower) (missed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(f.queue) > 0 {
		return 0
	}
	missed, f.missed = f.missed, 0
	return missed
}

func missedEvent(n int) control.Event {
	return control.Event{Time: time.Now(), Kind: control.EventMissed,
		Detail: fmt.Sprintf("%d events were not told, because the ones before them were not read in time", n)}
}
