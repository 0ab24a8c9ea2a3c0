package control

import "time"

// Where a part of the configuration comes from.
const (
	FromFile  = "file"  // the configuration file
	FromFlag  = "flag"  // the command line of serve
	FromSaved = "saved" // a command while the gateway ran
)

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

// CallhomeServer is the state of what accepts calls.
type CallhomeServer struct {
	// Running says that calls are accepted, Enabled that they are from the start.
	Running bool `json:"running"`
	Enabled bool `json:"enabled"`
	// Since is when an operator has started or stopped it; zero if nobody has
	// since the gateway runs.
	Since     time.Time         `json:"since,omitzero"`
	Listeners []CallhomeAddress `json:"listeners"`
}

// CallhomeAddress is one port for calls.
type CallhomeAddress struct {
	// Listener is its name; empty for the main one.
	Listener  string `json:"listener"`
	Transport string `json:"transport"`
	Address   string `json:"address"`
	Listening bool   `json:"listening"`
}

// StartRequest starts to accept calls. What is zero is as configured.
type StartRequest struct {
	// Address and the ports are of the main listener; a port of 0 listens nowhere.
	Address string  `json:"address,omitempty"`
	Port    *uint16 `json:"port,omitempty"`
	TLSPort *uint16 `json:"tls_port,omitempty"`
}

// User is a user entry.
type User struct {
	Name     string `json:"name"`
	Username string `json:"username"`
	// Methods are of "password", "private-key" and "certificate".
	Methods []string `json:"methods"`
	// Callhome is its place among the callhome-users, from 1; 0 if it is none.
	Callhome int `json:"callhome"`
	// From is FromFile or FromSaved, CallhomeFrom where its place comes from.
	From         string    `json:"from"`
	CallhomeFrom string    `json:"callhome_from,omitempty"`
	Since        time.Time `json:"since,omitzero"`
	// Problem is why a saved one does not count; empty if it does.
	Problem string `json:"problem,omitempty"`
}

// SaveUserRequest saves a user entry, or replaces the saved one of that name.
type SaveUserRequest struct {
	Name       string `json:"name"`
	Username   string `json:"username"`
	Password   string `json:"password,omitempty"`
	PrivateKey string `json:"private_key,omitempty"`
	// Callhome makes it the last callhome-user.
	Callhome bool `json:"callhome,omitempty"`
}

// SessionEntry is a session entry.
type SessionEntry struct {
	Name string `json:"name"`
	// State is that of its device.
	State      string    `json:"state"`
	Address    string    `json:"address,omitempty"`
	Transport  string    `json:"transport,omitempty"`
	Identities []string  `json:"identities"`
	User       string    `json:"user,omitempty"`
	Port       uint16    `json:"port,omitempty"`
	TLSPort    uint16    `json:"tls_port,omitempty"`
	From       string    `json:"from"`
	Since      time.Time `json:"since,omitzero"`
	Problem    string    `json:"problem,omitempty"`
	// HCL is the block as it would stand in the file, where it was asked for.
	HCL string `json:"hcl,omitempty"`
}

// SaveSessionRequest makes a session entry of a device that is connected.
type SaveSessionRequest struct {
	Device string `json:"device"`
	// Name is what it shall be called; empty keeps its name.
	Name string `json:"name,omitempty"`
	// Show gives the HCL of it and saves nothing.
	Show bool `json:"show,omitempty"`
}

// FailureFilter says which refused logins to forget; what is empty is any.
type FailureFilter struct {
	// Device is a name or a fingerprint.
	Device string `json:"device,omitempty"`
	User   string `json:"user,omitempty"`
}

// RenameRequest gives a device another name.
type RenameRequest struct {
	Device string `json:"device"`
	Name   string `json:"name"`
}

// The kinds of an Event.
const (
	EventConnected    = "connected"
	EventAway         = "away"
	EventRejected     = "rejected" // a call of a known device that was not accepted
	EventPending      = "pending"
	EventFlapping     = "flapping"
	EventSessionBegin = "session-begin"
	EventSessionEnd   = "session-end"
	EventLoginRefused = "login-refused"
	EventOperator     = "operator" // an operator has changed something
	EventReload       = "reload"
)

// Event is something that has happened. Strings may come from outside: whoever
// shows them must escape them.
type Event struct {
	// Number counts the events since the gateway has started, from 1.
	Number  uint64    `json:"number"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Device  string    `json:"device,omitempty"`
	Manager string    `json:"manager,omitempty"`
	Address string    `json:"address,omitempty"`
	// Reason is the reason code of a call, Detail a sentence.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}
