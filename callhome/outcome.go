package callhome

import (
	"net/netip"
	"time"

	"callhome-gateway/auth"
)

// Reason says how a call ended. The set is fixed; every call ends in exactly one.
type Reason string

// The reasons, in the order in which the accept procedure reaches them.
const (
	Accepted          Reason = "accepted"
	RejectedNetwork   Reason = "rejected-network"
	RejectedLimit     Reason = "rejected-limit"
	RejectedInUse     Reason = "rejected-in-use"
	RejectedHook      Reason = "rejected-hook"
	RejectedNoUser    Reason = "rejected-no-user"
	RejectedUntrusted Reason = "rejected-untrusted"
	RejectedPending   Reason = "rejected-pending"
	RejectedKey       Reason = "rejected-key-changed"
	RejectedWrongUser Reason = "rejected-wrong-user"
	FailedPreamble    Reason = "failed-preamble"
	FailedHandshake   Reason = "failed-handshake"
	FailedLogin       Reason = "failed-login"
	FailedSubsystem   Reason = "failed-subsystem"
	FailedHello       Reason = "failed-hello"
	TimedOut          Reason = "timeout"
)

// Outcome is how one call ended.
type Outcome struct {
	Time   time.Time
	Reason Reason
	// Remote is the address that called.
	Remote netip.AddrPort
	// Device is the name of the device, where the call got that far.
	Device string
	// Identity is what was proved, where the handshake got that far.
	Identity auth.Identity
	// User is the name of the user entry that was used or would be.
	User string
	// Detail is one sentence for a person: what happened and what to do. What
	// a device sent is quoted and cut in it.
	Detail string
	// Took is the time from the accept to the outcome.
	Took time.Duration
}
