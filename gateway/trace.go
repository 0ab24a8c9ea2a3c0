package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"callhome-gateway/auth"
)

// TraceRecord is a NETCONF message between a device and a manager, or what has
// become of the device's connection.
type TraceRecord struct {
	Time time.Time
	// Event says what else is told than a message: that the device is connected
	// or away, or that messages were lost. Of the fields below then only Body may
	// be set, to the device's hello.
	Event string
	// FromDevice is the direction.
	FromDevice bool
	// InPlace is set on an answer that the gateway has given in the device's place.
	InPlace bool
	// Partial is set on a message that has not come through to its end.
	Partial bool
	// Manager, SessionID and DeviceSessionID are those of the manager session.
	Manager                    string
	SessionID, DeviceSessionID uint32
	// Kind is "hello", "rpc", "rpc-reply", "notification" or "other", Operation and
	// Target those of an rpc. They are cut to 255 bytes.
	Kind, Operation, Target, MessageID string
	// Size is how long the message is, in bytes, and Body how much of it was kept:
	// what is secret is in it.
	Size int64
	Body []byte
}

// The bounds of a trace, in bytes.
const (
	maxTraced = 1 << 20 // what is kept of one message
	// maxTraceMemory is what may wait to be taken. Beyond it messages are lost as a
	// whole, and the trace says how many.
	maxTraceMemory = 16 << 20
)

// Why a device cannot be traced.
var (
	ErrTraced       = errors.New("the device is traced already")
	errNoLongerHere = errors.New("the device was forgotten or renamed")
)

// Trace tells take of each message between a device and its managers, in the order
// in which they have come through, until ctx ends, when it returns nil. It begins with the device's connection and
// the hello of the gateway's own session. The error is that of take, or wraps
// auth.ErrUnknownDevice or ErrTraced, or says that the device has lost its name.
// The device and its managers do not wait for take: up to 16 MiB wait for it, with
// 1 MiB of each message, and what is more is lost. What the gateway asks the device for itself, to keep the connection or to clean up
// behind a manager, is not told, nor what it has not let pass.
func (g *Gateway) Trace(ctx context.Context, device string, take func(TraceRecord) error) error {
	return g.trace(ctx, device, newTap(maxTraced, maxTraceMemory), take)
}

func (g *Gateway) trace(ctx context.Context, device string, t *tap, take func(TraceRecord) error) error {
	d := g.known(device)
	if d == nil {
		return fmt.Errorf("tracing %.80q: %w", device, auth.ErrUnknownDevice)
	}
	if !d.trace(t) {
		return fmt.Errorf("tracing %s: %w", d.name, ErrTraced)
	}
	defer d.tap.Store(nil)
	for {
		if err := t.empty(take); err != nil {
			return err
		}
		select {
		case <-t.wake:
		case <-t.over:
			return cmp.Or(t.empty(take), fmt.Errorf("tracing %s: %w", d.name, errNoLongerHere))
		case <-ctx.Done():
			return t.empty(take)
		}
	}
}

// trace puts t to the device's messages, unless there is one.
func (d *device) trace(t *tap) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.tap.CompareAndSwap(nil, t) {
		return false
	}
	d.tellLocked(t)
	return true
}

// tellLocked tells t what has become of the device's connection.
func (d *device) tellLocked(t *tap) {
	r := TraceRecord{Time: time.Now()}
	switch {
	case d.forgotten:
		t.end()
		return
	case d.link == nil && d.since.IsZero():
		r.Event = "the device is away, and has not called yet"
	case d.link == nil:
		r.Event = "the device is away since " + d.since.UTC().Format(time.RFC3339)
		if d.left != nil {
			r.Event += ": " + printable(d.left.Error(), maxReason)
		}
	default:
		hello := d.link.hello()
		r.Body = hello.Document()
		r.Event = fmt.Sprintf("the device is connected over %s since %s; sessions: %s; session %d is the gateway's own, with this hello",
			d.link.transport(), d.since.UTC().Format(time.RFC3339), d.modeLocked(d.link), hello.SessionID)
	}
	t.tell(r)
}
