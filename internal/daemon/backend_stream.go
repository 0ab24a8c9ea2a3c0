package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"callhome-gateway/gateway"
	"callhome-gateway/internal/audit"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// Backup implements control.Backend.
func (b backend) Backup(_ context.Context, w io.Writer) error {
	b.log.Info("an operator makes a backup")
	b.events.operator("", "made a backup")
	return b.store.Backup(w)
}

// Trace implements control.Backend.
func (b backend) Trace(ctx context.Context, device string, w io.Writer) error {
	name := strings.ToLower(device)
	if _, known := b.deviceStatus()[name]; !known {
		return store.UnknownDevice(device)
	}
	b.log.Info("an operator traces a device", "device", name)
	b.events.operator(name, "traced")
	err := audit.Trace(ctx, b.gateway, name, w, b.settings().Audit.Redact)
	if errors.Is(err, gateway.ErrTraced) {
		return fmt.Errorf("%w (%w): end that first", err, control.ErrInUse)
	}
	return err
}
