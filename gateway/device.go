package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"callhome-gateway/callhome"

	"github.com/hashicorp/go-hclog"
)

// device is one device as managers see it: connected or away, with its
// endpoints and the sessions on it.
type device struct {
	name   string
	config DeviceConfig // with its defaults filled in; set before others see it
	log    hclog.Logger

	opening sync.Mutex // held while endpoints are opened; taken before mu

	mu        sync.Mutex    // guards the following
	link      *attachedLink // nil while it is away
	since     time.Time     // when it came or went; zero when it never came
	failure   callhome.Outcome
	left      error         // why the last link ended
	changed   chan struct{} // closed at the next change of link
	endpoint  *endpoint     // over SSH
	secure    *endpoint     // over TLS
	learned   SessionMode   // what SessionsAuto has come to; SessionsDefault until it is known
	forgotten bool
	sessions  map[*managerSession]struct{}
}

func newDevice(config DeviceConfig, log hclog.Logger) *device {
	return &device{name: config.Name, config: config, log: log, changed: make(chan struct{})}
}

// attach makes l the device's link, unless a newer one is there already.
func (d *device) attach(l link) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forgotten || d.link != nil && d.link.Epoch() > l.Epoch() {
		return false
	}
	d.failure = callhome.Outcome{}
	d.setLocked(newAttachedLink(l))
	return true
}

// detach marks the device as away, unless another link has taken over.
func (d *device) detach(l link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil && d.link.link == l {
		d.left = l.Err()
		d.setLocked(nil)
	}
}

func (d *device) setLocked(l *attachedLink) {
	d.link, d.since = l, time.Now()
	close(d.changed)
	d.changed = make(chan struct{})
}

// await returns the device's link, waiting for it until ctx ends. It returns
// nil when there is none then, or the device was forgotten.
func (d *device) await(ctx context.Context) *attachedLink {
	for {
		d.mu.Lock()
		l, changed, forgotten := d.link, d.changed, d.forgotten
		d.mu.Unlock()
		if l != nil || forgotten {
			return l
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// note keeps the outcome of a call that failed. What calls while the device is
// connected, a neighbour or it itself, says nothing about why it is away later.
func (d *device) note(o callhome.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil {
		return
	}
	if o.Reason == callhome.Accepted {
		o = callhome.Outcome{}
	}
	d.failure = o
}

// forget ends the device's sessions and returns the endpoints that it has.
func (d *device) forget() []*endpoint {
	d.mu.Lock()
	d.forgotten = true
	d.setLocked(nil)
	endpoints, sessions := d.endpointsLocked(), maps.Clone(d.sessions)
	d.endpoint, d.secure = nil, nil
	d.mu.Unlock()
	for s := range sessions {
		s.end(&ending{
			reason:   "the device was forgotten",
			sentence: "device " + d.name + " has been removed from this gateway",
			status:   1,
			abrupt:   true,
		})
	}
	return endpoints
}

// opened sets an endpoint. It reports false when the device was forgotten.
func (d *device) opened(e *endpoint) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forgotten {
		return false
	}
	if e.transport == callhome.TLS {
		d.secure = e
	} else {
		d.endpoint = e
	}
	return true
}

// endpointNow returns the device's endpoint over the transport, or nil.
func (d *device) endpointNow(transport callhome.Transport) *endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	if transport == callhome.TLS {
		return d.secure
	}
	return d.endpoint
}

// endpoints returns those that the device has.
func (d *device) endpoints() []*endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endpointsLocked()
}

func (d *device) endpointsLocked() []*endpoint {
	return slices.DeleteFunc([]*endpoint{d.endpoint, d.secure}, func(e *endpoint) bool { return e == nil })
}

// enter adds a session. It reports false when the device was forgotten.
func (d *device) enter(s *managerSession) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forgotten {
		return false
	}
	if d.sessions == nil {
		d.sessions = make(map[*managerSession]struct{})
	}
	d.sessions[s] = struct{}{}
	return true
}

func (d *device) leave(s *managerSession) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, s)
	if len(d.sessions) == 0 {
		d.sessions = nil
	}
}
