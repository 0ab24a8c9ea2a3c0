package config

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

const (
	// DefaultACMECA is the directory of Let's Encrypt.
	DefaultACMECA = "https://acme-v02.api.letsencrypt.org/directory"
	// DefaultHTTPPort is where a CA looks for the answer (RFC 8555 section 8.3).
	DefaultHTTPPort = 80
)

// ACME says from whom the certificates of the TLS endpoints are obtained, by
// the HTTP-01 challenge of RFC 8555.
type ACME struct {
	// CA is the URL of the directory.
	CA string
	// Roots are what the CA's own server is checked with; nil means the system's.
	Roots *x509.CertPool
	Email string
	// Domains each get a certificate. The first one's is shown to managers that
	// ask for none of them.
	Domains []string
	// HTTPPort is where the challenges are answered, on the gateway's address.
	HTTPPort uint16
}

func (d *decoder) acme(c *Config, b *acmeBlock) *ACME {
	a := &ACME{CA: DefaultACMECA, HTTPPort: DefaultHTTPPort, Domains: d.acmeDomains(b)}
	d.directory(b.CA, &a.CA)
	if roots := d.certificates(b.CARoot); roots != nil {
		a.Roots = x509.NewCertPool()
		for _, root := range roots {
			a.Roots.AddCert(root)
		}
	}
	if s, ok := d.string(b.Email); ok {
		a.Email = s.text
		if at := strings.Index(s.text, "@"); at < 1 || at == len(s.text)-1 || strings.ContainsAny(s.text, " \t\r\n,<>") {
			d.problems.fail(s.at, `as in "noc@example.net": the CA writes to it when something is wrong`, "%q is not an email address", s.text)
		}
	}
	d.port(b.HTTPPort, 1, &a.HTTPPort)
	agreed := false
	d.bool(b.AgreeToTerms, &agreed)
	if !agreed {
		d.problems.missing(b.Def, b.Body, "read the terms of service of the CA and set agree_to_terms = true", "nobody has agreed to the terms of the CA")
	}
	d.checkACMEDomains(c, b, a)
	if c.Gateway.Address.IsLoopback() && !onThisMachine(a.CA) {
		d.problems.warn(b.Def, `set address in the gateway block, as in address = "0.0.0.0"`, "the CA cannot reach http_port on %s to check the domains", c.Gateway.Address)
	}
	return a
}

// onThisMachine is for CAs of labs.
func onThisMachine(ca string) bool {
	u, err := url.Parse(ca)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
}

// directory checks the URL of a CA.
func (d *decoder) directory(a *hcl.Attribute, to *string) {
	s, ok := d.string(a)
	if !ok {
		return
	}
	u, err := url.Parse(s.text)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		d.problems.fail(s.at, `as in "`+DefaultACMECA+`": the whole URL of the directory, with https`, "%q is not the URL of an ACME directory", s.text)
		return
	}
	*to = s.text
}

// acmeDomains refuses what the HTTP-01 challenge cannot prove.
func (d *decoder) acmeDomains(b *acmeBlock) (domains []string) {
	seen := make(map[string]bool)
	for _, s := range d.list(b.Domains) {
		name := strings.ToLower(strings.TrimSuffix(s.text, "."))
		switch {
		case looksLikeIP(s.text):
			d.problems.fail(s.at, "give a domain name that leads to this machine", "%q is an address, and certificates are obtained for names", s.text)
		case strings.Contains(s.text, "*"):
			d.problems.fail(s.at, "name each device as edge-1.gw.example.net, or set certificate and key to files", "%q is a wildcard, which the HTTP-01 challenge cannot prove", s.text)
		case !validDomain(name) || !strings.Contains(name, "."):
			d.problems.fail(s.at, `as in "edge-1.gw.example.net"`, "%q is not a domain name", s.text)
		case seen[name]:
			d.problems.fail(s.at, "", "%q is listed twice", s.text)
		default:
			seen[name] = true
			domains = append(domains, name)
		}
	}
	if emptyList(b.Domains) {
		d.problems.missing(b.Def, b.Body, `name them, as in domains = ["gw.example.net", "edge-1.gw.example.net"]`, "acme without domains to get certificates for")
	}
	return domains
}

// checkACMEDomains warns where managers that check names would refuse what they
// are shown on the shared endpoint.
func (d *decoder) checkACMEDomains(c *Config, b *acmeBlock, a *ACME) {
	if c.Gateway.TLSPort == 0 || c.Gateway.Domain == "" || len(a.Domains) == 0 || d.problems.failedWithin(b.Body) {
		return
	}
	for _, name := range a.Domains {
		if strings.HasSuffix(name, "."+c.Gateway.Domain) {
			return
		}
	}
	d.problems.warn(b.Domains.Expr.Range(), "add each device as edge-1."+c.Gateway.Domain, "no domain is a device's under %s: managers that check names refuse the certificate on gateway.tls_port", c.Gateway.Domain)
}
