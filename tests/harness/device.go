package harness

import (
	"fmt"
	"testing"
)

// Device is a real NETCONF server that a test lets call home, and what a test
// must know to work with it.
type Device struct {
	// Kind is "netconfd" or "libnetconf2".
	Kind string
	// HostKey is the only one that it has.
	HostKey Key
	// Username and Password log in; so does a Key that was authorized.
	Username, Password string
	// Target is the datastore to lock and edit, "running" or "candidate".
	Target string
	// Output is what its SSH server logs.
	Output *Output
	// Alive reports whether its NETCONF server runs.
	Alive func() bool

	call func(t testing.TB, gateway string) Call
	edit func(value string) string
}

// Call is a device that calls home.
type Call interface {
	// Kill ends the device's side as kill -9 and a TCP reset do.
	Kill()
}

// CallHome lets the device call the gateway at this address. The libnetconf2
// device calls again by itself when the link ends; netconfd calls once.
func (d *Device) CallHome(t testing.TB, gateway string) Call {
	t.Helper()
	return d.call(t, gateway)
}

// Edit is a config element's content that sets a leaf to the value, so that
// get-config shows the value afterwards.
func (d *Device) Edit(value string) string { return d.edit(value) }

// UserEntry is the user entry, of this name, that logs in to the device.
func (d *Device) UserEntry(name string) string {
	return UserEntry(name, d.Username, d.Password)
}

// UserEntry is a user entry with a password.
func UserEntry(name, username, password string) string {
	return fmt.Sprintf("user %q {\n  username = %q\n  password = %q\n}\n", name, username, password)
}

// SessionEntry is a session entry that knows the device by its key. More lines
// go into the block as they are.
func (d *Device) SessionEntry(name, user string, port int, more ...string) string {
	return SessionEntry(name, d.HostKey, user, port, more...)
}

// SessionEntry is a session entry that knows a device by its key. Without a
// user the callhome-users are tried; without a port one is assigned.
func SessionEntry(name string, key Key, user string, port int, more ...string) string {
	entry := fmt.Sprintf("session %q {\n  host_keys = [%q]\n", name, key.AuthorizedKey())
	if user != "" {
		entry += fmt.Sprintf("  user = %q\n", user)
	}
	if port != 0 {
		entry += fmt.Sprintf("  port = %d\n", port)
	}
	for _, line := range more {
		entry += "  " + line + "\n"
	}
	return entry + "}\n"
}
