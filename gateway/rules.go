package gateway

import (
	"fmt"
	"strconv"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// policy is who a relay's manager is, as far as its requests matter.
type policy interface {
	// access returns what the manager may ask for at present; nil is nothing.
	access() *auth.Access
	// logDenied notes the first request that the manager was denied.
	logDenied(what string)
}

// forbid returns the error with which the gateway answers an rpc in the
// device's place, or nil for one that passes. It is asked where the head of a
// message is known and nothing of it has reached the device, of each message
// anew: what the manager may do can change while its session runs.
func (r *relay) forbid(h netconf.Head) *netconf.RPCError {
	switch op := (auth.Operation{Namespace: h.Op.Space, Name: h.Op.Local}); {
	case !r.policy.access().Permits(op, h.Target):
		return r.deny(op, h.Target)
	case h.Ambiguous:
		return &netconf.RPCError{
			Type: "protocol", Tag: "operation-failed",
			Message: "an rpc has one operation, with one of each of its arguments, in its own namespace and in one piece, and nothing of XInclude",
		}
	case h.Op.Local == "kill-session":
		return guardControl(h, r.link.hello().SessionID)
	}
	return nil
}

// deny refuses what is not the manager's to ask for. The log has the first such
// request of a session, and how many there were at its end.
func (r *relay) deny(op auth.Operation, target string) *netconf.RPCError {
	what := op.String()
	switch {
	case op == auth.Operation{}:
		what = "an rpc without an operation"
	case target != "":
		what += " of " + target
	}
	what = printable(what, maxReason)
	if r.denied.Add(1) == 1 {
		r.policy.logDenied(what)
	}
	return &netconf.RPCError{
		Type: "protocol", Tag: "access-denied",
		Message: "this manager may not ask devices for " + what + " (its access on the gateway)",
	}
}

// guardControl refuses to kill the gateway's own session with the device:
// devices grant it, whoever asks, and drop the connection. They differ in what
// they take for a number ("07", "+7", a name in another namespace), so what is
// not as plain as the gateway would write it does not pass either.
func guardControl(h netconf.Head, control uint32) *netconf.RPCError {
	id, err := strconv.ParseUint(h.SessionID, 10, 32)
	switch {
	case err != nil, strconv.FormatUint(id, 10) != h.SessionID:
		return &netconf.RPCError{
			Type: "protocol", Tag: "invalid-value",
			Message: "kill-session takes one session-id, a plain decimal number",
		}
	case uint32(id) == control:
		return &netconf.RPCError{
			Type: "protocol", Tag: "access-denied",
			Message: fmt.Sprintf("session %d is the gateway's own, which keeps the device connected", control),
		}
	}
	return nil
}
