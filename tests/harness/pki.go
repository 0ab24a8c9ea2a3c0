package harness

import (
	"fmt"
	"testing"
)

// PKI is what managers and the TLS endpoints of a gateway know each other by.
type PKI struct {
	// Servers has issued the gateway's certificate, Server.
	Servers *CA
	Server  Certificate
	// Managers issues those of managers.
	Managers *CA
	// Manager is that of the manager who may reach every device.
	Manager Certificate
}

// serverName is a name in the gateway's certificate, for managers that send
// no SNI; the others name the device.
const serverName = "localhost"

// NewPKI makes all of them.
func NewPKI(t testing.TB) *PKI {
	t.Helper()
	p := &PKI{Servers: NewCA(t, "CA of the servers"), Managers: NewCA(t, "CA of the managers")}
	p.Server = p.NewServer(t)
	p.Manager = p.Managers.Issue(t, Subject{CommonName: managerName})
	return p
}

// NewServer issues another certificate for the gateway.
func (p *PKI) NewServer(t testing.TB) Certificate {
	t.Helper()
	return p.Servers.Issue(t, Subject{CommonName: "gateway", DNS: []string{serverName, "*." + Domain}})
}

// ServerLines are the lines of a tls block that say what the gateway shows.
func (p *PKI) ServerLines() []string {
	return []string{fmt.Sprintf("certificate = %q", p.Server.Path), fmt.Sprintf("key = %q", p.Server.KeyPath)}
}

// MapLines are those that say who managers are.
func (p *PKI) MapLines() []string {
	return []string{
		fmt.Sprintf("client_ca = %q", p.Managers.Path),
		CertToName(p.Managers.MapFingerprint(), "common-name", ""),
	}
}

// CertToName is a cert_to_name block.
func CertToName(fingerprint, mapType, name string) string {
	lines := fmt.Sprintf("cert_to_name {\n  fingerprint = %q\n  map_type = %q\n", fingerprint, mapType)
	if name != "" {
		lines += fmt.Sprintf("  name = %q\n", name)
	}
	return lines + "}"
}
