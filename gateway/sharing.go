package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"callhome-gateway/callhome"
)

// openTimeout is the longest that a manager waits for a session, for its turn
// and the device together.
const openTimeout = time.Minute

// Why a device gives no session.
var (
	errOwnOverTLS = errors.New(`a TLS connection carries one NETCONF session, and sessions = "own" forbids to share it`)
	// errSharedOtherwise ends the link as well.
	errSharedOtherwise = errors.New("how managers share its connection was changed (sessions)")
	errNotOpened       = errors.New("the device did not open a NETCONF session in time; it may be at work on a long request")
)

// open returns a session with the device over the link: one of the manager's
// own, or a share of the gateway's.
func (d *device) open(ctx context.Context, l *attachedLink) (session, error) {
	switch mode := d.mode(l); {
	case mode == SessionsAuto:
		return d.openFirst(ctx, l)
	case mode != SessionsOwn:
		s, err := l.openShared(mode == SessionsExclusive, d.log.With("device", d.name))
		if err == errSharedOtherwise {
			d.drop(l)
		}
		return s, err
	case l.transport() == callhome.TLS:
		return nil, errOwnOverTLS
	}
	return l.open(ctx)
}

// mode returns how managers share the link, SessionsAuto where that is to be
// found out.
func (d *device) mode(l *attachedLink) SessionMode {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.modeLocked(l)
}

func (d *device) modeLocked(l *attachedLink) SessionMode {
	switch {
	case d.config.Sessions != SessionsAuto:
		return d.config.Sessions
	case l != nil && l.transport() == callhome.TLS:
		return SessionsShared
	case d.learned != SessionsDefault:
		return d.learned
	}
	return SessionsAuto
}

// sharingNow returns what changes when managers are to share the device otherwise.
func (d *device) sharingNow() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sharing
}

// sharedOtherwise is the ending of sessions that were opened before that.
func sharedOtherwise(device string) *ending {
	return &ending{
		reason:   "how managers share the device was changed",
		sentence: "how managers share device " + device + " was changed: connect again",
		status:   1, abrupt: true,
	}
}

// configure has the device follow other options. It returns the sessions that
// have to end by that, and the link where that has to end as well: the one session
// of it is shared in another way.
func (d *device) configure(config DeviceConfig) (ended []*managerSession, stale *attachedLink) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.modeLocked(d.link)
	d.config = config
	d.watchIdleLocked()
	after := d.modeLocked(d.link)
	if before == after {
		return nil, nil
	}
	d.sharing++
	if d.link != nil && !d.link.allows(after) {
		stale = d.link
	}
	return slices.Collect(maps.Keys(d.sessions)), stale
}

// drop ends a link whose one session is shared in another way than it is to be.
func (d *device) drop(l *attachedLink) {
	d.mu.Lock()
	if d.link == l {
		d.loseLocked(errSharedOtherwise)
	}
	d.mu.Unlock()
	d.spawn(func() { _ = l.CloseFor(errSharedOtherwise) })
}

// openFirst opens the first session beside the gateway's own, one manager after
// the other until the device has given one or has shown that it gives none.
func (d *device) openFirst(ctx context.Context, l *attachedLink) (session, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	select {
	case l.deciding <- struct{}{}:
	case <-ctx.Done():
		return nil, errNotOpened
	}
	if d.mode(l) != SessionsAuto {
		<-l.deciding
		return d.open(ctx, l)
	}
	s, err := l.open(ctx)
	d.learn(l, err)
	<-l.deciding
	switch {
	case err == nil || d.mode(l) != SessionsShared:
		return s, err
	case l.Err() != nil:
		return nil, fmt.Errorf("%w: try again when it has called, its managers share one session then", err)
	}
	return d.open(ctx, l)
}

// learn remembers, over reconnects too, what the first session beside the
// gateway's own has come to. A device that has given one shares never: what it
// refuses later, the manager is told.
func (d *device) learn(l *attachedLink, err error) {
	shares := errors.Is(err, callhome.ErrNoSession) || errors.Is(err, callhome.ErrDropped)
	if err != nil && !shares {
		return // busy, or gone: it has said nothing about sessions
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.learned != SessionsDefault:
	case err == nil:
		d.learned = SessionsOwn
	default:
		d.learned = SessionsShared
		d.log.Info("a device gives no second session, its managers share the first",
			"device", d.name, "dropped", l.Err() != nil, "detail", printable(err.Error(), maxReason))
	}
}
