package config

import (
	"errors"
	"slices"
	"strings"

	"callhome-gateway/auth"
)

// certNames decodes the mapping of certificates to managers.
func (d *decoder) certNames(blocks []certToNameBlock, f fileSchema) *auth.CertNames {
	var entries []auth.CertMap
	for _, b := range blocks {
		entries = append(entries, d.certMap(b, f))
	}
	names, err := auth.NewCertNames(entries)
	if err != nil && len(blocks) > 0 && !slices.ContainsFunc(blocks, func(b certToNameBlock) bool { return d.problems.failedWithin(b.Body) }) {
		d.problems.fail(blocks[0].Def, "", "%s", err)
	}
	return names
}

var certMapTypes = []string{
	string(auth.CertMapSpecified), string(auth.CertMapSANRFC822), string(auth.CertMapSANDNS),
	string(auth.CertMapSANIP), string(auth.CertMapSANAny), string(auth.CertMapCommonName),
}

func (d *decoder) certMap(b certToNameBlock, f fileSchema) (m auth.CertMap) {
	d.required(b.Def, b.Body, b.Fingerprint, "fingerprint", "it is that of the manager's certificate, or of the CA that issues it: openssl x509 -noout -fingerprint -sha256 -in FILE")
	d.required(b.Def, b.Body, b.MapType, "map_type", "it is "+alternatives(certMapTypes))
	if s, ok := d.string(b.Fingerprint); ok {
		m.Fingerprint = strings.TrimSpace(s.text)
		if _, err := auth.NewCertNames([]auth.CertMap{{Fingerprint: m.Fingerprint, Type: auth.CertMapCommonName}}); err != nil {
			d.problems.fail(s.at, `it is "SHA256:9F:86:…", as openssl x509 -noout -fingerprint -sha256 prints it, or the tls-fingerprint of RFC 7407, "04:9f:86:…"`, "%s", errors.Unwrap(err)) // which entry it is the place shows
		}
	}
	word := ""
	d.choice(b.MapType, certMapTypes, &word)
	m.Type = auth.CertMapType(word)
	name, given := d.string(b.Name)
	m.Name = name.text
	switch {
	case word == "":
	case m.Type != auth.CertMapSpecified && b.Name != nil:
		d.problems.fail(b.Name.Range, `leave it out, or set map_type = "specified"`, "the name comes out of the certificate with map_type %q", word)
	case m.Type == auth.CertMapSpecified && b.Name == nil:
		d.problems.missing(b.Def, b.Body, "it is that of a manager block", `map_type "specified" without name`)
	case m.Type == auth.CertMapSpecified && given:
		d.checkMapped(name, f)
	}
	return m
}

// checkMapped: the name must be one that a manager goes by.
func (d *decoder) checkMapped(name item, f fileSchema) {
	var known []string
	for _, b := range f.Managers {
		known = append(known, b.Name)
		for _, s := range d.list(b.CertificateNames) {
			known = append(known, s.text)
		}
	}
	if !slices.Contains(known, name.text) {
		hint := didYouMean(name.text, known)
		if hint == "" {
			hint = "name a manager block, or what is in certificate_names of one"
		}
		d.problems.fail(name.at, hint, "no manager goes by the name %q", name.text)
	}
}
