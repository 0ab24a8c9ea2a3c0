package share

import (
	"errors"
	"fmt"
	"strconv"

	"callhome-gateway/internal/netconf"
)

// Why a session is refused, or has ended.
var (
	// ErrExclusive is wrapped by the error of Open where the device takes one
	// manager at a time and has one.
	ErrExclusive = errors.New("the device takes one manager at a time")
	// ErrKilled is wrapped by the error of a session that another manager has
	// ended with kill-session.
	ErrKilled = errors.New("ended by kill-session")
	// ErrEnding says that the link to the device is ending.
	ErrEnding = errors.New("the link to the device is ending")

	errOver = errors.New("the session is over: close-session was sent, or the last request")
)

// Why a link has to end: reasons for the log and for people.
var (
	errUnasked   = errors.New("the device sent a reply that nobody had asked for")
	errStrange   = errors.New("the device sent a message that is neither an rpc-reply nor a notification, or whose start tag is not well-formed or too long")
	errSilent    = errors.New("the device does not answer, and the manager that had asked is gone")
	errSubscribe = errors.New("another event subscription is wanted than the one that this NETCONF session has, which nobody uses any more and which cannot be ended otherwise (RFC 5277)")
	errConfirmed = errors.New("a manager left an unconfirmed commit, which the device reverts when the session ends: it knows no cancel-commit")
	errEvents    = errors.New("the manager left an event subscription, which cannot be ended otherwise (RFC 5277)")
	errBound     = errors.New("the manager has used operations that leave things in the NETCONF session, which end only with it")
)

func errKilled(by uint32) error { return fmt.Errorf("%w of session %d", ErrKilled, by) }

func errChore(rpc string) error {
	return fmt.Errorf("the device refused %s, which was to clean up behind a manager", rpc)
}

func errMismatch(got, want string) error {
	return fmt.Errorf("the device answered request %s with a reply to %.40q", want, got)
}

// The errors that the gateway answers in the device's place.

func refuse(tag, message string) *netconf.RPCError {
	return &netconf.RPCError{Type: "protocol", Tag: tag, Message: message}
}

// heldBy names a session to people.
func heldBy(id uint32) string { return "session " + strconv.FormatUint(uint64(id), 10) }

func lockDenied(what string, holder uint32) *netconf.RPCError {
	e := refuse("lock-denied", heldBy(holder)+" "+what)
	e.Info = fmt.Sprintf("<session-id>%d</session-id>", holder)
	return e
}

// errUnreadable is the answer where the device's own is none.
func errUnreadable() *netconf.RPCError {
	return refuse("operation-failed", "the device has answered with something that is no rpc-reply, or whose start tag is not well-formed or too long; what it has done is not known")
}

func inUse(what string) *netconf.RPCError { return refuse("in-use", what) }

func notSupported(message string) *netconf.RPCError {
	return refuse("operation-not-supported", message)
}
