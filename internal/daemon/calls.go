package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
)

// callListener is an open listener for calls over one transport.
type callListener struct {
	wantedCalls
	socket *socket
	lease  *lease
}

// wantedCalls say where calls are to be accepted, and what holds for them.
type wantedCalls struct {
	at    netip.AddrPort
	of    callhome.Listener
	block config.Listener // where it comes from
}

// allCalls returns every port for calls of a configuration, whether calls are
// accepted or not.
func allCalls(c *config.Config) (list []wantedCalls) {
	for _, l := range c.Callhome.All() {
		for _, t := range []callhome.Transport{callhome.SSH, callhome.TLS} {
			port := l.Port
			if t == callhome.TLS {
				port = l.TLSPort
			}
			of := l.Listener
			of.Transport = t
			list = append(list, wantedCalls{at: netip.AddrPortFrom(l.Address, port), of: of, block: l})
		}
	}
	return list
}

// callRules returns what holds for the calls on each listener that there may be.
func callRules(c *config.Config) (list []callhome.Listener) {
	for _, w := range allCalls(c) {
		list = append(list, w.of)
	}
	return list
}

// wanted returns where calls are to be accepted now.
func (o callOrder) wanted(c *config.Config) []wantedCalls {
	if !o.running(c) {
		return nil
	}
	all := allCalls(c)
	for i := range all {
		if all[i].of.Name == "" {
			all[i].at = o.moved(all[i])
		}
	}
	return slices.DeleteFunc(all, func(w wantedCalls) bool { return w.at.Port() == 0 })
}

// callChange is the step from the listeners for calls that there are to those
// that are wanted. It is committed or undone.
type callChange struct {
	d         *daemon
	now, next []callListener
	opened    []*socket
	kept      map[*socket]bool
}

// changeCalls opens what is to be opened. Listeners that are there are not
// touched, unless a new one needs their port for another address.
func (d *daemon) changeCalls(c *config.Config, o callOrder) (*callChange, error) {
	change := &callChange{d: d, now: d.callListeners(), kept: make(map[*socket]bool)}
	for _, w := range o.wanted(c) {
		change.next = append(change.next, change.keep(w))
	}
	for i := range change.next {
		if l := &change.next[i]; l.socket == nil {
			if err := change.open(l); err != nil {
				change.undo()
				return nil, fmt.Errorf("cannot listen for calls (%s address and %s): %w", blockName(l.block), portName(l.of.Transport), err)
			}
		}
	}
	return change, nil
}

// keep takes over the socket that has the address and port already.
func (c *callChange) keep(w wantedCalls) callListener {
	l := callListener{wantedCalls: w}
	i := slices.IndexFunc(c.now, func(old callListener) bool { return old.at == w.at && !c.kept[old.socket] })
	if i < 0 {
		return l
	}
	old := c.now[i]
	c.kept[old.socket] = true
	l.socket = old.socket
	if old.of.Name == w.of.Name && old.of.Transport == w.of.Transport {
		l.lease = old.lease
	}
	return l
}

// open opens the socket of a new listener. One that goes makes way for it where
// it has the port for all addresses, or the new one is for all.
func (c *callChange) open(l *callListener) (err error) {
	for _, old := range c.now {
		if old.at.Port() == l.at.Port() && !c.kept[old.socket] && (old.at.Addr().IsUnspecified() || l.at.Addr().IsUnspecified()) {
			old.close()
		}
	}
	if l.socket, err = c.d.sockets.open(l.at.Addr(), l.at.Port()); err == nil {
		c.opened = append(c.opened, l.socket)
	}
	return err
}

// commit closes what is not wanted any more, and accepts calls on what is new.
func (c *callChange) commit() {
	for _, old := range c.now {
		stays := func(l callListener) bool { return l.lease == old.lease }
		switch {
		case slices.ContainsFunc(c.next, stays), old.lease.ended.Load(): // the latter has made way
		case c.kept[old.socket]:
			_ = old.lease.Close()
		default:
			old.close()
		}
	}
	c.d.acceptOn(c.next)
}

// undo closes what was opened, and opens again what had to make way.
func (c *callChange) undo() {
	for _, socket := range c.opened {
		socket.giveUp()
	}
	var open []callListener
	for _, l := range c.now {
		if l.lease.ended.Load() {
			var err error
			if l.socket, err = c.d.sockets.open(l.at.Addr(), l.at.Port()); err != nil {
				c.d.log.Error("a listener for calls had to make way for another and cannot be opened again: see who has the port, then run callhome-server start",
					"address", l.at, "error", err)
				continue
			}
			l.lease = nil
		}
		open = append(open, l)
	}
	c.d.acceptOn(open)
}

// acceptOn has calls accepted on these listeners, as far as they are not yet.
func (d *daemon) acceptOn(list []callListener) {
	for i := range list {
		if list[i].lease == nil {
			list[i].lease = d.accept(list[i])
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = list
}

func (d *daemon) accept(l callListener) *lease {
	lease := l.socket.lease()
	d.start(func(ctx context.Context) error {
		err := d.callhome.ServeListener(ctx, lease, l.of)
		if lease.ended.Load() {
			return nil
		}
		return err
	})
	return lease
}

// close ends the listener and gives up its socket.
func (l callListener) close() {
	if l.lease != nil {
		_ = l.lease.Close()
	}
	l.socket.giveUp()
}

// callListeners returns those that are open.
func (d *daemon) callListeners() []callListener {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// closeCalls has no calls accepted any more.
func (d *daemon) closeCalls() {
	d.mu.Lock()
	list := d.calls
	d.calls = nil
	d.mu.Unlock()
	for _, l := range list {
		l.close()
	}
}

func blockName(l config.Listener) string {
	if l.Name == "" {
		return "callhome"
	}
	return "listener " + l.Name
}

func portName(t callhome.Transport) string {
	if t == callhome.TLS {
		return "tls_port"
	}
	return "port"
}

// callAddress returns where the listener of that name takes calls; "" where it
// does not.
func (d *daemon) callAddress(name string, t callhome.Transport) string {
	for _, l := range d.callListeners() {
		if l.of.Name == name && l.of.Transport == t {
			return address(l.socket)
		}
	}
	return ""
}
