package daemon

import (
	"fmt"
	"strings"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/control"
)

// called notes how a call ended. known says that its device is one of ours.
func (l *events) called(o callhome.Outcome, known bool) {
	e := control.Event{Time: o.Time, Kind: control.EventRejected, Device: o.Device, Address: o.Remote.String(), Reason: string(o.Reason), Detail: o.Detail}
	l.mu.Lock()
	defer l.mu.Unlock()
	tell := true
	switch {
	case o.Reason == callhome.RejectedPending:
		e.Kind, e.Reason, e.Detail = control.EventPending, "", o.Identity.Fingerprint+" waits for approval"
		e.Unsaid, tell = l.dampers.stranger(o.Identity, o.Time)
	case !known:
		tell = false
	case o.Reason == callhome.Accepted:
		e.Kind, e.Reason, e.Detail = control.EventConnected, "", fmt.Sprintf("over %s, as user %s", o.Transport, o.User)
	default:
		if o.Reason == callhome.RejectedFlapping {
			e.Kind = control.EventFlapping
		}
		e.Unsaid, tell = l.dampers.repeats.tell(repeatedCall{o.Device, o.Reason}, o.Time)
	}
	if tell {
		l.addLocked(e, &l.devices)
	}
}

// away notes the end of a link.
func (l *events) away(link *callhome.Link) {
	l.note(control.Event{Kind: control.EventAway, Device: link.Name(), Address: link.Remote().String(), Detail: link.Err().Error()})
}

// operator notes what an operator has done, to a device or to no one.
func (l *events) operator(device, format string, args ...any) {
	l.note(control.Event{Kind: control.EventOperator, Device: device, Detail: fmt.Sprintf(format, args...)})
}

// reloaded notes an attempt to read the configuration again.
func (l *events) reloaded(r control.ReloadResult, err error) {
	e := control.Event{Time: time.Now(), Kind: control.EventReload, Detail: fmt.Sprintf("the configuration was read again: %d links and %d manager sessions were ended", r.Links, r.Sessions)}
	last := &control.Reload{Time: e.Time, OK: err == nil}
	if err != nil {
		last.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
		e.Detail = "the configuration was read again, and nothing has changed: " + last.Error
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reload = last
	l.addLocked(e, &l.devices)
}

// lastReload returns how the last attempt has ended; nil if there was none.
func (l *events) lastReload() *control.Reload {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reload
}

// note adds an event that has happened now.
func (l *events) note(e control.Event) {
	e.Time = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addLocked(e, &l.devices)
}

// LoginRefused implements that of gateway.Recorder. Whoever guesses does not
// wash the others away.
func (l *events) LoginRefused(r gateway.LoginRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	unsaid, tell := l.dampers.guesses.tell(r.Time)
	if !tell {
		return
	}
	l.addLocked(control.Event{
		Time: r.Time, Kind: control.EventLoginRefused, Device: r.Device, Manager: r.Manager,
		Address: r.Source.String(), Detail: r.Reason, Unsaid: unsaid,
	}, &l.managers)
}

// SessionBegins implements that of gateway.Recorder.
func (l *events) SessionBegins(r gateway.SessionRecord) {
	l.session(control.EventSessionBegin, r.Since, r, fmt.Sprintf("over %s, session-id %d", r.Transport, r.SessionID))
}

// SessionEnds implements that of gateway.Recorder.
func (l *events) SessionEnds(end gateway.SessionEnd) {
	l.session(control.EventSessionEnd, end.Time, end.SessionRecord, end.Reason)
}

func (l *events) session(kind string, at time.Time, r gateway.SessionRecord, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addLocked(control.Event{Time: at, Kind: kind, Device: r.Device, Manager: r.Manager, Address: r.Source.String(), Detail: detail}, &l.managers)
}
