package gateway

import "sync"

// What managers may hold, besides Options.MaxSessions on one connection. A
// network management system has a connection to each of its devices: only
// those to one device are few.
const (
	maxConnections       = 16384 // of one manager
	maxDeviceConnections = 64    // of one manager to one device
	minDeviceSessions    = 32    // of one manager on one device: Options.MaxSessions where that is more
)

// quota counts what is held, by key.
type quota[K comparable] struct {
	mu   sync.Mutex // guards the following
	held map[K]int
}

// take reports whether there was one left for the key.
func (q *quota[K]) take(key K, limit int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[key] >= limit {
		return false
	}
	if q.held == nil {
		q.held = make(map[K]int)
	}
	q.held[key]++
	return true
}

func (q *quota[K]) give(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[key]--; q.held[key] == 0 {
		delete(q.held, key)
	}
}

// quotas are those of all managers.
type quotas struct {
	connections       quota[string] // by manager
	deviceConnections quota[grant]
	sessions          quota[grant]
	deviceSessions    quota[string] // by device
}

// connect counts a connection. It returns why there may be no more.
func (q *quotas) connect(g grant) (refusal string) {
	if !q.connections.take(g.manager, maxConnections) {
		return "manager " + g.manager + " has too many connections to this gateway: close some"
	}
	if !q.deviceConnections.take(g, maxDeviceConnections) {
		q.connections.give(g.manager)
		return "manager " + g.manager + " has too many connections to this device: close some"
	}
	return ""
}

func (q *quotas) disconnect(g grant) {
	q.deviceConnections.give(g)
	q.connections.give(g.manager)
}

// enter counts a session, of one connection that may have perConnection. It
// returns why there may be no more: half of a device's sessions are one
// manager's at most.
func (q *quotas) enter(g grant, perConnection int) (refusal string) {
	limit := max(minDeviceSessions, perConnection)
	if !q.sessions.take(g, limit) {
		return "manager " + g.manager + " has too many sessions with this device: close one"
	}
	if !q.deviceSessions.take(g.device, 2*limit) {
		q.sessions.give(g)
		return "the managers together have too many sessions with this device: close one, or try again later"
	}
	return ""
}

func (q *quotas) leave(g grant) {
	q.deviceSessions.give(g.device)
	q.sessions.give(g)
}
