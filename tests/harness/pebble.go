package harness

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Pebble is an ACME CA of Let's Encrypt, made for tests: it forgets everything
// when it ends, and each start has a root of its own.
type Pebble struct {
	// Directory is the URL that clients begin with, and RootPath what they check
	// its server with.
	Directory, RootPath string
	// Address is its own, also before it runs.
	Address string
	*Process

	config      string
	environment []string
	dns         string
	server      *CA
}

// ChallengePort is where it looks for the answers to its challenges: it has no
// need to be root.
const ChallengePort = "5002"

// The ports are the same on every Pebble's address.
const (
	pebblePort  = "14000"
	pebbleAdmin = "15000"
	pebbleDNS   = "8053"
)

// PreparePebble makes a CA that finds all domains at the address, and starts
// nothing. Certificates are valid for as many seconds. The environment is what
// Pebble's manual knows: it rejects 5 % of all nonces unless told otherwise.
func PreparePebble(t testing.TB, domainsAt string, validity int, environment ...string) *Pebble {
	t.Helper()
	p := &Pebble{Address: Address(t), server: NewCA(t, "CA of the ACME server"), environment: append(environment, "PEBBLE_VA_NOSLEEP=1")}
	at := func(port string) string { return net.JoinHostPort(p.Address, port) }
	p.Directory, p.RootPath, p.dns = "https://"+at(pebblePort)+"/dir", p.server.Path, at(pebbleDNS)
	shown := p.server.Issue(t, Subject{CommonName: "pebble", IPs: []net.IP{net.ParseIP(p.Address)}})
	content, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": at(pebblePort), "managementListenAddress": at(pebbleAdmin),
		"certificate": shown.Path, "privateKey": shown.KeyPath,
		"httpPort": json.Number(ChallengePort), "tlsPort": 5001, "certificateValidityPeriod": validity,
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.config = filepath.Join(t.TempDir(), "pebble.json")
	write(t, p.config, content, 0o600)
	startDNS(t, p, domainsAt)
	return p
}

// startDNS runs the name server that knows every name.
func startDNS(t testing.TB, p *Pebble, answer string) {
	t.Helper()
	server := Start(t, "pebble-challtestsrv", exec.Command("/usr/bin/pebble-challtestsrv",
		"-defaultIPv4", answer, "-defaultIPv6", "", "-dns01", p.dns, "-http01", "", "-https01", "", "-tlsalpn01", "",
		"-management", net.JoinHostPort(p.Address, "8055")))
	Eventually(t, StartTimeout, "the name server to listen", func() bool {
		if !server.Running() {
			t.Fatalf("the name server ended:\n%s", server.Output)
		}
		conn, err := net.Dial("tcp", p.dns)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// Start runs the CA and returns when it listens.
func (p *Pebble) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command("/usr/bin/pebble", "-config", p.config, "-dnsserver", p.dns, "-strict")
	cmd.Env = append(os.Environ(), p.environment...)
	p.Process = Start(t, "pebble", cmd)
	Eventually(t, StartTimeout, "pebble to listen", func() bool {
		if !p.Running() {
			t.Fatalf("pebble ended:\n%s", p.Output)
		}
		_, err := p.get("https://" + net.JoinHostPort(p.Address, pebbleAdmin) + "/roots/0")
		return err == nil
	})
}

// CA returns the root of what it issues, for those who check a certificate.
func (p *Pebble) CA(t testing.TB) *CA {
	t.Helper()
	text, err := p.get("https://" + net.JoinHostPort(p.Address, pebbleAdmin) + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	return parseCA(t, text)
}

func (p *Pebble) get(url string) ([]byte, error) {
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate)
	client := http.Client{Timeout: ReplyTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(io.LimitReader(response.Body, 1<<16))
}

// Block is the acme block for the domains.
func (p *Pebble) Block(domains ...string) string {
	return fmt.Sprintf("acme {\n  ca = %q\n  ca_root = %q\n  email = \"noc@gw.test\"\n  http_port = %s\n  agree_to_terms = true\n  domains = [%s]\n}",
		p.Directory, p.RootPath, ChallengePort, quoted(domains))
}

func quoted(list []string) string {
	var all []string
	for _, s := range list {
		all = append(all, fmt.Sprintf("%q", s))
	}
	return strings.Join(all, ", ")
}

// parseCA is a CA that somebody else has: it issues nothing here.
func parseCA(t testing.TB, text []byte) *CA {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM: %q", text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &CA{Certificate: certificate}
}
