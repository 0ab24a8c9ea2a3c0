package gateway

import (
	"maps"
	"slices"
	"sync"
)

// visitor is a manager that has logged in: an sshConn, or the tlsSession that
// a TLS connection is as a whole.
type visitor interface {
	about() *managerConn
	// serve serves the connection, which is counted, until it ends. It returns
	// when all that belongs to it has ended.
	serve()
	// turnAway ends a connection that is one too many, for that reason.
	turnAway(sentence string)
	// dismiss ends the sessions on the connection and lets no other begin. It
	// returns how many there were, without waiting for their end.
	dismiss(*ending) int
}

// visitors are those that are there. The zero value is empty.
type visitors struct {
	mu  sync.Mutex // guards the following
	all map[visitor]struct{}
}

func (s *visitors) add(v visitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[visitor]struct{})
	}
	s.all[v] = struct{}{}
}

func (s *visitors) remove(v visitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, v)
}

func (s *visitors) now() []visitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.all))
}

// welcome adds a manager that has logged in by these options, and ends its
// connection if something has changed meanwhile. What changes from now on finds it
// among the others.
func (g *Gateway) welcome(v visitor, by *settings) {
	g.visitors.add(v)
	if s, ok := v.(*tlsSession); ok {
		s.endIfRevoked()
	}
	if why := newJudge(by, g.opts()).judge(v.about()); why != nil {
		v.about().dismiss(v, why)
	}
}

// dismiss ends the connections for which there is an ending, and returns how many
// sessions end with them.
func (g *Gateway) dismiss(judge func(*managerConn) *ending) (ended int) {
	for _, v := range g.visitors.now() {
		if why := judge(v.about()); why != nil {
			ended += v.about().dismiss(v, why)
		}
	}
	return ended
}

// dismiss ends the connection, which the log has to say where no session does.
// There may be several reasons; the first counts.
func (c *managerConn) dismiss(v visitor, why *ending) int {
	n := v.dismiss(why)
	if first := !c.dismissed.Swap(true); first && n == 0 {
		c.e.g.opts().Log.Info("a manager's connection is ended", append([]any{"manager", c.grant.manager,
			"device", logged(c.grant.device), "remote", c.source}, why.values()...)...)
	}
	return n
}
