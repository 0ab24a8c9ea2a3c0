package harness

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
)

// Device is a real NETCONF server that a test lets call home, and what a test
// must know to work with it.
type Device struct {
	// Kind is "netconfd", "libnetconf2" or "libnetconf2 over TLS".
	Kind string
	// HostKey is the only one that it has, over SSH.
	HostKey Key
	// TLS is set where it calls home over TLS.
	TLS *DeviceTLS
	// Username and Password log in; so does a Key that was authorized.
	Username, Password string
	// Target is the datastore to lock and edit, "running" or "candidate".
	Target string
	// Entry are lines for its session entry.
	Entry []string
	// BlobNamespace is that of its operation blob; empty if it has none.
	BlobNamespace string
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

// CallHome lets the device call the gateway at this address, on the port for
// its transport. The libnetconf2 device calls again by itself when the link
// ends; netconfd calls once.
func (d *Device) CallHome(t testing.TB, gateway string) Call {
	t.Helper()
	port := CallHomePort
	if d.TLS != nil {
		port = CallHomeTLSPort
	}
	return d.call(t, net.JoinHostPort(gateway, port))
}

// Identity is the fingerprint of what it proves itself with.
func (d *Device) Identity() string {
	if d.TLS != nil {
		return d.TLS.Certificate.Fingerprint()
	}
	return d.HostKey.Fingerprint()
}

// Blob is an operation whose reply has this many bytes of text.
func (d *Device) Blob(size int) string {
	return fmt.Sprintf(`<blob xmlns="%s"><size>%d</size></blob>`, d.BlobNamespace, size)
}

// Edit is a config element's content that sets a leaf to the value, so that
// get-config shows the value afterwards.
func (d *Device) Edit(value string) string { return d.edit(value) }

// UserEntry is the user entry, of this name, that logs in to the device.
func (d *Device) UserEntry(name string) string {
	if d.TLS != nil {
		return TLSUserEntry(name, d.TLS.Login)
	}
	return UserEntry(name, d.Username, d.Password)
}

// UserEntry is a user entry with a password.
func UserEntry(name, username, password string) string {
	return fmt.Sprintf("user %q {\n  username = %q\n  password = %q\n}\n", name, username, password)
}

// SessionEntry is a session entry that knows the device by its key. More lines
// go into the block as they are.
func (d *Device) SessionEntry(name, user string, port int, more ...string) string {
	more = slices.Concat(more, d.Entry)
	if d.TLS != nil {
		return PinnedEntry(name, d.TLS.Certificate, user, port, more...)
	}
	return SessionEntry(name, d.HostKey, user, port, more...)
}

// SessionEntry is a session entry that knows a device by its key. Without a
// user the callhome-users are tried; without a port one is assigned.
func SessionEntry(name string, key Key, user string, port int, more ...string) string {
	return sessionEntry(name, user, port, append(more, fmt.Sprintf("host_keys = [%q]", key.AuthorizedKey())))
}

// PinnedEntry is a session entry that knows a device by its certificate.
func PinnedEntry(name string, c Certificate, user string, port int, more ...string) string {
	return sessionEntry(name, user, port, append(more, fmt.Sprintf("certificates = [%q]", c.Fingerprint())))
}

// NamedEntry is a session entry that expects a name in a certificate, which a
// CA of the user must have issued.
func NamedEntry(name, expected, user string, port int, more ...string) string {
	return sessionEntry(name, user, port, append(more, fmt.Sprintf("certificate_names = [%q]", expected)))
}

// PrincipalEntry is a session entry that expects a principal in an SSH host
// certificate, which a CA of the user must have signed.
func PrincipalEntry(name, principal, user string, port int, more ...string) string {
	return sessionEntry(name, user, port, append(more, fmt.Sprintf("host_principals = [%q]", principal)))
}

func sessionEntry(name, user string, port int, lines []string) string {
	if user != "" {
		lines = append(lines, fmt.Sprintf("user = %q", user))
	}
	if port != 0 {
		lines = append(lines, fmt.Sprintf("port = %d", port))
	}
	var b strings.Builder
	block(&b, fmt.Sprintf("session %q", name), lines)
	return b.String()
}
