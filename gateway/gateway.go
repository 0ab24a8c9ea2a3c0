// Package gateway offers each device that has called home as an ordinary
// NETCONF server, over SSH (RFC 6242) and over TLS (RFC 7589): on ports of its
// own, and on shared ones for managers that name it, as manager@device over SSH
// and by SNI over TLS.
//
// Over TLS a manager that is refused sees an alert and nothing else; in TLS 1.3
// its own side of the handshake succeeds, and the alert comes with its first
// read. One that is let in and gets no session sees close_notify. The log says
// why in either case.
package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// Gateway holds the devices by name, their endpoints, and the manager sessions
// on them. Its methods may be called concurrently.
type Gateway struct {
	current atomic.Pointer[settings]
	tls     *tls.Config // lacks its callbacks
	ports   *portBook
	arrive  *auth.Places
	dropped tally
	refused refusedLogins
	// turnedAway are connections from where nobody may connect.
	turnedAway tally
	quotas     quotas
	visitors   visitors
	started    time.Time

	// ctx ends with Serve, and with it all that runs; accepting ends no later, and
	// from then on no session begins.
	ctx       context.Context
	stop      context.CancelFunc
	accepting context.Context
	refuse    context.CancelFunc

	// layout is held for writing while it is changed which endpoints there are, and
	// for reading while one of a device is opened or closed; taken before the
	// opening of a device and before mu. It guards which book is ports.
	layout sync.RWMutex

	mu      sync.Mutex // guards the following; a device's lock may be taken inside
	devices map[string]*device
	sockets map[uint16]*socket // by port
	serving bool
	ended   bool
	running sync.WaitGroup // added to only while ended is false
	carried sync.WaitGroup // manager sessions; added to only while accepting
}

// New checks the options and returns a Gateway that does not listen yet.
func New(opts Options) (*Gateway, error) {
	set, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	ports, err := newPortBook(&set.Options)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		tls: newTLSConfig(), ports: ports, started: time.Now(),
		arrive:  auth.NewPlaces(set.MaxLogins),
		devices: make(map[string]*device), sockets: make(map[uint16]*socket),
	}
	g.current.Store(set)
	g.ctx, g.stop = context.WithCancel(context.Background())
	g.accepting, g.refuse = context.WithCancel(g.ctx)
	for _, d := range set.Devices {
		g.addLocked(d.Name)
	}
	return g, nil
}

// opts returns the options as they are at present. Whoever needs several that
// fit together asks once.
func (g *Gateway) opts() *settings { return g.current.Load() }

// Listen opens the shared endpoints and those of all devices that have a port
// already, configured or assigned before. Nobody is served before Serve. It
// fails, with everything closed again, when a configured port cannot be had;
// a device whose assigned port is taken by now gets another.
func (g *Gateway) Listen() error {
	if err := g.listenConfigured(); err != nil {
		g.shutdown()
		return err
	}
	for _, name := range g.ports.devices() { // nobody else knows the book yet
		g.report(g.openEndpoints(g.deviceNamed(name)))
	}
	return nil
}

// report logs why a device has no endpoint where nobody else can be told.
func (g *Gateway) report(err error) {
	if err != nil {
		g.opts().Log.Error("a device has no endpoint of its own", "error", err)
	}
}

func (g *Gateway) listenConfigured() error {
	return g.opts().eachPort(func(p configuredPort) error {
		e, err := g.open(p)
		if err != nil {
			return p.failed(err)
		}
		if p.device != "" {
			g.deviceNamed(p.device).opened(e)
		}
		return nil
	})
}

// Serve serves managers until ctx ends, and returns when everything that the
// gateway started has ended: listeners, connections and sessions. It is called
// once, after Listen.
func (g *Gateway) Serve(ctx context.Context) error {
	g.mu.Lock()
	g.serving = true
	sockets := slices.Collect(maps.Values(g.sockets))
	g.mu.Unlock()
	for _, s := range sockets {
		s.start()
	}
	<-ctx.Done()
	g.shutdown()
	return nil
}

func (g *Gateway) shutdown() {
	g.stop()
	g.closeSockets()
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.running.Wait()
}

// closeSockets has nobody come in any more. No endpoint opens after it once
// accepting has ended.
func (g *Gateway) closeSockets() {
	g.layout.Lock()
	defer g.layout.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for port, s := range g.sockets {
		s.close()
		delete(g.sockets, port)
	}
}

// spawn runs f on a goroutine that Serve waits for. It reports false when the
// gateway is ending.
func (g *Gateway) spawn(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false
	}
	g.running.Go(f)
	return true
}

// Attach offers a device over the link that has just come up. It replaces an
// older link of the same name, whose sessions go on until that link ends. It
// does not block.
func (g *Gateway) Attach(l *callhome.Link) { g.attach(l.Name(), callhomeLink{l}) }

// Detach marks the link's device as away, once the link has ended.
func (g *Gateway) Detach(l *callhome.Link) { g.detach(l.Name(), callhomeLink{l}) }

func (g *Gateway) attach(name string, l link) {
	d := g.deviceNamed(name)
	if d.attach(l) && len(d.endpoints()) < 2 {
		g.spawn(func() { g.report(g.openEndpoints(d)) })
	}
}

func (g *Gateway) detach(name string, l link) {
	if d := g.known(name); d != nil {
		d.detach(l)
	}
}

// Know makes devices known that are not connected: managers are told that they
// are away. Their own endpoints open with AddDevice, or when they connect.
func (g *Gateway) Know(names ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range names {
		if auth.ValidName(name) {
			g.deviceLocked(name)
		}
	}
}

// AddDevice makes a device known that is not connected: its endpoints open,
// and managers are told that it is away. The error says why there is no
// endpoint; on the shared ones the device is known all the same.
func (g *Gateway) AddDevice(name string) error {
	if !auth.ValidName(name) {
		return fmt.Errorf("%q is no device name", name)
	}
	return g.openEndpoints(g.deviceNamed(name))
}

// Forget closes the device's endpoints and ends its manager sessions. Its port
// is given to another device only when no other is left. It is for the caller
// to close the link.
func (g *Gateway) Forget(name string) {
	g.layout.RLock()
	defer g.layout.RUnlock()
	g.mu.Lock()
	d := g.devices[name]
	delete(g.devices, name)
	g.mu.Unlock()
	if d == nil {
		return
	}
	for _, e := range d.forget() {
		g.close(e)
	}
	gone := map[string]bool{name: true}
	g.dismiss(func(c *managerConn) *ending { return c.removed(gone) })
	if err := g.ports.forget(gone); err != nil {
		g.opts().Log.Warn("cannot note that a port is free again", "device", name, "error", err)
	}
}

// NoteOutcome remembers how the device's last call ended, to tell managers
// that find it away. Outcomes that name no device that is known are ignored.
func (g *Gateway) NoteOutcome(name string, o callhome.Outcome) {
	if d := g.known(name); d != nil {
		d.note(o)
	}
}

// known returns the device of that name, whatever its case, or nil.
func (g *Gateway) known(name string) *device {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.devices[strings.ToLower(name)]
}

func (g *Gateway) deviceNamed(name string) *device {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deviceLocked(name)
}

func (g *Gateway) deviceLocked(name string) *device {
	if d := g.devices[name]; d != nil {
		return d
	}
	return g.addLocked(name)
}

func (g *Gateway) addLocked(name string) *device {
	set := g.opts()
	d := newDevice(set.device(name), set.Log)
	d.spawn = g.spawn
	g.devices[name] = d
	return d
}

// Devices returns all devices that are known, sorted by name.
func (g *Gateway) Devices() []DeviceStatus {
	g.mu.Lock()
	all := make([]*device, 0, len(g.devices))
	for _, d := range g.devices {
		all = append(all, d)
	}
	g.mu.Unlock()
	slices.SortFunc(all, func(a, b *device) int { return strings.Compare(a.name, b.name) })
	status := make([]DeviceStatus, len(all))
	for i, d := range all {
		status[i] = d.status()
	}
	return status
}
