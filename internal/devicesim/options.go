package devicesim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/internal/netconf"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ssh"
)

// Options describes a device. The zero value of a duration or bound means the
// default that its comment gives. Hooks are called from the goroutines of the
// device, concurrently, and must not block for long.
type Options struct {
	// Name appears in the configuration, in notifications and in the log.
	// Default: "device".
	Name string
	// Connect is the host:port that the device calls. Only Run needs it.
	Connect string
	// Source is the local address to call from. Default: the system chooses.
	Source netip.Addr

	// TLS makes the device speak TLS. Junos, HostKeys, the credentials below and
	// what concerns channels are then without effect. Default: it speaks SSH.
	TLS *TLS

	// Junos makes the device say who it is before SSH starts. Default: it does not.
	Junos *Junos

	// HostKeys are what the device proves itself with: keys, and certificates
	// for them (see CertifyHost). At least one.
	HostKeys []ssh.Signer
	// LegacyAlgorithms leaves the device only ssh-rsa, group14-sha1 and
	// hmac-sha1: what many an old one has. Its host keys must be RSA.
	LegacyAlgorithms bool
	// Username is the only one that may log in, by any of the credentials
	// that follow. At least one of them is needed.
	Username       string
	Password       string
	AuthorizedKeys []ssh.PublicKey
	// KeyboardInteractive asks for the password by keyboard-interactive
	// instead of accepting it by the password method.
	KeyboardInteractive bool
	// SSH, if not nil, may change how the device speaks SSH, its algorithms say.
	SSH func(*ssh.ServerConfig)
	// Latency is what a device over SSH takes longer for each thing that it says
	// until it is logged in to: its processor is slow, or the way is long.
	Latency time.Duration
	// LoginTimeout bounds the time from connecting to being logged in
	// (default 30s).
	LoginTimeout time.Duration
	// Reconnect is the time between the end of a call and the next one, give
	// or take a tenth (default 5s; negative: Run returns after one call).
	Reconnect time.Duration

	// Config is the content of the running datastore at start: any number of
	// XML elements. Default: a few elements that carry the name.
	Config string
	// Features are the capabilities besides the base protocol.
	Features
	// Base are the protocol versions offered: "1.0", "1.1" (default: both).
	Base []string
	// HelloSize pads the hello with capabilities to this many bytes.
	HelloSize int
	// FirstSession is the session-id of the first session; the ids that follow
	// count up from it (default 1).
	FirstSession uint32
	// MaxSessions bounds the channels of one connection; further ones are
	// refused as OpenSSH's MaxSessions does (default 1024; negative: there is
	// none).
	MaxSessions int
	// Excess is what happens to further channels instead.
	Excess Excess
	// RefuseReason is the reason that refused channels are given (default
	// ssh.ConnectionFailed).
	RefuseReason ssh.RejectionReason
	// MaxMessage bounds the messages that the device accepts, in bytes
	// (default 64 MiB). A longer one ends its session.
	MaxMessage int64
	// Heartbeat is the time between the notifications of a subscription
	// (default 1s; negative: none are sent).
	Heartbeat time.Duration

	// BusyBlocksAll makes the device handle one thing at a time on a
	// connection, as libnetconf2 does: an RPC that takes long, a reply that is
	// not read, half an RPC, or a missing client hello stops everything else
	// there, SSH global requests and new channels included.
	BusyBlocksAll bool
	// SilentHello accepts sessions but never sends a hello.
	SilentHello bool
	// ClosedHello accepts sessions and closes them before any hello.
	ClosedHello bool
	// Flaw, if not nil, is asked for the flaw of the reply to each sound rpc.
	// The operation flawed asks for one, too.
	Flaw func(session uint32, rpc netconf.Head) Flaw
	// IgnoreGlobalRequests leaves SSH global requests without a reply.
	IgnoreGlobalRequests bool

	// OnConnect is called when a connection to the peer is up, before SSH.
	OnConnect func(net.Conn)
	// OnDisconnect is called when a call has ended, with the reason if known.
	OnDisconnect func(error)
	// OnAuth is called for every authentication request, "none" and queries
	// for a public key included. (A request that is signed without a query
	// before it counts twice.) On TLS it is called for every certificate that
	// a peer sends, with its common name and "certificate".
	OnAuth func(user, method string)
	// OnHandshake is called after each TLS handshake, failed ones included:
	// the state then has what was known when it failed.
	OnHandshake func(tls.ConnectionState, error)
	// OnSession is called when a session has exchanged hellos (up), and again
	// when that session has ended and what it held is released.
	OnSession func(session uint32, up bool)
	// OnMessage is called with each message that the device received after
	// the hello, sound or not.
	OnMessage func(session uint32, doc []byte)
	// OnRevert is called when a confirmed commit was taken back: cancelled, not
	// confirmed in time, or its session ended.
	OnRevert func()
	// OnOpen is called for each channel that the peer asks for.
	OnOpen func(accepted bool)

	// Log receives one line per call and its end. Default: nothing is logged.
	Log hclog.Logger
}

const (
	defaultReconnect    = 5 * time.Second
	defaultHeartbeat    = time.Second
	defaultLoginTimeout = 30 * time.Second
	defaultMaxMessage   = 64 << 20
	defaultMaxSessions  = 1024
	maxHelloSize        = 1 << 20
)

// withDefaults returns the options with defaults filled in, or an error that
// names the field that cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = "device"
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if len(o.Base) == 0 {
		o.Base = []string{"1.0", "1.1"}
	}
	setDefault(&o.Reconnect, defaultReconnect)
	setDefault(&o.Heartbeat, defaultHeartbeat)
	setDefault(&o.LoginTimeout, defaultLoginTimeout)
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	if o.FirstSession == 0 {
		o.FirstSession = 1
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = defaultMaxSessions
	}
	return o, o.validate()
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

func (o *Options) validate() error {
	if err := o.validateLogin(); err != nil {
		return err
	}
	if i := slices.IndexFunc(o.Base, func(b string) bool { return b != "1.0" && b != "1.1" }); i >= 0 {
		return fmt.Errorf("unknown base version %q: use 1.0 or 1.1", o.Base[i])
	}
	if err := o.Features.validate(); err != nil {
		return err
	}
	if o.HelloSize < 0 || o.HelloSize > maxHelloSize {
		return fmt.Errorf("hello size %d is not between 0 and %d bytes", o.HelloSize, maxHelloSize)
	}
	return nil
}

func (o *Options) validateLogin() error {
	switch {
	case o.TLS != nil:
		return o.TLS.validate()
	case len(o.HostKeys) == 0:
		return errors.New("a device needs a host key")
	case o.Username == "":
		return errors.New("a device needs a username that may log in")
	case o.Password == "" && len(o.AuthorizedKeys) == 0:
		return errors.New("a device needs a password or an authorized key")
	case o.KeyboardInteractive && o.Password == "":
		return errors.New("keyboard-interactive needs a password to ask for")
	case o.Junos != nil:
		return o.Junos.validate()
	}
	return nil
}
