package config

import (
	"slices"
	"strings"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

// expected are the names of which the certificate that a device shows over one
// transport must have one.
type expected struct {
	list *hcl.Attribute
	// word is what one of them is called, and what what it can be.
	word, what string
	// by tells which entry expects a name.
	by map[string]string
	// hasCA tells whether a user vouches for such certificates, and missing what
	// to do where it does not.
	hasCA   func(userBlock) bool
	missing string
}

// certificateNames reads the names that a device's certificate must have one of.
func (d *decoder) certificateNames(b sessionBlock, checks sessionChecks) []string {
	return d.expectedNames(b, expected{
		list: b.CertificateNames, word: "name", by: checks.expected,
		what:  "it is the common name, a DNS name, an IP address or a URI of the subjectAltName, or the serialNumber of the subject",
		hasCA: userBlock.hasCA, missing: `set ca in the tls block of the user, to the file of the CA that issues the devices' certificates`,
	})
}

// hostPrincipals is the same for SSH host certificates.
func (d *decoder) hostPrincipals(b sessionBlock, checks sessionChecks) []string {
	return d.expectedNames(b, expected{
		list: b.HostPrincipals, word: "principal", by: checks.principals,
		what:  "it is what ssh-keygen -n puts into a certificate: text of 255 bytes at most",
		hasCA: userBlock.hasHostCA, missing: `add host_ca { keys = [file("keys/host-ca.pub")] } to the user, with the key of the CA that signs the devices' host certificates`,
	})
}

func (d *decoder) expectedNames(b sessionBlock, x expected) (names []string) {
	for _, s := range d.list(x.list) {
		name := auth.NormalizeCertificateName(s.text)
		if !usableName(name) {
			d.problems.fail(s.at, x.what, "%.80q cannot be a %s in a certificate", s.text, x.word)
			continue
		}
		if strings.Contains(name, "*") {
			d.problems.warn(s.at, "write the name of the one device", "%q is compared as it is: * stands for nothing else", s.text)
		}
		if other, ok := x.by[name]; ok {
			d.problems.fail(s.at, "a "+x.word+" belongs to one device", "session %q expects the %s %q as well", other, x.word, s.text)
			continue
		}
		x.by[name] = b.Name
		names = append(names, name)
	}
	d.notEmpty(x.list)
	if names != nil {
		d.checkExpected(b, x)
	}
	return names
}

// checkExpected: a name counts for nothing unless a CA vouches for it.
func (d *decoder) checkExpected(b sessionBlock, x expected) {
	at := x.list.Range
	if b.HostKeys != nil || b.Certificates != nil || b.CertificateKeys != nil {
		d.problems.warn(at, "pins are not widened by a CA: leave one of them out", "%s has no effect: session %q pins keys", x.list.Name, b.Name)
		return
	}
	if s, ok := d.string(b.User); ok {
		if u, known := d.userBlocks[s.text]; known && !x.hasCA(u) {
			d.problems.fail(at, x.missing, "%s needs a CA, and user %q has none", x.list.Name, s.text)
		}
		return
	}
	if b.User == nil && !slices.ContainsFunc(d.callhomeUserBlocks, x.hasCA) {
		d.problems.fail(at, x.missing, "%s needs a CA, and none of the callhome users has one", x.list.Name)
	}
}
