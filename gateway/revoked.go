package gateway

import (
	"maps"
	"slices"
	"sync"
)

// tlsSessions are those of managers that came over TLS: only their connections
// know the certificates that may be revoked later. The zero value is empty.
type tlsSessions struct {
	mu   sync.Mutex // guards the following
	open map[*tlsSession]struct{}
}

func (t *tlsSessions) add(s *tlsSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[*tlsSession]struct{})
	}
	t.open[s] = struct{}{}
}

func (t *tlsSessions) remove(s *tlsSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, s)
}

func (t *tlsSessions) now() []*tlsSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.open))
}

// EndRevoked ends the sessions of managers over TLS whose certificate has been
// revoked since they logged in, and returns how many. Call it when the
// revocation lists of TLSOptions.Anchors were replaced. It does not wait for
// the sessions' end.
func (g *Gateway) EndRevoked() int {
	ended := 0
	for _, s := range g.overTLS.now() {
		if s.endIfRevoked() {
			ended++
		}
	}
	return ended
}

// endIfRevoked reports whether it was this that ended the session.
func (s *tlsSession) endIfRevoked() bool {
	err := s.opts.TLS.Anchors.Revoked(s.tls.ConnectionState().PeerCertificates)
	if err == nil || s.ctx.Err() != nil {
		return false
	}
	s.end(&ending{reason: "the manager's certificate was revoked", detail: err, abrupt: true})
	return true
}
