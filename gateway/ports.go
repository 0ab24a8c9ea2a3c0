package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"callhome-gateway/callhome"
)

// errNoPort says that every port of the range is in use or taken.
var errNoPort = errors.New("no port is left in the range to assign from")

// portBook knows which device has which port of the range. A port that was
// given away once is given to another device only when no other is left: a
// manager with a stale address must not configure the wrong router.
type portBook struct {
	store    PortStore // nil when there is no range
	span     PortRange
	reserved map[uint16]bool // configured: never assigned

	storing sync.Mutex // held over a change and its way to the store; taken before mu

	mu     sync.Mutex // guards the following
	owner  map[uint16]PortAssignment
	port   map[string]uint16   // of devices that are not forgotten
	stale  map[uint16]struct{} // ports of those that are
	cursor uint16              // where the search for a free one goes on
}

// newPortBook returns the book of a gateway that begins.
func newPortBook(o *Options) (*portBook, error) {
	known, err := o.storedPorts()
	if err != nil {
		return nil, err
	}
	return writePortBook(o, known), nil
}

// with returns the book by other options. What it stores is in the list, for when
// they are in force.
func (b *portBook) with(o *Options) (*portBook, *laterPorts, error) {
	known, err := b.assignments(), error(nil)
	if b.store == nil {
		known, err = o.storedPorts()
	}
	if err != nil {
		return nil, nil, err
	}
	next, later := writePortBook(o, known), &laterPorts{}
	if next.store != nil {
		next.store = later
	}
	return next, later, nil
}

// laterPorts are what is to be stored.
type laterPorts struct {
	PortStore
	list []PortAssignment
}

// SetPort implements PortStore.
func (l *laterPorts) SetPort(a ...PortAssignment) error {
	l.list = append(l.list, a...)
	return nil
}

// storedPorts returns what is known of assigned ports from before, where ports are
// assigned.
func (o *Options) storedPorts() ([]PortAssignment, error) {
	if o.Ports == (PortRange{}) {
		return nil, nil
	}
	known, err := o.PortStore.Ports()
	if err != nil {
		return nil, fmt.Errorf("reading the assigned ports: %w", err)
	}
	return known, nil
}

func writePortBook(o *Options, known []PortAssignment) *portBook {
	b := &portBook{
		span: o.Ports, reserved: map[uint16]bool{o.Port: true, o.TLSPort: true},
		owner: make(map[uint16]PortAssignment), port: make(map[string]uint16),
		stale: make(map[uint16]struct{}), cursor: o.Ports.First,
	}
	configured := make(map[string]bool)
	for _, d := range o.Devices {
		b.reserved[d.Port], b.reserved[d.TLSPort] = true, true
		configured[d.Name] = d.Port != 0
	}
	if o.Ports == (PortRange{}) {
		return b
	}
	b.store = o.PortStore
	for _, a := range known {
		b.remember(a, configured[a.Device])
	}
	return b
}

// remember takes over an assignment. Where a device has several the latest counts,
// and none where its port is configured by now or outside of the range: it has
// that again when it is not.
func (b *portBook) remember(a PortAssignment, configured bool) {
	b.owner[a.Port] = a
	if !b.assignable(a.Port) {
		return
	}
	other, double := b.port[a.Device]
	switch {
	case a.Forgotten || configured, double && a.Since.Before(b.owner[other].Since):
		b.stale[a.Port] = struct{}{}
		return
	case double:
		b.stale[other] = struct{}{}
	}
	b.port[a.Device] = a.Port
}

// assignments returns all that were ever made.
func (b *portBook) assignments() []PortAssignment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.owner))
}

// gives reports whether a device has an endpoint over the transport for which this
// port is configured, or none: ports are assigned for SSH only.
func (b *portBook) gives(transport callhome.Transport, port uint16) bool {
	return port != 0 || transport == callhome.SSH && b.store != nil
}

// rename gives all that a device has and had to another name. The store knows it
// already.
func (b *portBook) rename(from, to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for port, a := range b.owner {
		if a.Device == from {
			a.Device = to
			b.owner[port] = a
		}
	}
	if port, ok := b.port[from]; ok {
		delete(b.port, from)
		b.port[to] = port
	}
}

// devices returns the names of the devices that have an assigned port.
func (b *portBook) devices() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	names := make([]string, 0, len(b.port))
	for name := range b.port {
		names = append(names, name)
	}
	return names
}

// has reports whether the device has a port.
func (b *portBook) has(device string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.port[device] != 0
}

// next returns the port to try for the device, after those in tried: its own,
// one that it had before it was forgotten, a free one, or the one that was
// forgotten first. The port is the device's until it is given back.
func (b *portBook) next(device string, tried map[uint16]bool) (uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	port := b.chooseLocked(device, tried)
	if port == 0 {
		return 0, errNoPort
	}
	if b.port[device] != port {
		delete(b.stale, port)
		b.port[device] = port
		b.owner[port] = PortAssignment{Device: device, Port: port, Since: time.Now()}
	}
	return port, nil
}

func (b *portBook) chooseLocked(device string, tried map[uint16]bool) uint16 {
	if own := b.port[device]; own != 0 && !tried[own] {
		return own
	}
	var oldest PortAssignment
	for port := range b.stale {
		a := b.owner[port]
		if tried[port] || !b.assignable(port) {
			continue
		}
		if a.Device == device {
			return port
		}
		if oldest.Port == 0 || a.Since.Before(oldest.Since) {
			oldest = a
		}
	}
	if free := b.freeLocked(tried); free != 0 {
		return free
	}
	return oldest.Port
}

// freeLocked returns a port that was never given away, or 0.
func (b *portBook) freeLocked(tried map[uint16]bool) uint16 {
	if b.span.First == 0 {
		return 0
	}
	for range int(b.span.Last-b.span.First) + 1 {
		port := b.cursor
		if b.cursor++; b.cursor > b.span.Last || b.cursor == 0 {
			b.cursor = b.span.First
		}
		if _, given := b.owner[port]; !given && !tried[port] && b.assignable(port) {
			return port
		}
	}
	return 0
}

func (b *portBook) assignable(port uint16) bool {
	return port >= b.span.First && port <= b.span.Last && !b.reserved[port]
}

// keep stores the assignment of the port that next returned.
func (b *portBook) keep(port uint16) error {
	b.storing.Lock()
	defer b.storing.Unlock()
	b.mu.Lock()
	a := b.owner[port]
	b.mu.Unlock()
	return b.store.SetPort(a)
}

// giveBack takes the port from the device again: it could not be had. It
// counts as forgotten, since managers may have known it.
func (b *portBook) giveBack(device string, port uint16, known bool) error {
	b.storing.Lock()
	defer b.storing.Unlock()
	b.mu.Lock()
	a := b.owner[port]
	if a.Device != device {
		b.mu.Unlock()
		return nil
	}
	delete(b.port, device)
	if !known {
		delete(b.owner, port)
		b.mu.Unlock()
		return nil
	}
	a.Forgotten, a.Since = true, time.Now()
	b.owner[port], b.stale[port] = a, struct{}{}
	b.mu.Unlock()
	return b.store.SetPort(a)
}

// forget marks all ports that the devices have, or have had, as those to give away
// last.
func (b *portBook) forget(devices map[string]bool) error {
	b.storing.Lock()
	defer b.storing.Unlock()
	if changed := b.forgetPorts(devices); len(changed) > 0 {
		return b.store.SetPort(changed...)
	}
	return nil
}

func (b *portBook) forgetPorts(devices map[string]bool) (changed []PortAssignment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for port, a := range b.owner {
		if !devices[a.Device] || a.Forgotten {
			continue
		}
		a.Forgotten, a.Since = true, time.Now()
		b.owner[port] = a
		if b.assignable(port) {
			b.stale[port] = struct{}{}
		}
		changed = append(changed, a)
	}
	for device := range devices {
		delete(b.port, device)
	}
	return changed
}
