package gateway

import "errors"

// errStopping says that it is too late for a change.
var errStopping = errors.New("the gateway is stopping")

// Reload gives the gateway other options while it runs, after Listen. It changes
// nothing if it returns an error, as when a port cannot be had. Otherwise exactly
// the manager sessions end that the change concerns, and Reload returns how many,
// without waiting for their end: those whose manager would not come in any more
// as it did, those on an endpoint that is no more or is another's by now, those of
// a device that is no more or whose sessions are shared otherwise. What a manager
// may ask of its devices changes for sessions that run, too.
//
// known is asked about devices that were in the old options and are not in the
// new ones: those for which it returns true stay, without a port of their own in
// the configuration; the others are forgotten. It must not call the Gateway.
//
// HostKeys hold for new connections. PortStore, Listen, Recorder, TempDir, Log,
// MaxLogins, MaxMessage and SpoolBudget stay as they were given to New.
func (g *Gateway) Reload(o Options, known func(device string) bool) (ended int, err error) {
	g.layout.Lock()
	defer g.layout.Unlock()
	if g.accepting.Err() != nil {
		return 0, errStopping
	}
	c, err := g.prepare(o, known)
	if err != nil {
		return 0, err
	}
	// From here on nothing fails.
	c.swap()
	return c.finish(), nil
}

// change is a reload in progress. layout is held as long.
type change struct {
	g           *Gateway
	before, now *settings
	plan        *plan
	gone        map[string]bool // devices that will be forgotten

	// What swap leaves to be done when mu is free.
	ended []*managerSession
	stale map[*device]*attachedLink
}

// prepare does all of a reload that may fail, and changes nothing.
func (g *Gateway) prepare(o Options, known func(string) bool) (*change, error) {
	c := &change{g: g, before: g.opts(), gone: make(map[string]bool), stale: make(map[*device]*attachedLink)}
	var err error
	if c.now, err = c.before.with(o); err != nil {
		return nil, err
	}
	for _, d := range c.before.Devices {
		if _, stays := c.now.devices[d.Name]; !stays && !known(d.Name) {
			c.gone[d.Name] = true
		}
	}
	c.plan, err = g.newPlan(c.now, c.gone)
	return c, err
}

// swap puts the new options in the place of the old ones.
func (c *change) swap() {
	g := c.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.current.Store(c.now)
	for _, d := range c.now.Devices {
		g.deviceLocked(d.Name)
	}
	for name, d := range g.devices {
		ended, stale := d.configure(c.now.device(name))
		c.ended = append(c.ended, ended...)
		if stale != nil {
			c.stale[d] = stale
		}
	}
	c.plan.applyLocked()
	for name := range c.gone {
		if d := g.devices[name]; d != nil {
			d.forget()
			delete(g.devices, name)
		}
	}
	g.ports = c.plan.ports
}

// finish ends what has to end, and returns how many sessions those are.
func (c *change) finish() (ended int) {
	g := c.g
	c.plan.finish()
	ended += g.dismiss(func(v *managerConn) *ending { return v.removed(c.gone) })
	ended += g.dismiss(newJudge(c.before, c.now).judge)
	for _, s := range c.ended {
		if s.ctx.Err() == nil {
			ended++
			s.end(sharedOtherwise(s.conn.grant.device))
		}
	}
	for d, l := range c.stale {
		d.drop(l)
	}
	return ended
}
