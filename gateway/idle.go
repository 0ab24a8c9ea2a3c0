package gateway

import (
	"context"
	"fmt"
	"time"
)

// Some devices call periodically (ietf-netconf-server, "periodic"): they want
// their connection ended when nobody needs it. A timer for each of them does
// that, and none where it is not wanted.

// use returns the device's link to a manager that is about to have a session over
// it, after waiting for it until ctx ends; unuse must be called then. It returns
// nil when there is none, or the device was forgotten.
func (d *device) use(ctx context.Context) *attachedLink {
	for {
		d.mu.Lock()
		l, changed, forgotten := d.link, d.changed, d.forgotten
		if l != nil {
			d.users++
			d.watchIdleLocked()
		}
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

func (d *device) unuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	d.unused = time.Now()
	d.watchIdleLocked()
}

// watchIdleLocked has the link closed when it will have been idle for long enough,
// as things are now.
func (d *device) watchIdleLocked() {
	if d.idle != nil {
		d.idle.Stop()
		d.idle = nil
	}
	if l := d.link; l != nil && d.users == 0 && d.config.IdleClose > 0 {
		d.idle = time.AfterFunc(d.config.IdleClose-time.Since(d.unused), func() { d.closeIdle(l) })
	}
}

// closeIdle closes the link if it is still the device's and idle. Managers that
// come from now on wait for its next call, if they may wait at all.
func (d *device) closeIdle(l *attachedLink) {
	if reason := d.loseIdle(l); reason != nil {
		d.spawn(func() { _ = l.CloseFor(reason) })
	}
}

func (d *device) loseIdle(l *attachedLink) (reason error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := d.config.IdleClose
	switch {
	case d.link != l || d.users > 0 || limit <= 0:
		return nil
	case time.Since(d.unused) < limit:
		d.watchIdleLocked()
		return nil
	}
	reason = fmt.Errorf("no manager has used it for %v (idle_close)", limit)
	d.loseLocked(reason)
	return reason
}

// loseLocked marks the device as away: its link is about to end.
func (d *device) loseLocked(reason error) {
	d.left = reason
	d.setLocked(nil)
}
