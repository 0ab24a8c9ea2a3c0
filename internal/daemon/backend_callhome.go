package daemon

import (
	"context"

	"callhome-gateway/internal/control"
)

// Reload implements control.Backend.
func (b backend) Reload(ctx context.Context) (control.ReloadResult, error) { return b.reload(ctx) }

// CallhomeServer implements control.Backend.
func (b backend) CallhomeServer(context.Context) (control.CallhomeServer, error) {
	return b.callhomeServer(), nil
}

// StartCallhome implements control.Backend.
func (b backend) StartCallhome(ctx context.Context, r control.StartRequest) (control.CallhomeServer, error) {
	s, err := b.startCallhome(ctx, r)
	if err == nil {
		b.events.operator("", "calls are accepted")
	}
	return s, err
}

// StopCallhome implements control.Backend.
func (b backend) StopCallhome(ctx context.Context) (control.CallhomeServer, error) {
	s, err := b.stopCallhome(ctx)
	if err == nil {
		b.events.operator("", "no calls are accepted any more")
	}
	return s, err
}
