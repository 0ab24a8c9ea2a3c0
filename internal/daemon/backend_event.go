package daemon

import (
	"context"

	"callhome-gateway/internal/control"
)

// Events implements control.Backend.
func (b backend) Events(context.Context) ([]control.Event, error) { return b.events.recent(), nil }

// Follow implements control.Backend.
func (b backend) Follow(ctx context.Context, tell func(control.Event) error) error {
	return b.events.follow(ctx, tell)
}
