package gateway

import (
	"context"
	"time"
)

// TraceRecord is a NETCONF message between a device and a manager, or what has
// become of the device's connection.
type TraceRecord struct {
	Time time.Time
	// Event says what else is told than a message: that the device is connected
	// or away, with what is known of it, or that messages were lost. The fields
	// below are empty then, but for Body, which may be the device's hello.
	Event string
	// FromDevice is the direction.
	FromDevice bool
	// InPlace is set on an answer that the gateway has given in the device's place.
	InPlace bool
	// Manager, SessionID and DeviceSessionID are those of the manager session.
	Manager                    string
	SessionID, DeviceSessionID uint32
	// Kind is "rpc", "rpc-reply", "notification" or "other", Operation that of an rpc.
	Kind, Operation, MessageID string
	// Size is how long the message is, and Body how much of it was kept: what is
	// secret is in it.
	Size int64
	Body []byte
}

// TraceOptions configures a trace. The zero value of a bound means its default.
type TraceOptions struct {
	// MaxMessage bounds what is kept of one message, in bytes (default 1 MiB).
	MaxMessage int
	// Memory bounds what waits to be taken, in bytes (default 16 MiB). Beyond it
	// messages are lost as a whole, and the trace says how many.
	Memory int
}

// Trace tells take of each message between a device and its managers, in order,
// until ctx ends, when it returns nil. It returns an error where no device has
// that name, where one is traced already, when it is forgotten, and that of
// take. What the gateway says to the device for itself, to keep the connection or
// to clean up behind a manager, is not in it, nor what it has not let pass.
func (g *Gateway) Trace(ctx context.Context, device string, o TraceOptions, take func(TraceRecord) error) error {
	return errLater
}
