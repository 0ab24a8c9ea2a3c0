package callhome

import (
	"context"
	"net/netip"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
)

// Options configures a Server. The zero value of every duration and bound
// means its default, which the field's comment gives.
type Options struct {
	// Entries are the session entries. Their names, pins and certificate names
	// must be unique.
	Entries []Entry
	// Users are the callhome-users, in the order in which they are tried for
	// devices whose entry or approval names no user. Those without a credential
	// for the transport of a call are left out.
	Users []*auth.User
	// NamedUsers are all user entries by name, for approved devices that name one.
	NamedUsers map[string]*auth.User
	// Trust decides about identities that nobody has vouched for.
	Trust auth.Trust
	// Memory holds approvals and pins. Required.
	Memory auth.Memory
	// UserSelect, if not nil, is asked for calls whose address matches no entry.
	UserSelect UserSelect
	// UserSelectTimeout is how long UserSelect may take (default 5s).
	UserSelectTimeout time.Duration

	// Attach is told of every link when it is up, before its outcome is
	// reported. It must not block. The link is the server's: it may be used
	// and closed, and ends at the latest when Serve returns.
	Attach func(*Link)
	// Detach is told of every link that Attach was told of, when it has ended.
	// It must not block.
	Detach func(*Link)
	// Outcome is told how each call ended, once per call. It must not block,
	// and may be called concurrently.
	Outcome func(Outcome)
	// Log receives what happens, for people: outcomes and ended links. Outcomes
	// that repeat themselves are counted, and so are the calls of crowds.
	// Default: nothing is logged.
	Log hclog.Logger

	// RejectDelay is how long a rejected call is held before it is closed,
	// since many devices redial at once (default 5s; negative: not at all).
	RejectDelay time.Duration
	// FailureTTL is how long a refused login is remembered
	// (default 15m; negative: until the process ends, as yangcli-pro does).
	FailureTTL time.Duration
	// KeepaliveInterval is the time without traffic after which a device is
	// sent an SSH global request or, over TLS, a TCP keepalive probe, which has
	// whole seconds (default 15s).
	KeepaliveInterval time.Duration
	// DeadAfter is how long a device may leave TCP segments unacknowledged
	// before its link is closed (default 45s).
	DeadAfter time.Duration
	// IdleRPC is the time without NETCONF traffic after which the control
	// session sends a cheap RPC (default 4m; negative: never).
	IdleRPC time.Duration
	// ReplyLiveness says that only replies count as life, for gateways behind
	// a proxy that ends the TCP connection and acknowledges by itself. Calls
	// with a PROXY header are judged so in any case. Over TLS the device is then
	// sent a cheap RPC at every KeepaliveInterval.
	ReplyLiveness bool
	// Sources say what counts as one source in the bounds below.
	Sources auth.Sources
	// MaxHandshakes bounds the key exchanges in progress, each of which takes
	// some 35 KiB of memory (default 1024). The others queue; how many of them
	// compute at a time follows from the number of processors. When all are
	// taken, one whose device keeps us waiting makes room (see auth.Places).
	MaxHandshakes int
	// MaxHandshakesPerSource bounds those from one source (default 256).
	MaxHandshakesPerSource int
	// MaxCalls bounds the calls that are not yet links (default DefaultMaxCalls). One
	// source has a quarter of them, and 4 at least.
	MaxCalls int
	// MaxHeld bounds the rejected calls that are held open (default DefaultMaxHeld). One
	// source has a quarter of them, and 4 at least.
	MaxHeld int
}

// Defaults that others compare with.
const (
	DefaultMaxCalls = 4096
	DefaultMaxHeld  = 1024
)

// Transport is what NETCONF runs over on a call.
type Transport string

// The transports of RFC 8071.
const (
	SSH Transport = "ssh"
	TLS Transport = "tls"
)

// UserSelect chooses the user entry for a call whose address matches no
// session entry, as the user-select callback of yangcli-pro's yp-client does.
// It is called from one goroutine per call and must honour ctx.
type UserSelect func(ctx context.Context, call CallInfo) (Selection, error)

// CallInfo is what is known of a call before its handshake.
type CallInfo struct {
	Remote, Local netip.AddrPort
	Transport     Transport
	// Listener is the name of the listener that was called.
	Listener string
	// DeviceID is what the device says that it is, which nothing proves; empty
	// for those that say nothing. Anything may be in it, 255 bytes at most.
	DeviceID string
}

// Selection is the answer of a UserSelect. The zero value is "no opinion".
type Selection struct {
	// Reject drops the call, for the Reason given.
	Reject bool
	Reason string
	// User is the entry to log in with; nil means no opinion.
	User *auth.User
	// Name, if not empty, is proposed as the name of a device that is not known
	// yet. It never takes a name that one has.
	Name string
}
