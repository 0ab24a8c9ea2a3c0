package control

import "time"

// Where a part of the configuration comes from.
const (
	FromFile  = "file"  // the configuration file
	FromFlag  = "flag"  // the command line of serve
	FromSaved = "saved" // a command while the gateway ran
)

// User is a user entry.
type User struct {
	Name     string `json:"name"`
	Username string `json:"username"`
	// Methods are of "password", "private-key" and "certificate".
	Methods []string `json:"methods"`
	// Callhome is its place among the callhome-users, from 1; 0 if it is none.
	Callhome int `json:"callhome"`
	// From is FromFile or FromSaved, Since when it was saved.
	From  string    `json:"from"`
	Since time.Time `json:"since,omitzero"`
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

// CallhomeUser is a user entry that devices without one of their own are logged
// in to with.
type CallhomeUser struct {
	// Order is its place, from 1; 0 if it does not count.
	Order    int    `json:"order"`
	Name     string `json:"name"`
	Username string `json:"username"`
	// From is FromFile, FromFlag or FromSaved, Since when it was saved.
	From  string    `json:"from"`
	Since time.Time `json:"since,omitzero"`
	// Problem is why a saved one does not count; empty if it does.
	Problem string `json:"problem,omitempty"`
}

// SessionEntry is a session entry.
type SessionEntry struct {
	Name string `json:"name"`
	// State is that of its device.
	State      string   `json:"state"`
	Address    string   `json:"address,omitempty"`
	Transport  string   `json:"transport,omitempty"`
	Identities []string `json:"identities"`
	User       string   `json:"user,omitempty"`
	Port       uint16   `json:"port,omitempty"`
	TLSPort    uint16   `json:"tls_port,omitempty"`
	// From is FromFile or FromSaved, Since when it was saved.
	From  string    `json:"from"`
	Since time.Time `json:"since,omitzero"`
	// Problem is why a saved one does not count; empty if it does.
	Problem string `json:"problem,omitempty"`
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
