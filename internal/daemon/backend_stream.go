package daemon

import (
	"context"
	"io"

	"callhome-gateway/internal/audit"
)

// Backup implements control.Backend.
func (b backend) Backup(_ context.Context, w io.Writer) error { return b.store.Backup(w) }

// Trace implements control.Backend.
func (b backend) Trace(ctx context.Context, device string, w io.Writer) error {
	return audit.Trace(ctx, b.gateway, device, w, b.settings().Audit.Redact)
}
