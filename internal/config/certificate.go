package config

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// LoadPair reads a certificate, which others of its chain may follow, and its
// key. The error says which file is wrong and what to do.
func LoadPair(certificate, key string) (*tls.Certificate, error) {
	certFile, err := readFile(certificate)
	if err != nil {
		return nil, err
	}
	keyFile, err := readFile(key)
	if err != nil {
		return nil, err
	}
	chain, bad := parseCertificates(certFile.content)
	if bad != nil {
		return nil, fmt.Errorf("%s: %w", certificate, bad)
	}
	signer, bad := parseSigner(keyFile.content)
	if bad != nil {
		return nil, fmt.Errorf("%s: %w", key, bad)
	}
	pair, bad := newPair(chain, signer)
	if bad != nil {
		return nil, fmt.Errorf("%s: %w", certificate, bad)
	}
	return pair, nil
}

// LoadLists reads the revocation lists of a file, in PEM or DER.
func LoadLists(path string) ([]*x509.RevocationList, error) {
	f, err := readUpTo(path, maxListFile)
	if err != nil {
		return nil, err
	}
	lists, bad := parseLists(f.content)
	if bad != nil {
		return nil, fmt.Errorf("%s: %w", path, bad)
	}
	return lists, nil
}

func parseCertificates(text []byte) (chain []*x509.Certificate, _ *keyError) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue // a key, or parameters, in the same file
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &keyError{what: fmt.Sprintf("certificate %d cannot be decoded: %s", len(chain)+1, plain(err))}
		}
		chain = append(chain, cert)
	}
	if len(chain) > 0 {
		return chain, nil
	}
	if _, err := x509.ParseCertificate(text); err == nil {
		return nil, &keyError{what: "this is a certificate in DER", hint: "convert it to PEM with openssl x509 -inform DER -in FILE -out FILE.pem"}
	}
	return nil, &keyError{what: "there is no certificate in it", hint: `a certificate in PEM begins with "-----BEGIN CERTIFICATE-----"`}
}

// plain words an error of crypto/x509 without the package's name.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "x509: ") }

// parseSigner reads the key of a certificate. Messages never quote it.
func parseSigner(text []byte) (crypto.Signer, *keyError) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, &keyError{encrypted: true, what: "the private key is encrypted", hint: "nobody is there to type its passphrase: remove it with openssl pkey -in FILE -out NEW"}
		}
		if block.Type == "OPENSSH PRIVATE KEY" {
			return nil, &keyError{what: "this is a key in OpenSSH's format", hint: "convert it with ssh-keygen -p -N '' -m PKCS8 -f FILE"}
		}
		if signer := decodeSigner(block.Bytes); signer != nil {
			return signer, nil
		}
		return nil, &keyError{what: "the private key cannot be decoded", hint: "it must be a whole RSA, ECDSA or Ed25519 key in PEM, as openssl writes it"}
	}
	return nil, &keyError{what: "there is no private key in it", hint: `a key in PEM begins with "-----BEGIN PRIVATE KEY-----"`}
}

func decodeSigner(der []byte) crypto.Signer {
	for _, decode := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
	} {
		if key, err := decode(der); err == nil {
			signer, _ := key.(crypto.Signer)
			return signer
		}
	}
	return nil
}

// newPair returns the chain with its key, if that is the first certificate's.
func newPair(chain []*x509.Certificate, key crypto.Signer) (*tls.Certificate, *keyError) {
	for i, cert := range chain {
		if !sameKey(cert, key) {
			continue
		}
		if i > 0 {
			return nil, &keyError{what: "the certificate that the key belongs to is not the first one of the file", hint: "put it first, and the CA certificates after it"}
		}
		pair := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
		for _, c := range chain {
			pair.Certificate = append(pair.Certificate, c.Raw)
		}
		return pair, nil
	}
	return nil, &keyError{what: "the certificate and the key do not belong together", hint: "both commands must print the same: openssl x509 -noout -pubkey -in CERTIFICATE; openssl pkey -pubout -in KEY"}
}

func sameKey(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

func parseLists(text []byte) (lists []*x509.RevocationList, _ *keyError) {
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		list, err := x509.ParseRevocationList(text)
		if err != nil {
			return nil, &keyError{what: "this is not a revocation list", hint: `a list in PEM begins with "-----BEGIN X509 CRL-----"; one in DER will do as well`}
		}
		return []*x509.RevocationList{list}, nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, &keyError{what: fmt.Sprintf("revocation list %d cannot be decoded: %s", len(lists)+1, plain(err))}
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, &keyError{what: "there is no revocation list in it", hint: `a list in PEM begins with "-----BEGIN X509 CRL-----"`}
	}
	return lists, nil
}

// named reads the file that an attribute names. What is in a file cannot be
// given instead: the files are read again while the gateway runs.
func (d *decoder) named(a *hcl.Attribute, s item, most int64) (openFile, bool) {
	if isContents(s.text) {
		d.problems.fail(s.at, fmt.Sprintf(`give the name of the file, as in %s = "pki/FILE", without file()`, a.Name), "this is what is in a file, not its name")
		return openFile{}, false
	}
	f, err := readUpTo(d.path(s.text), most)
	if err != nil {
		d.fault(s.at, err)
		return openFile{}, false
	}
	return f, true
}

// pair reads what the attributes certificate and key name; nil if there is
// something wrong with them.
func (d *decoder) pair(certificate, key *hcl.Attribute) *tls.Certificate {
	chain := d.certificates(certificate)
	signer, at := d.signer(key)
	if chain == nil || signer == nil {
		return nil
	}
	pair, bad := newPair(chain, signer)
	if bad != nil {
		d.problems.fail(at, bad.hint, "%s", bad.what)
		return nil
	}
	d.checkDates(certificate, pair.Leaf)
	return pair
}

func (d *decoder) certificates(a *hcl.Attribute) []*x509.Certificate {
	s, ok := d.string(a)
	if !ok {
		return nil
	}
	f, ok := d.named(a, s, maxFile)
	if !ok {
		return nil
	}
	chain, bad := parseCertificates(f.content)
	if bad != nil {
		d.problems.fail(s.at, bad.hint, "%s: %s", f.path, bad.what)
		return nil
	}
	return chain
}

func (d *decoder) signer(a *hcl.Attribute) (crypto.Signer, hcl.Range) {
	s, ok := d.string(a)
	if !ok {
		return nil, s.at
	}
	f, ok := d.named(a, s, maxFile)
	if !ok {
		return nil, s.at
	}
	d.warnExposed(s.at, f)
	key, bad := parseSigner(f.content)
	if bad != nil {
		d.problems.fail(s.at, bad.hint, "%s: %s", f.path, bad.what)
		return nil, s.at
	}
	return key, s.at
}

// checkDates warns only: clocks jump, and the peer decides.
func (d *decoder) checkDates(a *hcl.Attribute, cert *x509.Certificate) {
	now := time.Now()
	switch {
	case now.After(cert.NotAfter):
		d.problems.warn(a.Expr.Range(), "get a new one from the CA", "the certificate has expired on %s", cert.NotAfter.Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		d.problems.warn(a.Expr.Range(), "check the clock of this machine", "the certificate is not valid before %s", cert.NotBefore.Format(time.DateOnly))
	}
}
