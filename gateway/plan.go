package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"callhome-gateway/callhome"
)

// plan is which port will be for what, with the sockets that this takes. Those
// that are there are handed over, whoever has them now. It is made, and carried
// out, while layout is held.
type plan struct {
	g     *Gateway
	now   *settings
	ports *portBook
	// later is what ports has assigned and taken back.
	later *laterPorts
	uses  map[uint16]configuredPort
	// opened are the new sockets.
	opened map[uint16]*socket
	// evicted are old ones that had to make room for some of those: of the same
	// port on another address, where the system lets only one be.
	evicted []*socket
}

// newPlan opens what is missing, or fails with everything as it was.
func (g *Gateway) newPlan(now *settings, gone map[string]bool) (*plan, error) {
	p := &plan{g: g, now: now, uses: make(map[uint16]configuredPort), opened: make(map[uint16]*socket)}
	var err error
	if p.ports, p.later, err = g.ports.with(&now.Options); err != nil {
		return nil, err
	}
	_ = p.ports.forget(gone) // which cannot fail before it is stored
	if err = p.openAll(gone); err != nil {
		return nil, errors.Join(err, p.undo())
	}
	return p, nil
}

func (p *plan) openAll(gone map[string]bool) error {
	err := p.now.eachPort(func(use configuredPort) error {
		if err := p.open(use); err != nil {
			return use.failed(err)
		}
		return nil
	})
	if err != nil || p.ports.store == nil {
		return err
	}
	var without []string
	for _, name := range p.devices(gone) {
		if p.now.device(name).Port != 0 {
			continue
		}
		switch err := p.assign(name); {
		case errors.Is(err, errNoPort):
			without = append(without, name)
		case err != nil:
			return err
		}
	}
	if len(without) > 0 {
		p.g.opts().Log.Error("devices have no endpoint of their own: widen gateway.ports", "devices", len(without), "first", without[0], "error", errNoPort)
	}
	return nil
}

// devices returns the names of those that there will be.
func (p *plan) devices(gone map[string]bool) []string {
	names := maps.Clone(p.now.devices)
	p.g.mu.Lock()
	for name := range p.g.devices {
		names[name] = DeviceConfig{}
	}
	p.g.mu.Unlock()
	for name := range gone {
		delete(names, name)
	}
	return slices.Sorted(maps.Keys(names))
}

// assign gives the device its port, or another where it cannot have that. It fails
// with errNoPort where there is none.
func (p *plan) assign(device string) error {
	return p.g.assign(p.ports, device, func(port uint16) error {
		return p.open(configuredPort{callhome.SSH, device, port})
	})
}

// open has the port be for that use, by the socket that is there or a new one.
func (p *plan) open(use configuredPort) error {
	if s := p.socket(use.port); s == nil || s.address != p.now.Address {
		if err := p.listen(use.port, s); err != nil {
			return err
		}
	}
	p.uses[use.port] = use
	return nil
}

func (p *plan) socket(port uint16) *socket {
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	return p.g.sockets[port]
}

// listen opens a socket. One of ours that is in the way makes room.
func (p *plan) listen(port uint16, old *socket) error {
	if old != nil && overlap(old.address, p.now.Address) {
		old.close()
		p.evicted = append(p.evicted, old)
	}
	s, err := p.g.listen(p.now, port)
	if err == nil {
		p.opened[port] = s
	}
	return err
}

// overlap reports whether the system lets only one of the addresses have a port.
func overlap(a, b netip.Addr) bool {
	a, b = a.Unmap(), b.Unmap()
	switch {
	case a == b:
		return true
	case a.IsUnspecified():
		return a.Is6() || b.Is4()
	case b.IsUnspecified():
		return b.Is6() || a.Is4()
	}
	return false
}

// undo closes what was opened, and opens again what had to make room for it.
func (p *plan) undo() error {
	for _, s := range p.opened {
		s.close()
	}
	var lost []error
	for _, old := range p.evicted {
		e := old.endpoint.Load()
		s, err := p.g.listen(p.g.opts(), old.port)
		if err != nil {
			lost = append(lost, fmt.Errorf("%s is closed, since its port cannot be had again: %w", e, err))
			continue
		}
		s.endpoint.Store(e)
		p.g.mu.Lock()
		p.g.sockets[old.port] = s
		p.g.mu.Unlock()
		p.g.start(e)
	}
	return errors.Join(lost...)
}

// applyLocked gives the ports to those that they are for. The gateway's mu is held.
func (p *plan) applyLocked() {
	g := p.g
	for port, s := range g.sockets {
		e := s.endpoint.Load()
		if use, ok := p.uses[port]; !ok || !e.is(use) {
			e.cancel()
			g.closedLocked(e)
		}
		if _, ok := p.uses[port]; !ok {
			s.close()
			delete(g.sockets, port)
		}
	}
	for port, use := range p.uses {
		p.giveLocked(port, use)
	}
}

// closedLocked takes an endpoint from its device.
func (g *Gateway) closedLocked(e *endpoint) {
	if d := g.devices[e.device]; d != nil {
		d.closed(e)
	}
}

// giveLocked has the port's socket serve that use. An endpoint that only moves to
// another address stays the same.
func (p *plan) giveLocked(port uint16, use configuredPort) {
	g := p.g
	s := g.sockets[port]
	var e *endpoint
	if s != nil {
		e = s.endpoint.Load()
	}
	if e == nil || !e.is(use) {
		e = g.newEndpoint(use)
		if use.device != "" {
			g.devices[use.device].opened(e)
		}
	}
	if opened := p.opened[port]; opened != nil {
		if s != nil {
			s.close()
		}
		g.sockets[port] = opened
		s = opened
	}
	s.endpoint.Store(e)
}

// finish serves the new sockets, and stores which ports were assigned.
func (p *plan) finish() {
	for port := range p.opened {
		p.g.start(p.socket(port).endpoint.Load())
	}
	if p.ports.store == nil {
		return
	}
	p.ports.store = p.now.PortStore
	if len(p.later.list) > 0 {
		if err := p.now.PortStore.SetPort(p.later.list...); err != nil {
			p.g.opts().Log.Warn("cannot store which ports the devices have", "error", err)
		}
	}
}
