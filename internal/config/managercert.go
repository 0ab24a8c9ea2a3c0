package config

import (
	"strings"

	"callhome-gateway/auth"
)

// certificateNames are the names by which certificates may log in as managers.
type certificateNames struct {
	maps []certToNameBlock
	// owner is the manager that goes by a name. Case matters.
	owner map[string]string
}

func newCertificateNames(f fileSchema) certificateNames {
	c := certificateNames{owner: make(map[string]string)}
	for _, b := range f.Managers {
		c.owner[b.Name] = b.Name
	}
	for _, b := range f.Gateway {
		for _, t := range b.TLS {
			c.maps = append(c.maps, t.CertToName...)
		}
	}
	return c
}

// of returns the manager's certificate_names.
func (c certificateNames) of(d *decoder, b managerBlock) (names []string) {
	for _, s := range d.list(b.CertificateNames) {
		other, taken := c.owner[s.text]
		switch {
		case !usableName(s.text):
			d.problems.fail(s.at, "it is what cert_to_name finds in a certificate: text of 255 bytes at most", "%.80q cannot be a name in a certificate", s.text)
		case taken && other == b.Name:
			d.problems.warn(s.at, "leave it out", "manager %q goes by the name %q already", b.Name, s.text)
		case taken:
			d.problems.fail(s.at, "a name leads to one manager", "manager %q goes by the name %q already", other, s.text)
		default:
			c.owner[s.text] = b.Name
			names = append(names, s.text)
		}
	}
	if len(names) > 0 && len(c.maps) == 0 {
		d.problems.warn(b.CertificateNames.Range, "add a cert_to_name block to tls in the gateway block", "certificate_names has no effect: no certificate is mapped to a name")
	}
	return names
}

// mayGive reports whether the mapping can lead to the manager: by a name that
// is specified, or by any that a certificate may have.
func (c certificateNames) mayGive(d *decoder, b managerBlock) bool {
	for _, m := range c.maps {
		word := ""
		if s, ok := d.string(m.MapType); ok {
			word = s.text
		}
		name, _ := d.string(m.Name)
		if word != string(auth.CertMapSpecified) || c.owner[name.text] == b.Name {
			return true
		}
	}
	return false
}

// usableName reports whether a certificate may give the name.
func usableName(name string) bool {
	return strings.TrimSpace(name) != "" && auth.NormalizeCertificateName(name) != ""
}
