package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

const (
	testHex   = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // sha256("test")
	testPrint = "SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
)

func TestParseCertificateFingerprint(t *testing.T) {
	colons := strings.TrimPrefix(testPrint, "SHA256:")
	for in, want := range map[string]string{
		testPrint:                             "",
		colons:                                "",
		strings.ToLower(testPrint):            "",
		testHex:                               "",
		strings.ToUpper(testHex):              "",
		"SHA256:" + testHex:                   "",
		"sha256 Fingerprint=" + colons:        "",
		"SHA256 Fingerprint=" + colons:        "",
		"SHA2-256(stdin)= " + testHex:         "",
		"(stdin)= " + strings.ToLower(colons): "",
		"sha256 fingerprint=" + testHex:       "",
		" " + colons + "\n":                   "",
		"":                                    "no fingerprint",
		"SHA256:":                             "no fingerprint",
		colons[:len(colons)-3]:                "31 bytes",
		colons + ":00":                        "33 bytes",
		colons[:len(colons)-1]:                "no fingerprint",
		strings.Replace(colons, ":", "", 1):   "no fingerprint",
		strings.Replace(colons, "9F:86", "9:F86", 1):         "no fingerprint",
		strings.Repeat(colons+":", 3000):                     "no fingerprint",
		colons[:59]:                                          "SHA-1 fingerprint",
		"SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY": "SSH key",
		"SHA1 Fingerprint=" + colons[:59]:                    "no fingerprint",
		"zz" + testHex[2:]:                                   "no fingerprint",
		"\x00\n":                                             "no fingerprint",
	} {
		got, err := ParseCertificateFingerprint(in)
		switch {
		case want == "" && (err != nil || got != testPrint):
			t.Errorf("%q: %q, %v", in, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.100q: %q, %v; want %q", in, got, err, want)
		case err != nil && (len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x00\n")):
			t.Errorf("%q", err)
		}
	}
}

func FuzzCertificateFingerprint(f *testing.F) {
	for _, s := range []string{testPrint, testHex, "sha256 Fingerprint=9F:86", "SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY", "04:" + testPrint[7:], "ſha256:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseCertificateFingerprint(s)
		if err == nil {
			id := Identity{Fingerprint: got}
			again, err := ParseCertificateFingerprint(got)
			if again != got || err != nil || len(id.Digest()) != sha256.Size || !id.Matches(s) {
				t.Errorf("%q became %q, which does not stay: %q, %v", s, got, again, err)
			}
		}
		if raw, err := parseTLSFingerprint(s); err == nil && len(raw) != 1+tlsHashSizes[raw[:1]] {
			t.Errorf("%q became %x", s, raw)
		}
		(Identity{Fingerprint: testPrint}).Matches(s)
		(Identity{Fingerprint: s}).Matches(testPrint)
		(Identity{Fingerprint: s}).Digest()
	})
}

func TestCertificateIdentities(t *testing.T) {
	ca := issue(t, caTemplate("root"), nil)
	device := issue(t, template("edge-1"), ca)
	renewed := sign(t, template("edge-1"), ca, device.key)
	for name, c := range map[string]struct {
		id  Identity
		typ string
		der []byte
	}{
		"certificate": {CertificateIdentity(device.Certificate), "x509", device.Raw},
		"key":         {CertificateKeyIdentity(device.Certificate), "x509-key", device.RawSubjectPublicKeyInfo},
	} {
		digest := sha256.Sum256(c.der)
		if c.id.Type != c.typ || !bytes.Equal(c.id.Digest(), digest[:]) || len(c.id.Fingerprint) != len(testPrint) || !c.id.Matches(hex.EncodeToString(digest[:])) {
			t.Errorf("%s: %+v", name, c.id)
		}
	}
	if CertificateIdentity(device.Certificate) == CertificateIdentity(renewed) {
		t.Error("another certificate is the same identity")
	}
	if CertificateKeyIdentity(device.Certificate) != CertificateKeyIdentity(renewed) {
		t.Error("the same key is another identity")
	}
}

func TestParseTLSFingerprint(t *testing.T) {
	digits := func(octets int) string { return strings.Repeat(":ab", octets) }
	for in, want := range map[string]string{
		testPrint:            "",
		testHex:              "",
		"04" + digits(32):    "",
		"05" + digits(48):    "",
		"06" + digits(64):    "",
		" 06" + digits(64):   "",
		"04" + testHex:       "",
		"01" + digits(16):    "begins with 01",
		"02" + digits(20):    "begins with 02",
		"03" + digits(28):    "begins with 03",
		"07" + digits(32):    "begins with 07",
		"04" + digits(33):    "33 bytes after the 04",
		"05" + digits(64):    "64 bytes after the 05",
		"":                   "no fingerprint",
		"04:":                "no fingerprint",
		"SHA256:" + "abcdef": "3 bytes",
	} {
		raw, err := parseTLSFingerprint(in)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %x, %v; want %q", in, raw, err, want)
		}
	}
}
