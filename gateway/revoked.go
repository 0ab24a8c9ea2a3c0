package gateway

// EndRevoked ends the sessions of managers over TLS whose certificate has been
// revoked since they logged in, and returns how many. Call it when the
// revocation lists of TLSOptions.Anchors were replaced. It does not wait for
// the sessions' end.
func (g *Gateway) EndRevoked() int {
	ended := 0
	for _, v := range g.visitors.now() {
		if s, ok := v.(*tlsSession); ok && s.endIfRevoked() {
			ended++
		}
	}
	return ended
}

// endIfRevoked reports whether it was this that ended the session.
func (s *tlsSession) endIfRevoked() bool {
	// The anchors are those of now: a reload brings others.
	o := s.conn.e.g.opts().TLS
	if o == nil || s.ctx.Err() != nil {
		return false
	}
	err := o.Anchors.Revoked(s.conn.shown.certificates)
	if err == nil {
		return false
	}
	s.end(&ending{reason: "the manager's certificate was revoked", detail: err, abrupt: true})
	return true
}
