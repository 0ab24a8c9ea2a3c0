// Package control lets operators see and steer a running gateway: HTTP and
// JSON over a unix socket in the state directory, which only root and the
// gateway's own user may use. Managers have no part in it.
package control

import (
	"context"
	"io"
	"time"
)

// SocketName is the socket's file name in the state directory.
const SocketName = "control.sock"

// Backend is what the control API acts on. The daemon is one, and so is the
// Client, which asks a running daemon. Methods may be called concurrently and
// must honour ctx. Errors are told to the operator as they are: they name what
// failed and what to do, and hold no secret. Those that wrap an error of this
// package or of auth keep it over the socket.
type Backend interface {
	Status(ctx context.Context) (Status, error)
	// Reload reads the configuration file again. If it returns an error nothing
	// has changed.
	Reload(ctx context.Context) (ReloadResult, error)
	// Backup writes all that a restart needs. There are private keys in it.
	Backup(ctx context.Context, w io.Writer) error

	// Devices returns the connected, away and pending devices in the order
	// in which they should be shown, without their capabilities.
	Devices(ctx context.Context) ([]Device, error)
	// Device returns one device by name, or a pending one by its fingerprint.
	Device(ctx context.Context, name string) (Device, error)
	// Approve returns the device as it is known from now on.
	Approve(ctx context.Context, r ApproveRequest) (Device, error)
	// ApproveList approves all devices of a list, or none: before they have
	// called, too. Each line is a fingerprint or a key, a name and, where it is not
	// one of the callhome-users, a user entry. The error names the lines. Of the
	// devices that it returns, in the order of the list, no more is told than that.
	ApproveList(ctx context.Context, list string) ([]Device, error)
	// Reject removes a pending identity, given as in ApproveRequest.Device,
	// and returns it.
	Reject(ctx context.Context, device string) (Device, error)
	// Rename gives a device another name, and returns it. Its link ends.
	Rename(ctx context.Context, r RenameRequest) (Device, error)
	// Forget removes what is remembered of a device, and its link.
	Forget(ctx context.Context, name string) error
	// Disconnect ends a device's link. The device may call again.
	Disconnect(ctx context.Context, name string) error
	// Trace writes the messages that managers exchange with a device, until ctx
	// ends or the device is no more. The first write comes when it has begun.
	Trace(ctx context.Context, device string, w io.Writer) error

	CallhomeServer(ctx context.Context) (CallhomeServer, error)
	// StartCallhome has calls accepted, and StopCallhome none any more, until the
	// other is called or the gateway is started again. Links stay.
	StartCallhome(ctx context.Context, r StartRequest) (CallhomeServer, error)
	StopCallhome(ctx context.Context) (CallhomeServer, error)

	// CallhomeUsers returns the callhome-users in the order in which they are
	// tried, those that do not count last.
	CallhomeUsers(ctx context.Context) ([]CallhomeUser, error)
	// AddCallhomeUser makes a user entry the last callhome-user.
	AddCallhomeUser(ctx context.Context, name string) error
	RemoveCallhomeUser(ctx context.Context, name string) error
	// Users returns the user entries by name, without their secrets.
	Users(ctx context.Context) ([]User, error)
	SaveUser(ctx context.Context, r SaveUserRequest) (User, error)
	RemoveUser(ctx context.Context, name string) error
	// Sessions returns the session entries by name.
	Sessions(ctx context.Context) ([]SessionEntry, error)
	SaveSession(ctx context.Context, r SaveSessionRequest) (SessionEntry, error)
	RemoveSession(ctx context.Context, name string) error

	// Failures returns the refused logins that are remembered.
	Failures(ctx context.Context) ([]Failure, error)
	// ClearFailures forgets those that the filter means, and returns how many.
	ClearFailures(ctx context.Context, f FailureFilter) (int, error)
	// Events returns the latest events, oldest first.
	Events(ctx context.Context) ([]Event, error)
	// Follow tells the latest events, oldest first, and then each new one, until
	// ctx ends or tell fails. If tell is too slow it misses some, and is told
	// how many in an event of the kind EventMissed.
	Follow(ctx context.Context, tell func(Event) error) error
}

// Status is the state of the whole gateway.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	StateDir string    `json:"state_dir"`
	Callhome Listener  `json:"callhome"`
	// CallhomeTLS and GatewayTLS are as Callhome and Gateway, over TLS.
	CallhomeTLS Listener `json:"callhome_tls"`
	// Listeners are those for calls besides Callhome and CallhomeTLS.
	Listeners  []CallListener `json:"listeners"`
	Gateway    Listener       `json:"gateway"`
	GatewayTLS Listener       `json:"gateway_tls"`
	Devices    Counts         `json:"devices"`
	// Calls is the number of calls in progress: neither connected nor rejected.
	Calls int `json:"calls"`
	// Managers is the number of manager sessions.
	Managers int `json:"managers"`
	// Goroutines and OpenFiles show a leak, should there be one; OpenFiles is 0
	// where the system does not tell.
	Goroutines int `json:"goroutines"`
	OpenFiles  int `json:"open_files"`
	// Failures are the logins that are not tried again for now.
	Failures []Failure `json:"failures"`
	// Awaited are the usernames with which the next calls are met.
	Awaited []Awaited `json:"awaited"`
	// CallhomeRunning says that calls are accepted, which an operator can change.
	CallhomeRunning bool `json:"callhome_running"`
	// Draining says that the gateway is about to stop, and lets nobody in.
	Draining bool   `json:"draining"`
	Totals   Totals `json:"totals"`
	// Audit is null where nothing is written of what managers do.
	Audit *Audit `json:"audit"`
	// LastReload is null if the configuration was not read again yet.
	LastReload *Reload `json:"last_reload"`
}

// Totals count what managers have done since the gateway was started.
type Totals struct {
	LoginsRefused   uint64 `json:"logins_refused"`
	Sessions        uint64 `json:"sessions"`
	Requests        uint64 `json:"requests"`
	RequestsRefused uint64 `json:"requests_refused"`
}

// Audit is what is written of what managers do.
type Audit struct {
	File string `json:"file"`
	// Problem is why it cannot be written at present; empty while it can.
	Problem string `json:"problem,omitempty"`
}

// Reload is how an attempt to read the configuration again has ended.
type Reload struct {
	Time time.Time `json:"time"`
	OK   bool      `json:"ok"`
	// Error is why nothing has changed.
	Error string `json:"error,omitempty"`
}

// Listener is the state of a listening socket. For the gateway it is that of
// the shared endpoint.
type Listener struct {
	Enabled bool `json:"enabled"`
	// Address is host:port; empty if there is none.
	Address   string `json:"address"`
	Listening bool   `json:"listening"`
}

// CallListener is a named listener for calls.
type CallListener struct {
	Name string   `json:"name"`
	SSH  Listener `json:"ssh"`
	TLS  Listener `json:"tls"`
}

// Counts are numbers of devices by state.
type Counts struct {
	Connected int `json:"connected"`
	Away      int `json:"away"`
	Pending   int `json:"pending"`
}

// Failure is a refused login that is remembered: this user entry is not tried
// again for this identity until it expires.
type Failure struct {
	Identity string    `json:"identity"`
	Device   string    `json:"device"`
	User     string    `json:"user"`
	Since    time.Time `json:"since"`
	// Expires is zero if it never does.
	Expires time.Time `json:"expires,omitzero"`
}

// Awaited are the usernames that devices calling from an address need.
type Awaited struct {
	Address   string   `json:"address"`
	Usernames []string `json:"usernames"`
}

// The states of a Device.
const (
	StateConnected = "connected"
	StateAway      = "away"
	StatePending   = "pending"
)

// Device is what is known of one device. Strings may come from the device:
// whoever shows them must escape them.
type Device struct {
	// Name is empty for a pending device that matches no session entry.
	Name string `json:"name"`
	// State is one of StateConnected, StateAway and StatePending.
	State string `json:"state"`
	// Transport is "ssh" or "tls": what it called over, or would.
	Transport string `json:"transport"`
	// Address is where it is connected from, or called from last.
	Address string `json:"address"`
	// Identity is the fingerprint that it has proved; of a device that is away
	// and was not let in at its last call, the first that it may prove.
	Identity string `json:"identity"`
	// KeyType is that of SSH, or "x509" where Identity is that of a certificate,
	// or "x509-key" where only that of its key is known.
	KeyType string `json:"key_type"`
	// Certificate describes the certificate that a pending device has shown.
	Certificate string `json:"certificate,omitempty"`
	// CertificateNames are the names of which its certificate must have one.
	CertificateNames []string `json:"certificate_names,omitempty"`
	// HostPrincipals are those of which its SSH host certificate must have one.
	HostPrincipals []string `json:"host_principals,omitempty"`
	// User is the user entry that it is logged in with, or would be.
	User string `json:"user"`
	// Port and TLSPort are its own endpoints; 0 means none.
	Port    uint16 `json:"port"`
	TLSPort uint16 `json:"tls_port"`
	// Sessions is how managers share its connection: "own", "shared" or
	// "exclusive"; "auto" where that shows when it is connected. Empty for a
	// pending device.
	Sessions string `json:"sessions,omitempty"`
	// Managers is the number of manager sessions with it.
	Managers int `json:"managers"`
	// Busy says that it acknowledges what it is sent, but does not answer.
	Busy bool `json:"busy"`
	// Since is when it connected; for a pending device, when it first called.
	Since    time.Time `json:"since,omitzero"`
	LastSeen time.Time `json:"last_seen,omitzero"`
	// LastOutcome is how its latest call ended; null if it never called.
	LastOutcome *Outcome `json:"last_outcome"`
	// Calls is how often a pending device has called.
	Calls int `json:"calls,omitempty"`
	// Listener is the name of the listener that it called; empty for the main one.
	Listener string `json:"listener,omitempty"`
	// DeviceID is what it called itself before SSH began, which need not be true.
	DeviceID string `json:"device_id,omitempty"`
	// Algorithms are those of its connection; null while it has none.
	Algorithms *Algorithms `json:"algorithms,omitempty"`
	// SessionID is that of the control session, while it is connected.
	SessionID uint32 `json:"session_id,omitempty"`
	// Capabilities are those of its hello. Backend.Device alone tells them.
	Capabilities []string `json:"capabilities,omitempty"`
}

// Algorithms are what protects a connection.
type Algorithms struct {
	// Version is that of TLS; empty over SSH.
	Version string `json:"version,omitempty"`
	// KeyExchange is the method of SSH, or the group of TLS.
	KeyExchange string `json:"key_exchange"`
	// HostKey is what the device has signed with over SSH.
	HostKey string `json:"host_key,omitempty"`
	// Sent is for what goes to the device, Received for what comes from it: they
	// differ seldom, and never over TLS.
	Sent     Protection `json:"sent"`
	Received Protection `json:"received"`
}

// Protection is that of one direction: the cipher, or the cipher suite of TLS,
// and the MAC where the cipher needs one.
type Protection struct {
	Cipher string `json:"cipher"`
	MAC    string `json:"mac,omitempty"`
}

// Outcome is how a call ended.
type Outcome struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
}

// ApproveRequest makes a pending device a known one.
type ApproveRequest struct {
	// Device is a fingerprint, the beginning of one (8 characters at least, 12 of
	// a certificate's), or the name of a known device. A pending one is called by
	// its fingerprint.
	Device string `json:"device"`
	// Name is what it shall be called; empty keeps the name that it has.
	Name string `json:"name,omitempty"`
	// User names the user entry to log in with; empty means the callhome-users.
	User string `json:"user,omitempty"`
	// Replace takes the name from the identity that has it.
	Replace bool `json:"replace,omitempty"`
}

// RenameRequest gives a device another name.
type RenameRequest struct {
	Device string `json:"device"`
	Name   string `json:"name"`
}

// FailureFilter says which refused logins to forget; what is empty is any.
type FailureFilter struct {
	// Device is a name or a fingerprint.
	Device string `json:"device,omitempty"`
	User   string `json:"user,omitempty"`
}

// ReloadResult is what reading the configuration again has come to.
type ReloadResult struct {
	// Warnings are those of the file, and what was saved and does not count,
	// each for a person.
	Warnings []string `json:"warnings"`
	// NeedRestart are the options that have changed, and stay as they were until
	// the gateway is started again.
	NeedRestart []string `json:"need_restart"`
	// Links and Sessions are how many links of devices and sessions of managers
	// the change has ended.
	Links    int `json:"links"`
	Sessions int `json:"sessions"`
}
