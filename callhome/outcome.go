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
	RejectedFlapping   Reason = "rejected-flapping"
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
	c.server.outcomes.add(o, caller{source: c.server.rules.Load().opts.Sources.Of(o.Remote.Addr()), known: c.known(o.Reason), penalised: c.arrival.Penalised})
	c.server.fixed.Outcome(o)
}

// known reports whether the call, which ended for this reason, was that of a
// device of ours.
func (c *call) known(reason Reason) bool {
	switch reason {
	case RejectedPending, RejectedUntrusted:
		return false
	}
	return c.binding != nil && c.binding.name != "" && c.binding.trusted()
}
