package gateway

import "context"

// Drain has no session begin any more: the endpoints close, and managers that are
// connected are told so when they want another. It returns when the last session
// has ended or ctx ends; the sessions that are left end with Serve.
func (g *Gateway) Drain(ctx context.Context) {
	g.mu.Lock()
	g.refuse()
	g.mu.Unlock()
	g.closeSockets()
	drained := make(chan struct{})
	if !g.spawn(func() {
		defer close(drained)
		g.carried.Wait()
	}) {
		return
	}
	select {
	case <-drained:
	case <-ctx.Done():
	}
}

// carry counts a manager session that begins. It reports false when none may.
func (g *Gateway) carry() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.accepting.Err() != nil {
		return false
	}
	g.carried.Add(1)
	return true
}
