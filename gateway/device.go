package gateway

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/callhome"

	"github.com/hashicorp/go-hclog"
)

// device is one device as managers see it: connected or away, with its
// endpoints and the sessions on it.
type device struct {
	name string
	log  hclog.Logger
	// spawn runs a function that the gateway's end waits for.
	spawn func(func()) bool

	tap atomic.Pointer[tap] // nil unless the device is traced

	opening sync.Mutex // held while endpoints are opened; taken before mu

	mu        sync.Mutex    // guards the following
	config    DeviceConfig  // with its defaults filled in
	link      *attachedLink // nil while it is away
	since     time.Time     // when it came or went; zero when it never came
	failure   callhome.Outcome
	left      error         // why the last link ended
	changed   chan struct{} // closed at the next change of link
	endpoint  *endpoint     // over SSH
	secure    *endpoint     // over TLS
	learned   SessionMode   // what SessionsAuto has come to; SessionsDefault until it is known
	sharing   uint64        // counts how often it has become another one
	users     int           // that have, or are about to have, a session
	unused    time.Time     // when the last of them went, or the link came
	idle      *time.Timer   // nil while the link is not to be closed for that
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
		d.loseLocked(l.Err())
	}
}

func (d *device) setLocked(l *attachedLink) {
	d.link, d.since = l, time.Now()
	d.unused = d.since
	d.watchIdleLocked()
	close(d.changed)
	d.changed = make(chan struct{})
	if t := d.tap.Load(); t != nil {
		d.tellLocked(t)
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

// forget lets no session begin any more and returns the endpoints that the device
// has.
func (d *device) forget() []*endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgotten = true
	d.setLocked(nil)
	endpoints := d.endpointsLocked()
	d.endpoint, d.secure = nil, nil
	return endpoints
}

func (d *device) isForgotten() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forgotten
}

// port returns the one that is configured for the transport, or 0.
func (d *device) port(transport callhome.Transport) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config.port(transport)
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

// closed takes an endpoint away, unless it was replaced.
func (d *device) closed(e *endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.endpoint == e {
		d.endpoint = nil
	}
	if d.secure == e {
		d.secure = nil
	}
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

// enter adds a session, which was opened while sharing was as given. It returns
// why there may be none any more.
func (d *device) enter(s *managerSession, sharing uint64) *ending {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.forgotten:
		return refused("the device was forgotten", unknownDevice(d.name))
	case d.sharing != sharing:
		return sharedOtherwise(d.name)
	}
	if d.sessions == nil {
		d.sessions = make(map[*managerSession]struct{})
	}
	d.sessions[s] = struct{}{}
	return nil
}

func (d *device) leave(s *managerSession) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, s)
	if len(d.sessions) == 0 {
		d.sessions = nil
	}
}
