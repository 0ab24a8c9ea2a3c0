package daemon

import (
	"sync/atomic"

	"callhome-gateway/gateway"
	"callhome-gateway/internal/audit"
	"callhome-gateway/internal/control"
)

// recorder is told of all that managers do, and passes it on to those who want
// to know. It counts, too.
type recorder struct {
	audit  *audit.Log
	events *events
	totals totals
}

// totals count what managers have done since the gateway has started.
type totals struct {
	refusedLogins, sessions, requests, refusedRequests atomic.Uint64
}

func (t *totals) read() control.Totals {
	return control.Totals{
		LoginsRefused: t.refusedLogins.Load(), Sessions: t.sessions.Load(),
		Requests: t.requests.Load(), RequestsRefused: t.refusedRequests.Load(),
	}
}

// Admit implements gateway.Recorder.
func (r *recorder) Admit() error { return r.audit.Admit() }

// LoginRefused implements gateway.Recorder.
func (r *recorder) LoginRefused(login gateway.LoginRecord) {
	r.totals.refusedLogins.Add(1)
	r.audit.LoginRefused(login)
	r.events.LoginRefused(login)
}

// SessionBegins implements gateway.Recorder.
func (r *recorder) SessionBegins(s gateway.SessionRecord) {
	r.totals.sessions.Add(1)
	r.audit.SessionBegins(s)
	r.events.SessionBegins(s)
}

// SessionEnds implements gateway.Recorder.
func (r *recorder) SessionEnds(end gateway.SessionEnd) {
	r.audit.SessionEnds(end)
	r.events.SessionEnds(end)
}

// Requested implements gateway.Recorder.
func (r *recorder) Requested(request gateway.RequestRecord) {
	r.totals.requests.Add(1)
	r.audit.Requested(request)
	if request.Result == gateway.ResultRefused {
		r.totals.refusedRequests.Add(1)
	}
}

// Bodies implements gateway.Recorder.
func (r *recorder) Bodies(namespace, operation string) int {
	return r.audit.Bodies(namespace, operation)
}
