package daemon

import (
	"context"

	"callhome-gateway/internal/control"
)

// startCallhome has calls accepted, whatever the configuration says, until
// stopCallhome or a restart. What the request does not say is as configured.
func (d *daemon) startCallhome(ctx context.Context, r control.StartRequest) (control.CallhomeServer, error) {
	return control.CallhomeServer{}, errLater
}

// stopCallhome has no calls accepted until startCallhome or a restart. Links stay.
func (d *daemon) stopCallhome(ctx context.Context) (control.CallhomeServer, error) {
	return control.CallhomeServer{}, errLater
}

// callhomeServer tells where calls are accepted.
func (d *daemon) callhomeServer() control.CallhomeServer { return control.CallhomeServer{} }
