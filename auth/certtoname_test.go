package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"
)

func certNames(t testing.TB, entries ...CertMap) *CertNames {
	t.Helper()
	c, err := NewCertNames(entries)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCertNamesTypes(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	anchor := CertificateIdentity(root.Certificate).Fingerprint
	ip6 := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\xAB"
	for name, c := range map[string]struct {
		entry CertMap
		alts  []altName
		want  string
	}{
		"specified":                      {CertMap{Type: CertMapSpecified, Name: "Noc"}, nil, "Noc"},
		"common name":                    {CertMap{Type: CertMapCommonName}, nil, "Alice"},
		"mail":                           {CertMap{Type: CertMapSANRFC822}, []altName{{altDNS, "a.example"}, {altRFC822, "Alice@Example.NET"}, {altRFC822, "b@example.net"}}, "Alice@example.net"},
		"mail with two at signs":         {CertMap{Type: CertMapSANRFC822}, []altName{{altRFC822, `"A@B"@Example.NET`}}, `"A@B"@example.net`},
		"mail without a domain":          {CertMap{Type: CertMapSANRFC822}, []altName{{altRFC822, "alice@"}}, ""},
		"mail without a person":          {CertMap{Type: CertMapSANRFC822}, []altName{{altRFC822, "@example.net"}}, ""},
		"mail without an at sign":        {CertMap{Type: CertMapSANRFC822}, []altName{{altRFC822, "alice"}}, ""},
		"no mail":                        {CertMap{Type: CertMapSANRFC822}, []altName{{altDNS, "a.example"}}, ""},
		"DNS":                            {CertMap{Type: CertMapSANDNS}, []altName{{altRFC822, "a@b"}, {altDNS, "NOC.Example"}}, "noc.example"},
		"no DNS":                         {CertMap{Type: CertMapSANDNS}, nil, ""},
		"DNS with a control character":   {CertMap{Type: CertMapSANDNS}, []altName{{altDNS, "noc\x00.example"}, {altDNS, "noc.example"}}, ""},
		"DNS that is empty":              {CertMap{Type: CertMapSANDNS}, []altName{{altDNS, ""}}, ""},
		"DNS of 255 bytes":               {CertMap{Type: CertMapSANDNS}, []altName{{altDNS, strings.Repeat("a", 255)}}, strings.Repeat("a", 255)},
		"DNS of 256 bytes":               {CertMap{Type: CertMapSANDNS}, []altName{{altDNS, strings.Repeat("a", 256)}}, ""},
		"IPv4":                           {CertMap{Type: CertMapSANIP}, []altName{{altIP, "\xc0\x00\x02\x0a"}}, "192.0.2.10"},
		"IPv6":                           {CertMap{Type: CertMapSANIP}, []altName{{altIP, ip6}}, "20010db80000000000000000000000ab"},
		"IPv4 in IPv6":                   {CertMap{Type: CertMapSANIP}, []altName{{altIP, strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x0a"}}, "00000000000000000000ffffc000020a"},
		"no IP":                          {CertMap{Type: CertMapSANIP}, []altName{{altDNS, "192.0.2.1"}}, ""},
		"any: mail first":                {CertMap{Type: CertMapSANAny}, []altName{{altRFC822, "A@B"}, {altDNS, "noc"}}, "A@b"},
		"any: DNS first":                 {CertMap{Type: CertMapSANAny}, []altName{{altDNS, "noc"}, {altRFC822, "A@B"}}, "noc"},
		"any: IP first":                  {CertMap{Type: CertMapSANAny}, []altName{{altIP, "\xc0\x00\x02\x0a"}, {altDNS, "noc"}}, "192.0.2.10"},
		"any: a URI does not count":      {CertMap{Type: CertMapSANAny}, []altName{{altURI, "urn:x"}, {altDNS, "noc"}}, "noc"},
		"any: a URI alone":               {CertMap{Type: CertMapSANAny}, []altName{{altURI, "urn:x"}}, ""},
		"any: the first is of no use":    {CertMap{Type: CertMapSANAny}, []altName{{altRFC822, "alice"}, {altDNS, "noc"}}, ""},
		"any: there are no alternatives": {CertMap{Type: CertMapSANAny}, nil, ""},
	} {
		tmpl := template("Alice")
		if c.alts != nil {
			tmpl.ExtraExtensions = []pkix.Extension{alternatives(c.alts...)}
		}
		leaf := issue(t, tmpl, root).Certificate
		c.entry.Fingerprint = anchor
		got, ok := certNames(t, c.entry).Name(certs{leaf, root.Certificate})
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, ok, c.want)
		}
	}
}

func TestCommonNameIsTheOnlyOne(t *testing.T) {
	for want, names := range map[string][]string{"Alice": {"Alice"}, "": {"Alice", "Bob"}} {
		tmpl := template("")
		tmpl.Subject = pkix.Name{}
		for _, name := range names {
			tmpl.Subject.ExtraNames = append(tmpl.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: oidCommonName, Value: name})
		}
		leaf := issue(t, tmpl, nil).Certificate
		got, _ := certNames(t, CertMap{Fingerprint: CertificateIdentity(leaf).Fingerprint, Type: CertMapCommonName}).Name(certs{leaf})
		if got != want {
			t.Errorf("%q: %q", names, got)
		}
	}
}

func TestCertNamesOrderAndFingerprints(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	middle := issue(t, caTemplate("middle"), root)
	other := issue(t, caTemplate("other"), nil)
	leaf := issue(t, template("Alice"), middle).Certificate
	chain := certs{leaf, middle.Certificate, root.Certificate}

	of := func(cert *x509.Certificate) string { return CertificateIdentity(cert).Fingerprint }
	s384, s512 := sha512.Sum384(middle.Raw), sha512.Sum512(root.Raw)
	s256 := sha256.Sum256(leaf.Raw)
	specified := func(fingerprint, name string) CertMap { return CertMap{fingerprint, CertMapSpecified, name} }
	for name, c := range map[string]struct {
		entries []CertMap
		want    string
		pins    bool
	}{
		"nothing":                     {nil, "", false},
		"the certificate":             {[]CertMap{specified(of(leaf), "a")}, "a", true},
		"its CA":                      {[]CertMap{specified(of(middle.Certificate), "a")}, "a", false},
		"the anchor":                  {[]CertMap{specified(of(root.Certificate), "a")}, "a", false},
		"another":                     {[]CertMap{specified(of(other.Certificate), "a")}, "", false},
		"the first that fits":         {[]CertMap{specified(of(other.Certificate), "a"), specified(of(root.Certificate), "b"), specified(of(leaf), "c")}, "b", true},
		"the next one":                {[]CertMap{{of(root.Certificate), CertMapSANDNS, ""}, {of(root.Certificate), CertMapCommonName, ""}}, "Alice", false},
		"SHA-256, as RFC 7407 has it": {[]CertMap{specified("04:"+colonHex(s256[:]), "a")}, "a", true},
		"SHA-384":                     {[]CertMap{specified("05:"+colonHex(s384[:]), "a")}, "a", false},
		"SHA-512":                     {[]CertMap{specified("06"+hex.EncodeToString(s512[:]), "a")}, "a", false},
		"a name that only pins":       {[]CertMap{{of(leaf), CertMapSANDNS, ""}}, "", true},
	} {
		names := certNames(t, c.entries...)
		got, ok := names.Name(chain)
		if got != c.want || ok != (c.want != "") || names.Pins(leaf) != c.pins {
			t.Errorf("%s: %q, %v, pinned: %v", name, got, ok, names.Pins(leaf))
		}
	}
	if name, ok := certNames(t, specified(of(leaf), "a")).Name(nil); ok {
		t.Errorf("no certificate is named %q", name)
	}
	var none *CertNames
	if _, ok := none.Name(chain); ok || none.Pins(leaf) {
		t.Error("no list names somebody")
	}
}

func TestNewCertNamesRefuses(t *testing.T) {
	for want, entry := range map[string]CertMap{
		"entry 2: \"x\" is no fingerprint":       {"x", CertMapSpecified, "noc"},
		"begins with 02":                         {"02" + strings.Repeat(":ab", 20), CertMapSpecified, "noc"},
		`"san-uri" is no map type`:               {testPrint, "san-uri", ""},
		`"" is no map type`:                      {testPrint, "", "noc"},
		`"" cannot be a name`:                    {testPrint, CertMapSpecified, ""},
		`"a\nb" cannot be a name`:                {testPrint, CertMapSpecified, "a\nb"},
		"only the map type specified has a name": {testPrint, CertMapCommonName, "noc"},
	} {
		_, err := NewCertNames([]CertMap{{testPrint, CertMapSpecified, "noc"}, entry})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Whatever is in a certificate and in the list, there is a name that can be
// logged, or none. What is no certificate is taken for a subjectAltName.
func FuzzCertNames(f *testing.F) {
	root := issue(f, caTemplate("root"), nil)
	tmpl := template("Alice")
	tmpl.ExtraExtensions = []pkix.Extension{alternatives(altName{altRFC822, "A@B"}, altName{altIP, "\xc0\x00\x02\x01"}, altName{altDNS, "noc"}, altName{altURI, "urn:x"})}
	leaf := issue(f, tmpl, root).Certificate
	f.Add(leaf.Raw, testPrint, "specified", "noc")
	f.Add(root.Raw, "04:"+testPrint[7:], "common-name", "")
	f.Add(tmpl.ExtraExtensions[0].Value, testHex, "san-any", "")
	f.Add([]byte{0x30, 2, 0x87, 0}, "05:00", "san-ip-address", "")
	f.Fuzz(func(t *testing.T, der []byte, fingerprint, mapType, name string) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			cert = &x509.Certificate{Raw: der, Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: der}}}
		}
		own := CertificateIdentity(cert).Fingerprint
		for _, entry := range []CertMap{
			{fingerprint, CertMapType(mapType), name},
			{own, CertMapType(mapType), name},
			{own, CertMapSANRFC822, ""}, {own, CertMapSANDNS, ""}, {own, CertMapSANIP, ""}, {own, CertMapSANAny, ""}, {own, CertMapCommonName, ""},
		} {
			names, err := NewCertNames([]CertMap{entry})
			if err != nil {
				continue
			}
			got, ok := names.Name(certs{cert})
			if ok != (got != "") || len(got) > maxCertificateName || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\x1b") {
				t.Errorf("%+v: %q, %v", entry, got, ok)
			}
			if entry.Fingerprint == own && !names.Pins(cert) {
				t.Error("not pinned")
			}
		}
		fuzzedNames(t, cert)
	})
}

// fuzzedNames checks what a session entry and a device's name are found by.
func fuzzedNames(t *testing.T, cert *x509.Certificate) {
	names := CertificateNames(cert)
	if len(names) > maxCertificateNames {
		t.Errorf("%d names", len(names))
	}
	for _, name := range names {
		if name == "" || NormalizeCertificateName(name) != name {
			t.Errorf("%q is not normal", name)
		}
	}
	for _, from := range []NameField{NameFromCommonName, NameFromSerialNumber, NameFromDNS} {
		if name, err := (&UserTLS{NameFrom: from}).DeviceName(cert); (err == nil) != ValidName(name) {
			t.Errorf("%v: %q, %v", from, name, err)
		}
	}
}
