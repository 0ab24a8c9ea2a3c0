package config

import (
	"fmt"
	"strings"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

var nameFields = map[string]auth.NameField{
	auth.NameFromCommonName.String():   auth.NameFromCommonName,
	auth.NameFromSerialNumber.String(): auth.NameFromSerialNumber,
	auth.NameFromDNS.String():          auth.NameFromDNS,
}

// userTLS decodes what the user logs in with over TLS; nil if the block is
// absent, or wrong.
func (d *decoder) userTLS(b userBlock) *auth.UserTLS {
	t := single(d.problems, "tls", b.TLS, func(b userTLSBlock) hcl.Range { return b.Def })
	if t == nil {
		return nil
	}
	d.required(t.Def, t.Body, t.Certificate, "certificate", "devices are shown a certificate: a device that calls over TLS knows the gateway by it")
	d.required(t.Def, t.Body, t.Key, "key", "it is the private key of the certificate")
	u := &auth.UserTLS{Anchors: d.anchors(fmt.Sprintf("user %q", b.Name), t.CA, t.CRL)}
	pair := d.pair(t.Certificate, t.Key)
	d.nameFrom(t, u)
	if pair == nil {
		return nil
	}
	u.Certificate = *pair
	return u
}

// required reports an attribute that a block must have.
func (d *decoder) required(def hcl.Range, body hcl.Body, a *hcl.Attribute, name, hint string) {
	if a == nil {
		d.problems.missing(def, body, hint, "%s is missing", name)
	}
}

func (d *decoder) nameFrom(t *userTLSBlock, u *auth.UserTLS) {
	word := auth.NameFromNone.String()
	d.choice(t.NameFrom, []string{"common-name", "serial-number", "san-dns-name"}, &word)
	u.NameFrom = nameFields[word]
	if t.NameFrom != nil && t.CA == nil {
		d.problems.fail(t.NameFrom.Range, "set ca to the file of the CA that vouches for the names, one that is the manufacturer's alone", "name_from without ca: any device could call itself as it likes")
	}
	if s, ok := d.string(t.NameDomain); ok {
		u.NameDomain = d.domain(s)
	}
	if t.NameDomain != nil && t.NameFrom == nil {
		d.problems.warn(t.NameDomain.Range, `set name_from, as in name_from = "san-dns-name"`, "name_domain has no effect without name_from")
	}
}

// hasSSH reports whether the entry has anything for logins over SSH; what it
// lacks then is reported.
func (b userBlock) hasSSH() bool {
	return b.Username != nil || b.Password != nil || b.PrivateKey != nil || b.PrivateKeys != nil || b.Passphrase != nil ||
		b.hasHostCA() || b.LegacyAlgorithms != nil
}

func (b userBlock) hasTLS() bool { return len(b.TLS) > 0 }
func (b userBlock) hasCA() bool  { return len(b.TLS) > 0 && b.TLS[0].CA != nil }

// domain checks the name of a DNS domain or host.
func (d *decoder) domain(s item) string {
	name := strings.ToLower(strings.TrimSuffix(s.text, "."))
	if !validDomain(name) {
		d.problems.fail(s.at, `as in "gw.example.net": letters, digits and hyphens between the dots`, "%q is not a domain name", s.text)
	}
	return name
}

// validDomain reports whether a lower-case name is one of DNS. The last label
// tells it from an IPv4 address.
func validDomain(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !auth.ValidName(label) || strings.HasSuffix(label, "-") {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(name) <= 253 && strings.Trim(last, "0123456789") != ""
}
