package harness

import (
	"fmt"
	"strings"
	"testing"
)

// Config is what a test wants of the gateway. Lines and blocks are HCL. The
// harness adds addresses, the state directory, and a manager that may reach
// every device.
type Config struct {
	// Address is where the gateway listens; empty for a loopback address of
	// its own.
	Address string
	// Callhome and Gateway are lines for the blocks of these names.
	Callhome []string
	Gateway  []string
	// Blocks are whole blocks: users, sessions, managers.
	Blocks []string
	// PKI is for the TLS endpoints; nil for one of its own.
	PKI *PKI
	// TLS are the lines of the tls block in the gateway block. Where there are
	// none, it shows the PKI's server certificate, and takes the common name of
	// those of its managers for the manager's.
	TLS []string
	// Plain runs a gateway without the race detector.
	Plain bool
	// Files is how many files the gateway may have open; 0 for as many as others.
	Files int
}

const (
	// CallHomePort and SharedPort are the same on every gateway: each has a
	// loopback address of its own.
	CallHomePort = "4334"
	SharedPort   = "2830"
	// CallHomeTLSPort and SharedTLSPort are those for TLS.
	CallHomeTLSPort = "4335"
	SharedTLSPort   = "6513"
	// Domain is what device names stand before in SNI.
	Domain = "gw.test"

	managerName = "noc"

	// Password is that of every device and manager: no log may hold it.
	Password = "only-for-tests"
)

func (c Config) render(t testing.TB, address, stateDir string, managerKey Key) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "state_dir = %q\n", stateDir)
	block(&b, "callhome", append([]string{"enabled = true", fmt.Sprintf("address = %q", address), "port = " + CallHomePort, "tls_port = " + CallHomeTLSPort}, c.Callhome...))
	block(&b, "gateway", append(c.gateway(address), c.Gateway...))
	block(&b, fmt.Sprintf("manager %q", managerName), []string{
		fmt.Sprintf("password_hash = %q", PasswordHash(t, Password)),
		fmt.Sprintf("authorized_keys = [%q]", managerKey.AuthorizedKey()),
		`devices = ["*"]`,
	})
	block(&b, "log", []string{`level = "debug"`})
	for _, more := range c.Blocks {
		b.WriteString(more)
	}
	return b.String()
}

// ManagerEntry is the block of a further manager, which logs in by Password and
// may reach every device.
func ManagerEntry(t testing.TB, name string, lines ...string) string {
	t.Helper()
	var b strings.Builder
	block(&b, fmt.Sprintf("manager %q", name), append([]string{
		fmt.Sprintf("password_hash = %q", PasswordHash(t, Password)), `devices = ["*"]`,
	}, lines...))
	return b.String()
}

func (c Config) gateway(address string) []string {
	inTLS := c.TLS
	if inTLS == nil {
		inTLS = append(c.PKI.ServerLines(), c.PKI.MapLines()...)
	}
	var tls strings.Builder
	block(&tls, "tls", inTLS)
	return []string{
		fmt.Sprintf("address = %q", address), "port = " + SharedPort, `ports = "20100-29999"`,
		"tls_port = " + SharedTLSPort, fmt.Sprintf("domain = %q", Domain), tls.String(),
	}
}

func block(b *strings.Builder, head string, lines []string) {
	fmt.Fprintf(b, "%s {\n", head)
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", line)
	}
	b.WriteString("}\n")
}
