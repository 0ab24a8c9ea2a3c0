package callhome

import (
	"fmt"
	"net/netip"
	"time"

	"callhome-gateway/auth"
)

// Reason says how a call ended. The set is fixed; every call ends in exactly one.
type Reason string

// The reasons, in the order in which the accept procedure reaches them.
const (
	Accepted           Reason = "accepted"
	RejectedNetwork    Reason = "rejected-network"
	RejectedLimit      Reason = "rejected-limit"
	RejectedInUse      Reason = "rejected-in-use"
	RejectedHook       Reason = "rejected-hook"
	RejectedNoUser     Reason = "rejected-no-user"
	RejectedUntrusted  Reason = "rejected-untrusted"
	RejectedPending    Reason = "rejected-pending"
	RejectedKeyChanged Reason = "rejected-key-changed"
	RejectedWrongUser  Reason = "rejected-wrong-user"
	RejectedRevoked    Reason = "rejected-revoked"
	RejectedExpired    Reason = "rejected-expired"
	RejectedSelfSigned Reason = "rejected-self-signed"
	RejectedWrongCA    Reason = "rejected-wrong-ca"
	RejectedWrongName  Reason = "rejected-wrong-name"
	FailedPreamble     Reason = "failed-preamble"
	FailedHandshake    Reason = "failed-handshake"
	FailedLogin        Reason = "failed-login"
	FailedSubsystem    Reason = "failed-subsystem"
	FailedHello        Reason = "failed-hello"
	TimedOut           Reason = "timeout"
)

// Outcome is how one call ended.
type Outcome struct {
	Time   time.Time
	Reason Reason
	// Transport is what the device called over.
	Transport Transport
	// Listener is the name of the listener that was called; the main one has none.
	Listener string
	// Remote is the address that called.
	Remote netip.AddrPort
	// Device is the name of the device, where the call got that far.
	Device string
	// Identity is what was proved, where the handshake got that far. A
	// certificate whose key the device did not prove is in Detail only.
	Identity auth.Identity
	// User is the name of the user entry that was used or would be.
	User string
	// Detail is one sentence for a person: what happened and what to do. What
	// a device sent is quoted and cut in it.
	Detail string
	// Took is the time from the accept to the outcome.
	Took time.Duration
}

// rejection is a call's end by decision of the gateway.
type rejection struct {
	reason Reason
	detail string
}

func (r *rejection) Error() string { return r.detail }

func reject(reason Reason, format string, args ...any) *rejection {
	return &rejection{reason, fmt.Sprintf(format, args...)}
}

// report makes the outcome known: once a call.
func (c *call) report(r *rejection) {
	o := Outcome{Time: time.Now(), Reason: Accepted, Transport: c.info.Transport, Listener: c.info.Listener, Remote: c.info.Remote, Took: time.Since(c.at)}
	if r != nil {
		o.Reason, o.Detail = r.reason, r.detail
	}
	if c.plan != nil && c.plan.user != nil {
		o.User = c.plan.user.Name
	}
	if b := c.binding; b != nil {
		o.Device, o.Identity = b.name, b.identity
		if b.user != nil {
			o.User = b.user.Name
		}
	}
	c.server.logOutcome(o)
	c.server.opts.Outcome(o)
}

func (s *Server) logOutcome(o Outcome) {
	args := []any{"reason", string(o.Reason), "transport", string(o.Transport), "remote", o.Remote}
	if o.Listener != "" {
		args = append(args, "listener", o.Listener)
	}
	if o.Device != "" {
		args = append(args, "device", o.Device)
	}
	if !o.Identity.IsZero() {
		args = append(args, "identity", o.Identity.Fingerprint, "identity_type", o.Identity.Type)
	}
	if o.User != "" {
		args = append(args, "user", o.User)
	}
	if o.Reason == Accepted {
		s.log.Info("a device is connected", append(args, "took", o.Took.Round(time.Millisecond))...)
		return
	}
	args = append(args, "detail", o.Detail)
	switch o.Reason {
	case RejectedKeyChanged:
		s.log.Error("a device shows another key", args...)
	case RejectedPending:
		// It calls every few seconds until somebody decides.
		s.log.Info("a device waits for approval", args...)
	default:
		s.log.Warn("a call was not accepted", args...)
	}
}
