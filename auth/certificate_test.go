package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestCertificateNames(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	uri := &url.URL{Scheme: "urn", Opaque: "dev:MAC:0024BEFFFE804FF1"}
	var many []string
	for i := range 3 * maxCertificateNames {
		many = append(many, fmt.Sprintf("name-%d", i))
	}
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   []string
	}{
		"common name": {func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "Edge-1.Example"} }, []string{"edge-1.example"}},
		"everything": {func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "Edge 1", SerialNumber: "FOC1234X0YZ"}
			c.DNSNames = []string{"EDGE-1.example", "edge-1"}
			c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 10), net.ParseIP("2001:DB8::1")}
			c.URIs = []*url.URL{uri}
			c.EmailAddresses = []string{"noc@example.net"}
		}, []string{"edge 1", "foc1234x0yz", "edge-1.example", "edge-1", "192.0.2.10", "2001:db8::1", "urn:dev:mac:0024befffe804ff1"}},
		"nothing": {func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"Acme"}} }, nil},
		"what cannot be a name": {func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "edge\n1", SerialNumber: strings.Repeat("1", 300)}
			c.DNSNames = []string{"edge\x00.example", "edge-1"}
		}, []string{"edge-1"}},
		"too many": {func(c *x509.Certificate) { c.Subject, c.DNSNames = pkix.Name{}, many }, many[:maxCertificateNames]},
	} {
		tmpl := template("")
		c.change(tmpl)
		if got := CertificateNames(issue(t, tmpl, root).Certificate); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestNormalizeCertificateName(t *testing.T) {
	for in, want := range map[string]string{
		"Edge-1.Example":         "edge-1.example",
		"192.0.2.1":              "192.0.2.1",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"2001:DB8:0:0:0:0:0:1":   "2001:db8::1",
		"192.0.2.01":             "192.0.2.01",
		"Müller":                 "müller",
		"\u212Aelvin":            "\u212Aelvin", // the Kelvin sign is no "k"
		"":                       "",
		"a\nb":                   "",
		"a\u202Eb":               "", // writes from right to left
		"a\xffb":                 "",
		strings.Repeat("a", 255): strings.Repeat("a", 255),
		strings.Repeat("a", 256): "",
	} {
		got := NormalizeCertificateName(in)
		if got != want || NormalizeCertificateName(got) != got {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDeviceName(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	cert := func(change func(*x509.Certificate)) *x509.Certificate {
		c := template("")
		c.Subject = pkix.Name{}
		change(c)
		return issue(t, c, root).Certificate
	}
	commonName := func(names ...string) *x509.Certificate {
		return cert(func(c *x509.Certificate) {
			for _, name := range names {
				c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: oidCommonName, Value: name})
			}
		})
	}
	dns := func(names ...string) *x509.Certificate {
		return cert(func(c *x509.Certificate) { c.DNSNames = names })
	}
	serial := cert(func(c *x509.Certificate) { c.Subject.SerialNumber = "FOC1234X0YZ" })
	for _, c := range []struct {
		from   NameField
		domain string
		cert   *x509.Certificate
		want   string
		says   string
	}{
		{NameFromCommonName, "", commonName("edge-1"), "edge-1", ""},
		{NameFromCommonName, "", commonName("EDGE-1"), "edge-1", ""},
		{NameFromCommonName, "example.net", commonName("Edge-1.Example.Net"), "edge-1", ""},
		{NameFromCommonName, "Example.net", commonName("edge-1.example.net"), "edge-1", ""},
		{NameFromCommonName, "example.net", commonName("edge-1"), "edge-1", ""},
		{NameFromCommonName, "example.net", commonName("edge-1.example.net.example.net"), "", "no device name"},
		{NameFromCommonName, "example.net", commonName("edge-1example.net"), "", "no device name"},
		{NameFromCommonName, "example.net", commonName("edge-1.example.org"), "", "no device name"},
		{NameFromCommonName, "example.net", commonName(".example.net"), "", "no device name"},
		{NameFromCommonName, "", commonName("edge-1.example.net"), "", "no device name"},
		{NameFromCommonName, "", commonName(" edge-1"), "", "no device name"},
		{NameFromCommonName, "", commonName("edge-1\n"), "", `"edge-1\n"`},
		{NameFromCommonName, "", commonName("\u212Aelvin"), "", "no device name"},
		{NameFromCommonName, "", commonName(strings.Repeat("a", 64)), "", "63 at most"},
		{NameFromCommonName, "", commonName("edge-1", "edge-2"), "", "2 values of common-name"},
		{NameFromCommonName, "", dns("edge-1"), "", "no common-name"},
		{NameFromSerialNumber, "", serial, "foc1234x0yz", ""},
		{NameFromSerialNumber, "", commonName("edge-1"), "", "no serial-number"},
		{NameFromDNS, "", dns("edge-1"), "edge-1", ""},
		{NameFromDNS, "example.net", dns("edge-1.example.net"), "edge-1", ""},
		{NameFromDNS, "", dns("edge-1", "edge-2"), "", "2 values of san-dns-name"},
		{NameFromDNS, "", dns("edge-1", "edge-1"), "", "2 values of san-dns-name"},
		{NameFromDNS, "", dns("*"), "", "no device name"},
		{NameFromDNS, "", commonName("edge-1"), "", "no san-dns-name"},
		{NameFromNone, "", commonName("edge-1"), "", "no none"},
	} {
		got, err := (&UserTLS{NameFrom: c.from, NameDomain: c.domain}).DeviceName(c.cert)
		if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v of %v %v: %q, %v; want %q, %q", c.from, c.cert.Subject, c.cert.DNSNames, got, err, c.want, c.says)
		}
	}
}

// alternatives is a subjectAltName in an order that crypto/x509 does not write.
func alternatives(names ...altName) pkix.Extension {
	var sequence []asn1.RawValue
	for _, n := range names {
		sequence = append(sequence, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: int(n.kind), Bytes: []byte(n.value)})
	}
	der, err := asn1.Marshal(sequence)
	if err != nil {
		panic(err) // not with raw values
	}
	return pkix.Extension{Id: oidSubjectAltName, Value: der}
}

func TestParseAltNames(t *testing.T) {
	der := alternatives(altName{altDNS, "b"}, altName{4, "a directory name"}, altName{altIP, "\xc0\x00\x02\x01"}, altName{altDNS, "a"}, altName{altIP, "short"}).Value
	got := parseAltNames(der)
	if want := []altName{{altDNS, "b"}, {altIP, "192.0.2.1"}, {altDNS, "a"}, {altIP, ""}}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for cut := range der {
		parseAltNames(der[:cut])
	}
	if got := parseAltNames([]byte{0x30, 5, 0x82, 1, 'a', 0x82, 9}); !slices.Equal(got, []altName{{altDNS, "a"}}) {
		t.Errorf("of a damaged one %q", got)
	}
}
