package harness

import (
	"fmt"
	"strings"
	"testing"
)

// DeviceTLS is what the TLS side of a device is made of.
type DeviceTLS struct {
	// Certificate is what it shows.
	Certificate Certificate
	// Logins is the CA whose certificates may log in to it.
	Logins *CA
	// Login is such a certificate, under the name of a user of the device.
	Login Certificate
}

// NewDeviceTLS makes a self-signed certificate for a device, as it comes from
// the factory, and a login for this user.
func NewDeviceTLS(t testing.TB, username string) *DeviceTLS {
	t.Helper()
	logins := NewCA(t, "CA of the logins")
	return &DeviceTLS{
		Certificate: SelfSigned(t, Subject{CommonName: "device"}),
		Logins:      logins, Login: logins.Issue(t, Subject{CommonName: username}),
	}
}

// TLSUserEntry is a user entry with a client certificate. More lines, such as
// the CA of devices, go into its tls block as they are.
func TLSUserEntry(name string, login Certificate, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "user %q {\n", name)
	block(&b, "tls", append([]string{fmt.Sprintf("certificate = %q", login.Path), fmt.Sprintf("key = %q", login.KeyPath)}, more...))
	return b.String() + "}\n"
}
