package audit

import (
	"context"
	"fmt"
	"io"
	"time"

	"callhome-gateway/gateway"
	"callhome-gateway/internal/redact"
)

// Trace writes what passes between a device and its managers to w, as text for
// people, until ctx ends, when it returns nil; see gateway.Gateway.Trace for
// what is in it and for its errors. What is secret is left out, and so is the
// content of the elements that names names. Each record is one Write.
func Trace(ctx context.Context, g *gateway.Gateway, device string, w io.Writer, names []string) error {
	secrets, err := redact.New(names)
	if err != nil {
		return err
	}
	text := fmt.Appendf(nil, traceHead, device, stamp(time.Now())) // no trace, no head
	return g.Trace(ctx, device, func(r gateway.TraceRecord) error {
		_, err := w.Write(appendTraced(text, r, secrets))
		text = nil
		return err
	})
}

const traceHead = `callhome-gateway: NETCONF messages of device %s since %s, secrets left out.
Not in it: what the gateway asks for itself, and what it has not let pass.
`

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// appendTraced appends a record as text: a line about it, and the message.
func appendTraced(text []byte, r gateway.TraceRecord, secrets *redact.Redactor) []byte {
	text = fmt.Appendf(text, "\n==== %s %s\n", stamp(r.Time), heading(r))
	if len(r.Body) == 0 {
		return text
	}
	shown, whole := secrets.Append(nil, r.Body, 2*len(r.Body)+1<<10)
	text = appendTame(text, shown, "&#x%x;")
	if whole {
		return append(text, '\n')
	}
	return append(text, "\n==== the rest is not shown: too long, cut off, or not well-formed\n"...)
}

// heading says what a record is.
func heading(r gateway.TraceRecord) string {
	if r.Event != "" {
		return r.Event
	}
	way := r.Manager + " -> device"
	if r.FromDevice {
		way = "device -> " + r.Manager
	}
	if r.InPlace {
		way = "gateway, in the device's place -> " + r.Manager
	}
	s := fmt.Sprintf("%s, session %d", way, r.SessionID)
	if r.DeviceSessionID != r.SessionID {
		s += fmt.Sprintf(" (on the device %d)", r.DeviceSessionID)
	}
	s += ": " + r.Kind
	if r.Operation != "" {
		s += fmt.Sprintf(" %.64q", r.Operation)
	}
	if r.Target != "" {
		s += fmt.Sprintf(" of %.64q", r.Target)
	}
	if r.MessageID != "" {
		s += fmt.Sprintf(", message-id %.64q", r.MessageID)
	}
	s += fmt.Sprintf(", %d bytes", r.Size)
	if r.Partial {
		s += ", cut off"
	}
	return s
}
