package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"callhome-gateway/internal/config"
)

// errDrained is why links end when the gateway is told to stop.
var errDrained = errors.New("the gateway is stopping")

// drain lets go of everything in order: no new calls and manager sessions, then
// the sessions that there are get their time, then the links end, a few at a
// time, so that their devices do not storm the next gateway. It returns when all
// of that is done, or when ctx ends.
func (d *daemon) drain(ctx context.Context) {
	if d.beginChange(ctx) != nil {
		return
	}
	d.ending.Store(true)
	d.endChange()
	s := d.settings()
	rate := cmp.Or(s.DrainRate, config.DefaultDrainRate) // one that was not read from a file has none
	links, sessions := d.countLinks()
	d.service.stopping(s.DrainTimeout + time.Duration(links/rate+1)*time.Second)
	d.log.Info("stopping: nobody new is let in", "manager_sessions", sessions, "links", links, "drain_timeout", s.DrainTimeout, "drain_rate", rate)
	d.closeCalls()
	d.letManagersFinish(ctx, s.DrainTimeout)
	if links, _ = d.countLinks(); links > 0 {
		d.log.Info("closing the connections of devices", "links", links, "a_second", rate)
	}
	d.callhome.Drain(ctx, rate, errDrained)
}

func (d *daemon) letManagersFinish(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	d.gateway.Drain(ctx)
	if _, left := d.countLinks(); left > 0 {
		d.log.Warn("manager sessions did not end in time (drain_timeout): they are ended", "manager_sessions", left)
	}
}

// countLinks counts the connected devices and the manager sessions with them.
func (d *daemon) countLinks() (links, sessions int) {
	for _, device := range d.gateway.Devices() {
		if device.Link != nil {
			links++
		}
		sessions += len(device.Sessions)
	}
	return links, sessions
}

// figures asks every part whose lock much depends on, and returns what a line of
// systemctl status says.
func (d *daemon) figures() string {
	links, sessions := d.countLinks()
	calls := d.callhome.Calls()
	d.callhome.Link("")
	saved := len(d.store.Saved())
	state := ""
	if d.ending.Load() {
		state = "stopping; "
	}
	return fmt.Sprintf("%s%d devices connected, %d calls in progress, %d manager sessions, %d saved entries", state, links, calls, sessions, saved)
}
