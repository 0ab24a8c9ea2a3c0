package gateway

import (
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/auth"
)

// Rename gives a device another name. Its endpoints and its assigned port stay,
// which PortStore has to know already; its manager sessions end. The error wraps
// auth.ErrUnknownDevice, auth.ErrBadName or auth.ErrNameTaken. It is for the caller
// to close the link, and to give a device that is in the Options its new name by
// Reload.
func (g *Gateway) Rename(from, to string) error {
	from, to = strings.ToLower(from), strings.ToLower(to)
	g.layout.Lock()
	defer g.layout.Unlock()
	if err := g.rename(from, to); err != nil {
		return fmt.Errorf("renaming %.80q as %.80q: %w", from, to, err)
	}
	g.dismiss(func(c *managerConn) *ending {
		if c.grant.device != from {
			return nil
		}
		return c.renamed(to)
	})
	return nil
}

// renamed is the ending of a connection to a device that has another name now, of
// which only those hear who may reach it by that.
func (c *managerConn) renamed(to string) *ending {
	sentence := "device " + c.grant.device + " has another name now"
	if m := c.manager(); m != nil && m.MayReach(to) {
		sentence = "device " + c.grant.device + " is called " + to + " now: connect again under that name"
	}
	return changed("the device was renamed", sentence)
}

func (g *Gateway) rename(from, to string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.devices[from]
	switch {
	case d == nil:
		return auth.ErrUnknownDevice
	case !auth.ValidName(to):
		return auth.ErrBadName
	case g.devices[to] != nil:
		return auth.ErrNameTaken
	}
	g.current.Store(g.opts().renamed(from, to))
	g.ports.rename(from, to)
	delete(g.devices, from)
	renamed := g.addLocked(to)
	renamed.inherit(d)
	for _, old := range d.forget() {
		old.cancel()
		e := g.newEndpoint(configuredPort{old.transport, to, old.port})
		if s := g.sockets[e.port]; s != nil {
			s.endpoint.Store(e)
		}
		renamed.opened(e)
	}
	return nil
}

// renamed returns the settings with another name for a device.
func (s *settings) renamed(from, to string) *settings {
	next := *s
	next.Devices = slices.Clone(s.Devices)
	for i := range next.Devices {
		if next.Devices[i].Name == from {
			next.Devices[i].Name = to
		}
	}
	next.index()
	return &next
}

// inherit takes over what is known of the device from before it was renamed.
func (d *device) inherit(old *device) {
	old.mu.Lock()
	since, learned := old.since, old.learned
	old.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since, d.learned = since, learned
	d.left = fmt.Errorf("it was renamed from %s", old.name)
}
