package config

import (
	"crypto/tls"
	"fmt"
	"slices"

	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
)

// ServerTLS says which certificate the TLS endpoints show: that of the files,
// one from ACME, or else one that the gateway makes and signs itself.
type ServerTLS struct {
	// Certificate and Key are paths, as seen from the process; empty without files.
	Certificate, Key string
	// Pair is what they held when the configuration was read; nil without
	// files, and where they are missing and Options.Offline allows that.
	Pair *tls.Certificate
	ACME *ACME // or nil
}

// maxDomain leaves 63 and a dot of what DNS has for a name.
const maxDomain = 253 - 1 - 63

// gatewayTLS decodes what the TLS endpoints need. A gateway without such
// endpoints gets no TLSOptions, whatever the block says.
func (d *decoder) gatewayTLS(c *Config, b *gatewayBlock, f fileSchema) {
	if s, ok := d.string(b.Domain); ok {
		c.Gateway.Domain = d.domain(s)
		if len(s.text) > maxDomain {
			d.problems.fail(s.at, "", "domain must leave room for the names of devices: it has %d characters, and %d is the most", len(s.text), maxDomain)
		}
	}
	t := single(d.problems, "tls", b.TLS, func(b serverTLSBlock) hcl.Range { return b.Def })
	options := &gateway.TLSOptions{}
	if t != nil {
		d.serverCertificate(c, t)
		options.Anchors = d.anchors("the managers", t.ClientCA, t.CRL)
		options.Names = d.certNames(t.CertToName, f)
	}
	d.checkTLSPorts(c, b, t, f)
	if t != nil && len(t.CertToName) > 0 {
		d.serverTLS = options
	}
	if c.Gateway.TLSPort != 0 || slices.ContainsFunc(c.Gateway.Devices, func(d gateway.DeviceConfig) bool { return d.TLSPort != 0 }) {
		c.Gateway.TLS = options
	}
}

func (d *decoder) serverCertificate(c *Config, t *serverTLSBlock) {
	acme := single(d.problems, "acme", t.ACME, func(b acmeBlock) hcl.Range { return b.Def })
	switch {
	case acme != nil && t.Certificate != nil:
		d.problems.fail(t.Certificate.Range, "leave out the acme block or certificate and key", "the certificate cannot come from a file and from ACME")
	case t.Certificate == nil && t.Key != nil:
		d.problems.fail(t.Key.Range, "set both or neither: without them the gateway makes its own", "key without certificate")
	case t.Certificate != nil && t.Key == nil:
		d.problems.fail(t.Certificate.Range, "set both or neither: without them the gateway makes its own", "certificate without key")
	case t.Certificate != nil:
		c.TLS.Pair = d.pair(t.Certificate, t.Key)
		certificate, _ := d.string(t.Certificate)
		key, _ := d.string(t.Key)
		c.TLS.Certificate, c.TLS.Key = d.path(certificate.text), d.path(key.text)
		d.checkCertificateNames(c, t.Certificate)
	}
	if acme != nil {
		c.TLS.ACME = d.acme(c, acme)
	}
}

// checkCertificateNames warns where managers that check names would refuse the
// certificate on the shared endpoint.
func (d *decoder) checkCertificateNames(c *Config, a *hcl.Attribute) {
	if c.TLS.Pair == nil || c.Gateway.Domain == "" {
		return
	}
	names := []string{"device"} // any: a wildcard covers it
	if len(c.Gateway.Devices) > 0 {
		names = nil
		for _, device := range c.Gateway.Devices {
			names = append(names, device.Name)
		}
	}
	for _, name := range names {
		host := name + "." + c.Gateway.Domain
		if c.TLS.Pair.Leaf.VerifyHostname(host) != nil {
			d.problems.warn(a.Expr.Range(), fmt.Sprintf("get one for *.%s", c.Gateway.Domain), "the certificate is not for %s: managers that check names refuse it on gateway.tls_port", host)
			return
		}
	}
}

// checkTLSPorts finds TLS endpoints that nobody can use.
func (d *decoder) checkTLSPorts(c *Config, b *gatewayBlock, t *serverTLSBlock, f fileSchema) {
	port := firstTLSPort(c, b, f)
	switch {
	case port == nil:
		return
	case t == nil:
		d.problems.fail(port.Range, tlsHint, noServerTLS)
	case len(t.CertToName) == 0 && !d.problems.failedWithin(t.Body):
		d.problems.fail(t.Def, tlsHint, "there is no cert_to_name block: no certificate makes anybody a manager")
	}
	if b.TLSPort != nil && c.Gateway.TLSPort != 0 && b.Domain == nil {
		d.problems.fail(b.TLSPort.Range, `set domain, as in domain = "gw.example.net": managers reach edge-1 as edge-1.gw.example.net`, "tls_port without domain: managers cannot say which device they want")
	}
	if b.Domain != nil && c.Gateway.TLSPort == 0 {
		d.problems.warn(b.Domain.Range, "set tls_port in the gateway block", "domain has no effect without the shared tls_port")
	}
}

// checkTLSBlock warns of a block that serves no endpoint.
func (d *decoder) checkTLSBlock(f fileSchema, c *Config) {
	if c.Gateway.TLS == nil && len(f.Gateway) > 0 && len(f.Gateway[0].TLS) > 0 {
		d.problems.warn(f.Gateway[0].TLS[0].Def, "set tls_port in the gateway block (one for all devices) or in a session", "the tls block has no effect: there is no tls_port")
	}
}

const noServerTLS = "tls_port without a tls block in the gateway block: nobody can come in"

const tlsHint = `add tls { client_ca = "pki/managers-ca.pem", … } with a cert_to_name block, or a cert_to_name block with the fingerprint of a manager's certificate`

// firstTLSPort returns the attribute of a TLS endpoint, or nil without any.
func firstTLSPort(c *Config, b *gatewayBlock, f fileSchema) *hcl.Attribute {
	if c.Gateway.TLSPort != 0 {
		return b.TLSPort
	}
	for i, device := range c.Gateway.Devices {
		if device.TLSPort != 0 {
			return f.Sessions[i].TLSPort
		}
	}
	return nil
}
