package daemon

import (
	"context"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// save adds parts to the configuration, or replaces those of their kind and
// name, and has all follow. It changes nothing where one would not count, or
// another would not any more; the error wraps control.ErrInvalid then.
func (d *daemon) save(ctx context.Context, parts ...store.Saved) (control.ReloadResult, error) {
	return control.ReloadResult{}, errLater
}

// unsave takes a part away that was saved, and has all follow. It changes nothing
// where another needs it.
func (d *daemon) unsave(ctx context.Context, kind, name string) (control.ReloadResult, error) {
	return control.ReloadResult{}, errLater
}
