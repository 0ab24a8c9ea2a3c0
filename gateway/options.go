package gateway

import (
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ssh"
)

// Options configures a Gateway. The zero value of every duration and bound
// means its default, which the field's comment gives.
type Options struct {
	// Address is what the endpoints listen on (default: loopback of IPv4).
	Address netip.Addr
	// Port is the shared SSH endpoint; 0 means none.
	Port uint16
	// TLSPort is the shared TLS endpoint, on which managers name the device by
	// SNI as <device>.<Domain>; 0 means none.
	TLSPort uint16
	Domain  string
	// TLS is required where a TLS port is set.
	TLS *TLSOptions
	// Sessions is the default of DeviceConfig.Sessions, IdleClose that of
	// DeviceConfig.IdleClose (0: never).
	Sessions  SessionMode
	IdleClose time.Duration
	// Devices are those that are known beforehand, with the port of their own
	// where they have one.
	Devices []DeviceConfig
	// Ports is the range to assign from to devices without a port of their
	// own; the zero value assigns none.
	Ports PortRange
	// PortStore keeps assigned ports over restarts. Required with Ports.
	PortStore PortStore
	// HostKeys are the keys that the endpoints show. Required: at least one,
	// better not only an RSA one (yangcli cannot use those).
	HostKeys []ssh.Signer
	// Managers are those that may log in. Names must be unique.
	Managers []auth.Manager
	// UserCAs are the keys that sign SSH certificates of managers.
	UserCAs []ssh.PublicKey
	// Networks say who may connect to the endpoints.
	Networks auth.NetworkRules
	// Proxies are the networks whose connections begin with a PROXY header.
	Proxies []netip.Prefix
	// Sources say what counts as one source where logins are bounded.
	Sources auth.Sources
	// TempDir is where requests larger than SpoolMemory go; empty means the
	// system's.
	TempDir string

	// Wait is how long a manager waits for a device that is away (default 0: not at all).
	Wait time.Duration
	// HelloTimeout bounds the wait for a manager's hello (default 60s).
	HelloTimeout time.Duration
	// LoginTimeout bounds a manager's handshake and login (default 60s).
	LoginTimeout time.Duration
	// StallTimeout ends a manager that reads nothing while data waits, or that
	// stops in the middle of a message, or sends one that takes longer at less
	// than 16 KiB a second (default 60s).
	StallTimeout time.Duration
	// MaxMessage bounds one request, in bytes (default 256 MiB).
	MaxMessage int64
	// SpoolMemory bounds the part of one request that is held in memory (default 1 MiB).
	SpoolMemory int
	// SpoolBudget bounds all requests in progress together, in bytes (default
	// 1 GiB). One manager may have a quarter of it, or MaxMessage if that is more.
	SpoolBudget int64
	// MaxLogins bounds the manager connections that have not logged in yet
	// (default 512). One source may have a quarter of it, and four in any case,
	// unless it is exempt. Who comes when there are as many takes the place of one
	// that keeps the gateway waiting (see auth.Places).
	MaxLogins int
	// MaxSessions bounds the manager sessions of one manager connection (default 32).
	MaxSessions int

	// Listen opens the socket of an endpoint (default: callhome.Listen). Closing
	// it must let another Listen have the port.
	Listen func(address netip.Addr, port uint16) (net.Listener, error)
	// Recorder is told of what managers do. nil: nobody is.
	Recorder Recorder
	// Log receives one line per manager session. Default: nothing is logged.
	Log hclog.Logger
}

// DeviceConfig is a device that the configuration names.
type DeviceConfig struct {
	Name string
	// Port is its own SSH endpoint; 0 means one from Options.Ports.
	Port uint16
	// TLSPort is its own TLS endpoint; 0 means none.
	TLSPort uint16
	// Sessions is how managers share the device's connection; SessionsDefault
	// means Options.Sessions.
	Sessions SessionMode
	// IdleClose is how long a connection may be without a manager session before
	// the gateway closes it, for devices that call periodically (0: Options.IdleClose;
	// negative: never).
	IdleClose time.Duration
}

// TLSOptions are what the TLS endpoints need.
type TLSOptions struct {
	// Certificate returns the certificate that managers are shown. It is asked
	// at every handshake and must not block for long.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Anchors validate the certificates of managers; nil means that only those
	// that Names pins may come in.
	Anchors *auth.Anchors
	// Names maps certificates to the names of managers.
	Names *auth.CertNames
}

// SessionMode says how managers share a device's connection.
type SessionMode uint8

const (
	// SessionsDefault is SessionsAuto, or what the more general setting says.
	SessionsDefault SessionMode = iota
	// SessionsAuto gives each manager a session of its own over SSH, and shares
	// one on TLS and on devices that refuse the first further channel.
	SessionsAuto
	// SessionsOwn never shares: managers that a device refuses are told so.
	SessionsOwn
	// SessionsShared always shares the one session.
	SessionsShared
	// SessionsExclusive lets one manager at a time use the one session.
	SessionsExclusive
)

func (m SessionMode) String() string {
	return [...]string{"default", "auto", "own", "shared", "exclusive"}[m]
}

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last uint16 }

// PortStore remembers which device has which port. Ports of forgotten devices
// are kept as well, so that they are given away last.
type PortStore interface {
	// Ports returns all assignments, those of forgotten devices with Forgotten set.
	Ports() ([]PortAssignment, error)
	// SetPort stores the assignments, all or none, replacing any that have the same
	// ports.
	SetPort(...PortAssignment) error
}

// PortAssignment is one port that was given to a device.
type PortAssignment struct {
	Device    string
	Port      uint16
	Forgotten bool
	Since     time.Time
}
